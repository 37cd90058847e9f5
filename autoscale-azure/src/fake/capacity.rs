//! What there is not enough of.

use serde_json::Value;

use super::answer::Reply;
use super::route::words;

/// Something that is short.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Shortage {
    /// Of which machine type; all of them if none is named.
    pub size: Option<String>,
    /// In which zone; in all if none is named.
    pub zone: Option<String>,
    /// Whether of spot machines alone.
    pub spot_only: bool,
    /// Azure's code, such as `SkuNotAvailable` or `AllocationFailed`.
    pub code: String,
    /// Azure's words.
    pub message: String,
    /// Whether the machine is accepted first and fails while it is being created.
    pub late: bool,
}

impl Shortage {
    /// Refused at once with a code, whatever is asked for.
    pub fn at_once(code: impl Into<String>) -> Self {
        let message = "There is not enough of what was asked for.".to_owned();
        Self { size: None, zone: None, spot_only: false, code: code.into(), message, late: false }
    }

    /// Accepted, and failing with a code while the machine is being created.
    pub fn late(code: impl Into<String>) -> Self {
        Self { late: true, ..Self::at_once(code) }
    }

    /// Of one machine type in one zone.
    #[must_use]
    pub fn of(mut self, size: impl Into<String>, zone: Option<String>) -> Self {
        (self.size, self.zone) = (Some(size.into()), zone);
        self
    }

    /// In Azure's words.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(super) fn covers(&self, body: &Value) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| match wanted {
            Some(wanted) => found == Some(wanted),
            None => true,
        };
        same(&self.size, words(body, "/properties/hardwareProfile/vmSize"))
            && same(&self.zone, words(body, "/zones/0"))
            && (!self.spot_only || words(body, "/properties/priority") == Some("Spot"))
    }

    pub(super) fn refusal(&self) -> Reply {
        Reply::error(409, &self.code, &self.message)
    }
}
