//! What was accepted and ends later.

use autoscale_core::words::Timestamp;
use serde_json::json;

use super::answer::Reply;
use super::route::Call;
use super::world::World;

/// How an operation ends.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    Made { fails: Option<(String, String)> },
    Removed,
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    until: Timestamp,
    ends: Ends,
}

impl World {
    /// Begins an operation and gives its number.
    pub(super) fn begin(&mut self, until: Timestamp, ends: Ends) -> u64 {
        let number = self.operations.len() as u64 + 1;
        self.operations.insert(number, Operation { until, ends });
        number
    }

    /// Adds where to ask for an operation.
    pub(super) fn polled(&self, reply: Reply, call: &Call, number: u64, location: bool) -> Reply {
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.Compute/locations/{}/operations/{number}",
            self.settings.subscription, self.settings.location
        );
        let version = call.version();
        let address = |more: &str| call.at(&format!("{path}?{more}api-version={version}"));
        let reply = reply
            .with("azure-asyncoperation", address(""))
            .with("retry-after", self.settings.retry_after.to_string());
        if location { reply.with("location", address("monitor=true&")) } else { reply }
    }

    pub(super) fn operation(&mut self, call: &Call, user: &str, number: u64) -> Reply {
        let scope = format!("/subscriptions/{}", self.settings.subscription);
        if let Err(refused) = self.access.check(user, "Microsoft.Compute/locations/operations/read", &scope) {
            return *refused;
        }
        let Some(Operation { until, ends }) = self.operations.get(&number) else {
            return Reply::error(404, "OperationNotFound", "The operation could not be found.");
        };
        let going = self.now < *until;
        let again = self.settings.retry_after.to_string();
        if call.query("monitor").is_some() {
            return match (going, ends) {
                (true, _) => Reply::empty(202).with("location", call.url.as_str()).with("retry-after", again),
                (false, Ends::Removed) => Reply::empty(204),
                (false, Ends::Made { .. }) => Reply::empty(200),
            };
        }
        let name = format!("00000000-0000-0000-0000-{number:012}");
        let start = "2026-11-22T09:00:00+00:00";
        if going {
            let body = json!({ "name": name, "status": "InProgress", "startTime": start });
            return Reply::json(200, body).with("retry-after", again);
        }
        let failed = match ends {
            Ends::Made { fails } => fails.as_ref(),
            Ends::Removed => None,
        };
        Reply::json(
            200,
            match failed {
                Some((code, message)) => json!({
                    "name": name, "status": "Failed", "startTime": start,
                    "error": { "code": code, "message": message },
                }),
                None => json!({ "name": name, "status": "Succeeded", "startTime": start }),
            },
        )
    }
}
