//! What this module asks of Azure Resource Manager, whichever client carries it out.

use std::fmt::Debug;

use async_trait::async_trait;
use autoscale_core::words::{Deadline, Span, Timestamp};
use serde_json::Value;
use url::Url;

use super::time;

/// An answer, whatever its status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The server's clock, to the second.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        time::http_date(self.header("date")?)
    }

    /// After how long to ask again, where the server says so in seconds or as a date.
    pub(crate) fn retry_after(&self) -> Option<Span> {
        let text = self.header("retry-after")?.trim();
        match text.parse() {
            Ok(seconds) => Some(Span::from_secs(seconds)),
            Err(_) => Some(time::http_date(text)?.since(self.date()?)),
        }
    }

    /// Where the state of an accepted operation can be asked for.
    pub(crate) fn operation(&self) -> Option<&str> {
        self.header("azure-asyncoperation").or_else(|| self.header("location"))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    /// The request has certainly not left.
    #[error("the request was not sent: {why}")]
    NotSent {
        why: String,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// There is no token, and so no request.
    #[error("there is no token")]
    NoToken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may have been carried out.
    #[error("no answer")]
    Silent(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub(crate) type Heard = Result<Answer, Unheard>;

/// The dozen calls, each sent at most once and not after a deadline of the boot clock. No retries, no waiting.
#[async_trait]
pub(crate) trait ArmCompute: Debug + Send + Sync + 'static {
    /// The first page of the group's machines; of a scale set alone, with their power states, if one is named.
    async fn machines(&self, scale_set: Option<&str>, until: Deadline) -> Heard;
    /// What an address names that an earlier answer gave: the next page, an operation. The caller has checked the host.
    async fn follow(&self, url: &Url, until: Deadline) -> Heard;
    /// One machine with its runtime state.
    async fn machine(&self, name: &str, until: Deadline) -> Heard;
    /// Makes a machine, if none has that name.
    async fn create(&self, name: &str, body: &Value, until: Deadline) -> Heard;
    /// Ends a machine.
    async fn delete(&self, name: &str, until: Deadline) -> Heard;
    /// Deletes a disk that no machine has.
    async fn delete_disk(&self, name: &str, until: Deadline) -> Heard;
    /// Deletes an interface that no machine has.
    async fn delete_interface(&self, name: &str, until: Deadline) -> Heard;
}
