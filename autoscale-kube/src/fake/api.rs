//! From a request to an answer.

use serde_json::{Value, json};

use super::access::Wish;
use super::json::{put, text, words};
use super::kinds::K;
use super::list::Selection;
use super::patch::Form;
use super::refusal::{Refusal, Result};
use super::route::{Query, Route};
use super::store::Key;
use super::watch::Watch;
use super::world::{World, Writer};
use super::write::{Change, options};

/// A request, as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: String,
    pub(super) agent: String,
    pub(super) token: Option<String>,
    pub(super) body: Vec<u8>,
}

/// What is sent back.
#[derive(Debug)]
pub(super) enum Reply {
    Json(u16, Vec<u8>),
    Watch(Box<Watch>),
}

impl Call {
    /// The object in the body.
    fn object(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            Refusal::bad_request(format!(
                "the object provided is unrecognized (must be of type JSON): {error}"
            ))
        })
    }

    /// Who writes: the field manager of the parameters, or the program's name.
    fn manager(&self, query: &Query) -> String {
        let agent = self.agent.split(['/', ' ']).next().filter(|agent| !agent.is_empty());
        query.get("fieldManager").or(agent).unwrap_or("unknown").to_owned()
    }
}

fn json(code: u16, value: &impl serde::Serialize) -> Result<Reply> {
    let bytes = serde_json::to_vec(value).map_err(|error| Refusal::internal(&error.to_string()))?;
    Ok(Reply::Json(code, bytes))
}

impl World {
    /// Carries a request out.
    pub(super) fn serve(&mut self, call: &Call, user: &str) -> Result<Reply> {
        let Some(route) = Route::parse(&call.path) else { return self.plain(call) };
        let query = Query::parse(&call.query);
        let verb = route.verb(&call.method, &query)?;
        self.authorise(&Wish::new(user, verb, &route, &query))?;
        let kind = self
            .kinds
            .find(&route.group, &route.version, &route.resource)
            .ok_or_else(|| self.unknown(&route))?;
        if kind == K::NODE_METRICS {
            let labels = query.get("labelSelector").unwrap_or_default();
            return json(200, &self.measure(&route, labels)?);
        }
        self.stored(kind)?;
        let name = route.name.clone();
        match (verb, name) {
            ("list", _) => {
                let page = self.list(kind, route.namespace.as_deref(), &query)?;
                json(200, &page)
            }
            ("watch", _) => {
                let selection = Selection::of(route.namespace.as_deref(), &query)?;
                Ok(Reply::Watch(Box::new(Watch::new(self, kind, selection, &query)?)))
            }
            ("create", None) => self.serve_create(kind, &route, &query, call),
            (_, Some(name)) => {
                let key = Key::new(route.namespace.clone().unwrap_or_default(), name);
                self.serve_one(kind, &key, verb, &route, &query, call)
            }
            _ => Err(Refusal::method(&*self.info(kind)?)),
        }
    }

    /// Refuses a definition whose storage is not ready.
    fn stored(&self, kind: K) -> Result<()> {
        let info = self.info(kind)?;
        if info.custom.is_some() && self.unserved.contains_key(&format!("{}.{}", info.plural, info.group)) {
            return Err(Refusal::too_many("storage is (re)initializing", 1));
        }
        Ok(())
    }

    fn unknown(&self, route: &Route) -> Box<Refusal> {
        let served = (0..self.kinds.len()).filter_map(|at| self.kinds.get(K(at)));
        let group = |info: &std::sync::Arc<super::kinds::KindInfo>| {
            info.group == route.group && info.version == route.version && info.plural != "nodes"
        };
        if served.into_iter().any(|info| group(&info)) {
            let message = "the server could not find the requested resource";
            return Refusal::new(404, "NotFound", message, json!({}));
        }
        Refusal::no_path()
    }

    fn serve_create(&mut self, kind: K, route: &Route, query: &Query, call: &Call) -> Result<Reply> {
        let object = call.object()?;
        let manager = call.manager(query);
        let namespace = route.namespace.clone().unwrap_or_default();
        let given = words(&object, "/kind");
        let info = self.info(kind)?;
        if !given.is_empty() && given != info.kind {
            let message = format!("the object provided is of kind {given}, this path is for {}", info.kind);
            return Err(Refusal::bad_request(message));
        }
        let made = self.create(kind, &namespace, object, (&manager, None), query.dry())?;
        json(201, &*made)
    }

