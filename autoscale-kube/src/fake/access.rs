//! Who asks, and whether they may.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::json::{list, words};
use super::kinds::K;
use super::refusal::{Refusal, Result, named};
use super::route::{Query, Route};
use super::world::World;

/// The user who may do everything.
pub(super) const ADMIN: &str = "admin";

/// One thing that a user may do, as a rule of a role says it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct Permission {
    /// Such as `list`.
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    /// Such as `pods` or `pods/eviction`.
    pub resource: String,
}

impl Permission {
    /// A permission.
    pub fn new(verb: impl Into<String>, group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { verb: verb.into(), group: group.into(), resource: resource.into() }
    }
}

/// Tokens and users.
#[derive(Debug)]
pub(super) struct Access {
    /// The user of each token.
    tokens: BTreeMap<String, String>,
    groups: BTreeMap<String, BTreeSet<String>>,
    /// What is taken from a user, whatever the roles say.
    denied: BTreeMap<String, BTreeSet<Permission>>,
}

impl Access {
    pub(super) fn new() -> Self {
        let groups = BTreeMap::from([(ADMIN.to_owned(), BTreeSet::from(["system:masters".to_owned()]))]);
        Self { tokens: BTreeMap::new(), groups, denied: BTreeMap::new() }
    }

    pub(super) fn user(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(String::as_str)
    }

    pub(super) fn add_token(&mut self, token: &str, user: &str) {
        self.tokens.insert(token.to_owned(), user.to_owned());
    }

    pub(super) fn join(&mut self, user: &str, group: &str) {
        self.groups.entry(user.to_owned()).or_default().insert(group.to_owned());
    }

    pub(super) fn deny(&mut self, user: &str, permission: Permission) {
        self.denied.entry(user.to_owned()).or_default().insert(permission);
    }

    pub(super) fn pardon(&mut self, user: &str) {
        self.denied.remove(user);
    }

    fn groups(&self, user: &str) -> BTreeSet<String> {
        let mut groups = self.groups.get(user).cloned().unwrap_or_default();
        groups.insert("system:authenticated".to_owned());
        if let Some(rest) = user.strip_prefix("system:serviceaccount:") {
            groups.insert("system:serviceaccounts".to_owned());
            groups.extend(rest.split(':').next().map(|name| format!("system:serviceaccounts:{name}")));
        }
        groups
    }
}

/// What somebody wants to do.
pub(super) struct Wish<'w> {
    pub(super) user: &'w str,
    pub(super) verb: &'w str,
    pub(super) route: &'w Route,
    pub(super) name: Option<&'w str>,
}

impl<'w> Wish<'w> {
    /// A list or watch of one name is a wish for that name.
    pub(super) fn new(user: &'w str, verb: &'w str, route: &'w Route, query: &'w Query) -> Self {
        let fields = query.get("fieldSelector").unwrap_or_default();
        let one = fields.split(',').find_map(|part| part.strip_prefix("metadata.name="));
        Self { user, verb, route, name: route.name.as_deref().or(one) }
    }

    pub(super) fn permission(&self) -> Permission {
        let resource = match &self.route.subresource {
            Some(sub) => format!("{}/{sub}", self.route.resource),
            None => self.route.resource.clone(),
        };
        Permission::new(self.verb, self.route.group.clone(), resource)
    }
}

impl World {
    /// Refuses what the user may not do.
    pub(super) fn authorise(&self, wish: &Wish<'_>) -> Result<()> {
        let permission = wish.permission();
        let denied = self.access.denied.get(wish.user).is_some_and(|denied| denied.contains(&permission));
        let groups = self.access.groups(wish.user);
        let allowed = groups.contains("system:masters") || self.rules_allow(wish, &permission, &groups);
        if allowed && !denied { Ok(()) } else { Err(forbidden(wish, &permission)) }
    }

    fn rules_allow(&self, wish: &Wish<'_>, permission: &Permission, groups: &BTreeSet<String>) -> bool {
        let everywhere = self.store.range(K::CLUSTER_ROLE_BINDINGS, None, None);
        let here =
            wish.route.namespace.as_deref().map(|at| self.store.range(K::ROLE_BINDINGS, Some(at), None));
        let bindings = everywhere.chain(here.into_iter().flatten());
        let bound = bindings.filter(|(_, binding)| {
            list(binding, "/subjects").iter().any(|subject| names(subject, wish.user, groups))
        });
        bound.into_iter().any(|(key, binding)| {
            let name = words(binding, "/roleRef/name");
            let role = match words(binding, "/roleRef/kind") {
                "ClusterRole" => self.store.get(K::CLUSTER_ROLES, &super::store::Key::global(name)),
                _ => self.store.get(K::ROLES, &super::store::Key::new(key.namespace.as_str(), name)),
            };
            let rules = role.map(|role| list(role, "/rules")).unwrap_or_default();
            rules.iter().any(|rule| covers(rule, permission, wish.name))
        })
    }
}

/// Whether a subject of a binding is the user.
fn names(subject: &Value, user: &str, groups: &BTreeSet<String>) -> bool {
    let name = words(subject, "/name");
    match words(subject, "/kind") {
        "User" => name == user,
        "Group" => groups.contains(name),
        "ServiceAccount" => user == format!("system:serviceaccount:{}:{name}", words(subject, "/namespace")),
        _ => false,
    }
}

/// Whether a rule of a role allows something.
fn covers(rule: &Value, wanted: &Permission, name: Option<&str>) -> bool {
    let has = |part: &str, wanted: &str| {
        list(rule, part).iter().filter_map(Value::as_str).any(|found| found == wanted || found == "*")
    };
    let any_of = wanted.resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
    let names = list(rule, "/resourceNames");
    has("/verbs", &wanted.verb)
        && has("/apiGroups", &wanted.group)
        && (has("/resources", &wanted.resource) || any_of.is_some_and(|any| has("/resources", &any)))
        && (names.is_empty() || names.iter().any(|one| one.as_str() == name && name.is_some()))
}

fn forbidden(wish: &Wish<'_>, permission: &Permission) -> Box<Refusal> {
    let Route { group, namespace, resource, name, .. } = wish.route;
    let qualified = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
    let object = name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
    let place = match namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let message = format!(
        "{qualified}{object} is forbidden: User {:?} cannot {} resource {:?} in API group {group:?} {place}",
        wish.user, permission.verb, permission.resource
    );
    Refusal::new(403, "Forbidden", message, named(name.as_deref().unwrap_or_default(), group, resource))
}

/// A binding of a role to a user, a ServiceAccount if its name is one's.
pub(super) fn binding(name: &str, role_kind: &str, role: &str, user: &str) -> Value {
    let subject = match user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, name)) => json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}),
        None => json!({"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}),
    };
    json!({
        "metadata": {"name": name}, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
    })
}
