//! `KEY=VALUE` on the command line.

use std::str::FromStr;

/// A tag and its value. What may be in them says the cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Tag {
    /// The tag.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}