    fn serve_one(
        &mut self,
        kind: K,
        key: &Key,
        verb: &str,
        route: &Route,
        query: &Query,
        call: &Call,
    ) -> Result<Reply> {
        let info = self.info(kind)?;
        let manager = call.manager(query);
        let sub = route.subresource.as_deref();
        let writer: Writer<'_> = (&manager, sub);
        let change = Change { writer, dry: query.dry() };
        let code = |made: bool| if made { 201 } else { 200 };
        match (kind, sub, verb) {
            (K::PODS, Some("eviction"), "create") => {
                json(201, &self.evict(key, &call.object()?, query.dry())?)
            }
            (K::PODS, Some("binding"), "create") => self.serve_binding(key, &call.object()?),
            (K::SERVICE_ACCOUNTS, Some("token"), "create") => {
                self.serve_token(key, &call.object()?, &manager)
            }
            (_, None, "get") => json(200, &*self.find(kind, &info, key)?),
            (_, Some("status"), "get") if info.status => json(200, &*self.find(kind, &info, key)?),
            (_, None, "delete") => {
                let (options, dry) = options(call.object()?, query)?;
                json(200, &self.delete(kind, key, &options, dry)?)
            }
            (_, Some("status"), _) if !info.status => Err(Refusal::no_path()),
            (_, None | Some("status"), "update") => {
                let (new, made) = self.replace(kind, key, call.object()?, change)?;
                json(code(made), &*new)
            }
            (_, None | Some("status"), "patch") => {
                let form = Form::of(&call.content_type)?;
                let (new, made) = self.patch(kind, key, form, &call.object()?, change)?;
                json(code(made), &*new)
            }
            (_, None | Some("status"), _) => Err(Refusal::method(&info)),
            _ => Err(Refusal::new(
                404,
                "NotFound",
                "the server could not find the requested resource",
                json!({}),
            )),
        }
    }

    fn serve_binding(&mut self, key: &Key, body: &Value) -> Result<Reply> {
        let info = self.info(K::PODS)?;
        let pod = self.find(K::PODS, &info, key)?;
        if let Some(node) = text(&pod, "/spec/nodeName") {
            let message = format!(
                "Operation cannot be fulfilled on pods/binding {:?}: pod {} is already assigned to node {node:?}",
                key.name, key.name
            );
            return Err(Refusal::new(
                409,
                "Conflict",
                message,
                super::refusal::named(&key.name, "", "pods/binding"),
            ));
        }
        self.bind(key, words(body, "/target/name"));
        json(
            201,
            &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
        )
    }

    /// Makes a token for a ServiceAccount. It does not expire.
    fn serve_token(&mut self, key: &Key, body: &Value, manager: &str) -> Result<Reply> {
        let info = self.info(K::SERVICE_ACCOUNTS)?;
        let account = self.find(K::SERVICE_ACCOUNTS, &info, key)?;
        let token = format!("token-{}", self.rng.uid());
        self.access.add_token(&token, &format!("system:serviceaccount:{}:{}", key.namespace, key.name));
        let seconds = super::json::number(body, "/spec/expirationSeconds").unwrap_or(3600);
        let end = self.now.after(autoscale_core::words::Span::from_secs(seconds.unsigned_abs()));
        let mut answer = json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": account.pointer("/metadata/uid"),
                "creationTimestamp": self.now.to_string()},
            "spec": {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": seconds,
                "boundObjectRef": null},
            "status": {"token": token, "expirationTimestamp": end.to_string()},
        });
        if let Some(audiences) = body.pointer("/spec/audiences") {
            put(&mut answer, &["spec", "audiences"], audiences.clone());
        }
        super::managed::sign(&mut answer, (manager, Some("token")), "authentication.k8s.io/v1", self.now);
        json(201, &answer)
    }

    /// The few paths that are about no resource.
    fn plain(&self, call: &Call) -> Result<Reply> {
        match call.path.as_str() {
            "/version" => json(
                200,
                &json!({"major": "1", "minor": "36", "gitVersion": "v1.36.2-fake",
                "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}),
            ),
            "/healthz" | "/livez" | "/readyz" => Ok(Reply::Json(200, b"ok".to_vec())),
            _ => Err(Refusal::no_path()),
        }
    }
}
