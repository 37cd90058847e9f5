//! What must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A secret. It can be neither printed nor serialised; its memory is cleared when it is dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text; white space around it is left out, as a file's last line break.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The text, for the one request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Looks at every byte, wherever the first difference is.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.0.as_bytes(), other.0.as_bytes());
        let differences = one.iter().zip(two).fold(0, |all, (one, two)| all | (one ^ two));
        one.len() == two.len() && differences == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_and_not_shown() {
        let secret = Secret::new(" canary\n");
        assert_eq!(secret.expose(), "canary");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        for (other, same) in [("canary", true), ("canarz", false), ("canar", false), ("", false)] {
            assert_eq!(secret == Secret::new(other), same, "{other}");
        }
    }
}
