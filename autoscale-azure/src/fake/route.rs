//! From a request to what it asks for.

use serde_json::Value;
use url::Url;

use super::answer::Reply;
use super::world::{Part, World};

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) token: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.url
            .query_pairs()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// An absolute address below the host that was asked.
    pub(super) fn at(&self, path: &str) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_path("");
        format!("{}{path}", url.as_str().trim_end_matches('/'))
    }

    pub(super) fn version(&self) -> String {
        self.query("api-version").unwrap_or_default()
    }
}

/// What a request asks for.
enum Asked {
    Machines,
    Machine(String),
    Part(Part),
    Operation(u64),
}

impl World {
    /// Carries a request out, if its sender may.
    pub(super) fn carry_out(&mut self, call: &Call) -> Reply {
        let version = call.version();
        let digits = |at: usize, c: char| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() };
        let day = version.get(..10).unwrap_or_default();
        if day.len() != 10 || !day.char_indices().all(|(at, c)| digits(at, c)) {
            return Reply::error(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            );
        }
        let Some(user) = call.token.clone().filter(|token| !token.is_empty()) else {
            return Reply::error(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            );
        };
        let asked = match self.asked(call) {
            Ok(asked) => asked,
            Err(reply) => return *reply,
        };
        match (call.method.as_str(), asked) {
            ("GET", Asked::Machines) => self.list(call, &user),
            ("GET", Asked::Machine(name)) => self.get(call, &user, &name),
            ("PUT", Asked::Machine(name)) => self.create(call, &user, &name),
            ("PATCH", Asked::Machine(name)) => self.patch(call, &user, &name),
            ("DELETE", Asked::Machine(name)) => self.delete(call, &user, &name),
            ("DELETE", Asked::Part(part)) => self.delete_part(&user, part),
            ("GET", Asked::Operation(number)) => self.operation(call, &user, number),
            _ => {
                Reply::error(405, "MethodNotAllowed", "The request method is not supported by the resource.")
            }
        }
    }

    fn asked(&self, call: &Call) -> Result<Asked, Box<Reply>> {
        let not_found = |code: &str, message: String| Err(Box::new(Reply::error(404, code, &message)));
        let path = call.url.path().trim_matches('/').to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let ["subscriptions", subscription, rest @ ..] = lower.as_slice() else {
            return not_found("InvalidResourceType", "The resource type could not be found.".to_owned());
        };
        if *subscription != self.settings.subscription.to_ascii_lowercase() {
            let message = format!("The subscription '{subscription}' could not be found.");
            return not_found("SubscriptionNotFound", message);
        }
        let name = || (*parts.last().unwrap_or(&"")).to_owned();
        match rest {
            ["providers", "microsoft.compute", "locations", _, "operations", number] => {
                match number.parse() {
                    Ok(number) => Ok(Asked::Operation(number)),
                    Err(_) => not_found("OperationNotFound", "The operation could not be found.".to_owned()),
                }
            }
            ["resourcegroups", group, ..] if *group != self.settings.group.to_ascii_lowercase() => {
                not_found("ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
            }
            ["resourcegroups", _, "providers", "microsoft.compute", "virtualmachines"] => Ok(Asked::Machines),
            ["resourcegroups", _, "providers", "microsoft.compute", "virtualmachines", _] => {
                Ok(Asked::Machine(name()))
            }
            ["resourcegroups", _, "providers", "microsoft.compute", "disks", _] => {
                Ok(Asked::Part(Part::Disk(name())))
            }
            ["resourcegroups", _, "providers", "microsoft.network", "networkinterfaces", _] => {
                Ok(Asked::Part(Part::Interface(name())))
            }
            _ => not_found("InvalidResourceType", "The resource type could not be found.".to_owned()),
        }
    }
}

/// A text in a body.
pub(super) fn words<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}
