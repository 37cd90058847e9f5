//! What must not be seen.

use zeroize::Zeroizing;

/// A password, a token or a private key. This copy is overwritten when it is dropped; it has neither `Debug` nor `Display` nor
/// `Serialize`: what holds it has to leave it out.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "it must not be shown")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes it over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// For the one who sends it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
