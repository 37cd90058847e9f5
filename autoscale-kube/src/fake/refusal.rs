//! What the server answers when it does not do what it was asked.

use serde_json::{Value, json};

use super::kinds::KindInfo;

/// An answer that is no success.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    /// A `Status`, or plain text.
    pub(super) body: Value,
    pub(super) retry_after: Option<u32>,
}

pub(super) type Result<T> = std::result::Result<T, Box<Refusal>>;

impl Refusal {
    /// A `Status` with a reason, if it has one, and details, unless they are `null`.
    pub(super) fn new(code: u16, reason: &str, message: impl Into<String>, details: Value) -> Box<Self> {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "code": code,
        });
        if !reason.is_empty() {
            super::json::put(&mut body, &["reason"], reason);
        }
        if !details.is_null() {
            super::json::put(&mut body, &["details"], details);
        }
        Box::new(Self { code, body, retry_after: None })
    }

    /// The server has no such path.
    pub(super) fn no_path() -> Box<Self> {
        Box::new(Self { code: 404, body: json!("404 page not found\n"), retry_after: None })
    }

    pub(super) fn not_found(info: &KindInfo, name: &str) -> Box<Self> {
        let message = format!("{} {name:?} not found", info.resource());
        Self::new(404, "NotFound", message, named(name, &info.group, &info.plural))
    }

    pub(super) fn exists(info: &KindInfo, name: &str) -> Box<Self> {
        let message = format!("{} {name:?} already exists", info.resource());
        Self::new(409, "AlreadyExists", message, named(name, &info.group, &info.plural))
    }

    /// The object has another resource version.
    pub(super) fn modified(info: &KindInfo, name: &str) -> Box<Self> {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: the object has been modified; please apply your \
             changes to the latest version and try again",
            info.resource()
        );
        Self::new(409, "Conflict", message, named(name, &info.group, &info.plural))
    }

    /// A precondition of a deletion does not hold.
    pub(super) fn precondition(
        info: &KindInfo,
        name: &str,
        what: &str,
        asked: &str,
        found: &str,
    ) -> Box<Self> {
        let end = if what == "UID" { "deleted and then recreated" } else { "modified" };
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: the {what} in the precondition ({asked}) does not \
             match the {what} in record ({found}). The object might have been {end}",
            info.qualified_kind()
        );
        Self::new(409, "Conflict", message, named(name, &info.group, &info.kind))
    }

    /// The UID of an object that replaces another is not that of the other.
    pub(super) fn other_uid(info: &KindInfo, name: &str, asked: &str, found: &str) -> Box<Self> {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: Precondition failed: UID in precondition: {asked}, \
             UID in object meta: {found}",
            info.resource()
        );
        Self::new(409, "Conflict", message, named(name, &info.group, &info.plural))
    }

    /// A field has a value that it may not have.
    pub(super) fn invalid(info: &KindInfo, name: &str, field: &str, what: &str) -> Box<Self> {
        let mut details = named(name, &info.group, &info.kind);
        let cause = json!([{"reason": "FieldValueInvalid", "message": what, "field": field}]);
        super::json::put(&mut details, &["causes"], cause);
        let message = format!("{} {name:?} is invalid: {field}: {what}", info.qualified_kind());
        Self::new(422, "Invalid", message, details)
    }

    /// A JSON patch that cannot be applied, such as one with a test that fails.
    pub(super) fn unpatchable() -> Box<Self> {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message, json!({}))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Box<Self> {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    pub(super) fn unauthorized() -> Box<Self> {
        Self::new(401, "Unauthorized", "Unauthorized", Value::Null)
    }

    pub(super) fn method(info: &KindInfo) -> Box<Self> {
        let message = "the server does not allow this method on the requested resource";
        let details = without_empty(json!({"group": info.group, "kind": info.plural}));
        Self::new(405, "MethodNotAllowed", message, details)
    }

    pub(super) fn media_type(sent: &str) -> Box<Self> {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
             application/apply-patch+yaml; sent {sent:?}"
        );
        Self::new(415, "UnsupportedMediaType", message, Value::Null)
    }

    pub(super) fn too_many(message: &str, seconds: u32) -> Box<Self> {
        let details = if seconds > 0 { json!({"retryAfterSeconds": seconds}) } else { Value::Null };
        let mut refusal = Self::new(429, "TooManyRequests", message, details);
        refusal.retry_after = (seconds > 0).then_some(seconds);
        refusal
    }

    pub(super) fn expired(message: impl Into<String>) -> Box<Self> {
        Self::new(410, "Expired", message, Value::Null)
    }

    /// The server is ill.
    pub(super) fn internal(message: &str) -> Box<Self> {
        let text = format!("Internal error occurred: {message}");
        Self::new(500, "InternalError", text, json!({"causes": [{"message": message}]}))
    }

    /// As an admission webhook says no that gives words alone.
    pub(super) fn denied(why: &str) -> Box<Self> {
        let message = format!("admission webhook \"guard.example.org\" denied the request: {why}");
        Self::new(403, "Forbidden", message, Value::Null)
    }

    pub(super) fn unavailable() -> Box<Self> {
        let message = "the server is currently unable to handle the request";
        let mut refusal = Self::new(503, "ServiceUnavailable", message, json!({"retryAfterSeconds": 1}));
        refusal.retry_after = Some(1);
        refusal
    }
}

/// The details of a `Status` about an object, without empty parts.
pub(super) fn named(name: &str, group: &str, kind: &str) -> Value {
    without_empty(json!({"name": name, "group": group, "kind": kind}))
}

pub(super) fn without_empty(mut details: Value) -> Value {
    if let Some(map) = details.as_object_mut() {
        map.retain(|_, value| value.as_str() != Some(""));
    }
    details
}
