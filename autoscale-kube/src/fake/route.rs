//! What a request asks for, read from its method and path.

use std::collections::BTreeMap;

use super::refusal::{Refusal, Result};

/// The path of an object, a list, or something under an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) namespace: Option<String>,
    pub(super) resource: String,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl Route {
    /// `None`: it is the path of no resource.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // `namespaces/x/status` is about the namespace itself.
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            _ => (None, rest),
        };
        let (resource, rest) = rest.split_first()?;
        let owned = |text: &&str| (*text).to_owned();
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: namespace.map(str::to_owned),
            resource: (*resource).to_owned(),
            name: rest.first().map(owned),
            subresource: rest.get(1).map(owned),
        })
    }

    /// What RBAC calls what a method does here.
    pub(super) fn verb(&self, method: &str, query: &Query) -> Result<&'static str> {
        Ok(match (method, &self.name) {
            ("GET", Some(_)) => "get",
            ("GET", None) if query.is("watch") => "watch",
            ("GET", None) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", Some(_)) => "delete",
            ("DELETE", None) => "deletecollection",
            _ => return Err(Refusal::bad_request(format!("the method {method} is not known"))),
        })
    }
}

/// The parameters after the question mark.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|part| !part.is_empty());
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        };
        Self(pairs.map(pair).collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn is(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1"))
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u64>> {
        let bad = |_| Refusal::bad_request(format!("the value of {key} is no number"));
        self.get(key).map(str::parse).transpose().map_err(bad)
    }

    pub(super) fn dry(&self) -> bool {
        self.get("dryRun") == Some("All")
    }
}

/// Decodes `%41`.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let of = |path| {
            let route = Route::parse(path).unwrap();
            let all = [route.namespace, Some(route.resource), route.name, route.subresource];
            all.map(Option::unwrap_or_default).join(",")
        };
        assert_eq!(of("/api/v1/nodes"), ",nodes,,");
        assert_eq!(of("/api/v1/namespaces/default/pods/a/eviction"), "default,pods,a,eviction");
        assert_eq!(of("/api/v1/namespaces/default"), ",namespaces,default,");
        assert_eq!(of("/apis/apps/v1/namespaces/d/deployments/w/status"), "d,deployments,w,status");
        assert_eq!(of("/api/v1/namespaces/d/status"), ",namespaces,d,status");
        assert_eq!(Route::parse("/healthz"), None);
        assert_eq!(Route::parse("/apis/apps/v1"), None);
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=app%3Dweb&limit=5&watch=true&x=a+b");
        assert_eq!(query.get("labelSelector"), Some("app=web"));
        assert_eq!(query.number("limit").unwrap(), Some(5));
        assert!(query.is("watch") && !query.is("no"));
        assert_eq!(query.get("x"), Some("a b"));
        assert!(Query::parse("limit=x").number("limit").is_err());
    }
}
