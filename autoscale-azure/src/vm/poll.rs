//! How far an accepted operation has come. Pure.

use autoscale_core::words::Span;
use serde::Deserialize;

use super::arm::Answer;
use super::error::Said;

/// The state of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// It goes on; after how long to ask again, where the server says so.
    Going(Option<Span>),
    Done,
    Failed(Said),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Operation {
    status: String,
}

/// What the address of an operation has answered: `Azure-AsyncOperation` has a body with a status, `Location` answers 202
/// until it is done. Anything that is no answer to this question says nothing.
pub(super) fn progress(answer: &Answer) -> Progress {
    let going = Progress::Going(answer.retry_after());
    let operation: Operation = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (answer.status, operation.status.to_ascii_lowercase().as_str()) {
        (202, _) => going,
        (200 | 201, "succeeded") | (204, _) => Progress::Done,
        (200 | 201, "failed" | "canceled") => Progress::Failed(Said::of(answer.status, &answer.body)),
        (200 | 201, "") => Progress::Done,
        // Only what was asked for and is not there any more has ended; a refusal to tell has not.
        (404, _) => Progress::Done,
        _ => going,
    }
}

/// What the accepted machine itself says, where there is no address to ask.
pub(super) fn progress_of_body(accepted: &Answer) -> Progress {
    let body: serde_json::Value = serde_json::from_slice(&accepted.body).unwrap_or_default();
    match body.pointer("/properties/provisioningState").and_then(serde_json::Value::as_str) {
        Some("Succeeded") => Progress::Done,
        _ => Progress::Going(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn both_kinds_of_operations_are_understood() {
        let going = Progress::Going(Some(Span::from_secs(7)));
        for (status, body, expected) in [
            (200, r#"{"status":"InProgress"}"#, going.clone()),
            (200, r#"{"status":"Succeeded"}"#, Progress::Done),
            (202, "", going.clone()),
            (200, "", Progress::Done),
            (204, "", Progress::Done),
            (404, "", Progress::Done),
            (429, r#"{"error":{"code":"TooManyRequests"}}"#, going.clone()),
            (500, "<html>", going.clone()),
            (200, "<html>", Progress::Done),
        ] {
            assert_eq!(progress(&answer(status, body)), expected, "{status} {body}");
        }
        let failed = r#"{"status":"Failed","error":{"code":"AllocationFailed","message":"m"}}"#;
        assert!(matches!(progress(&answer(200, failed)), Progress::Failed(said) if said.is_capacity()));
    }
}
