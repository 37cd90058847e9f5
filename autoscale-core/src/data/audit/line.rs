//! One entry as one line of JSON, and back.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::delta::Misfit;
use super::{Head, Sum, VERSION};
use crate::data::Ended;
use crate::words::{Span, truncated};

/// No line is longer, in bytes.
pub const MAX_LINE: usize = 64 << 20;

/// A body is no larger before it is compressed, together with those it is a difference to, back to the full one.
pub const MAX_BODY: usize = 128 << 20;

/// What a writer puts behind the beginning of a line that another left behind when it died.
pub const TORN: &str = " #torn";

/// What stands before the reason in place of an entry that cannot be had.
const NO_ENTRY: &str = "no entry: ";

/// How hard bodies are compressed: the next level saves little and takes twice as long.
const LEVEL: u8 = 6;

/// A line that cannot be used, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// It is none of ours.
    #[error("not a line of an audit log: {why}")]
    NotALine {
        /// What is wrong.
        why: String,
    },
    /// It stands for an entry that is there and cannot be had: [`Line::missing`].
    #[error("{NO_ENTRY}{why}")]
    NoEntry {
        /// Which, and why not.
        why: String,
    },
    /// It is of a later version.
    #[error("a line of version {found}, and this reads up to {VERSION}: run a newer version")]
    Newer {
        /// Its version.
        found: u64,
    },
    /// It was changed after it was written.
    #[error("the line was changed: its sum is {found}, and it says {said}")]
    Changed {
        /// What it should be.
        said: Sum,
        /// What it is.
        found: Sum,
    },
    /// It does not follow the lines before.
    #[error("the chain is broken: {why}")]
    Chain {
        /// In words.
        why: String,
    },
    /// Its sum is right, and its body cannot be read.
    #[error("the body cannot be read: {why}")]
    Body {
        /// In words.
        why: String,
    },
    /// An entry is too large to be written.
    #[error("{bytes} bytes are too many for an entry: expected at most {most}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most.
        most: usize,
    },
}

impl Broken {
    /// Whether this is no audit log, or one of a later version, rather than a damaged one.
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::NotALine { .. } | Self::Newer { .. })
    }
}

impl From<Misfit> for Broken {
    fn from(misfit: Misfit) -> Self {
        body(misfit)
    }
}

pub(super) fn body(why: impl ToString) -> Broken {
    Broken::Body { why: truncated(&why.to_string(), 300) }
}

fn foreign(why: impl ToString) -> Broken {
    Broken::NotALine { why: truncated(&why.to_string(), 200) }
}

/// What stands in a body.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct Body {
    pub(super) ended: Ended,
    pub(super) notices_stored: bool,
    pub(super) wake_in: Option<Span>,
    pub(super) alarms: Vec<String>,
    /// The difference to the policy of the entry before.
    pub(super) policy: Value,
    /// The difference of each round to the one before.
    pub(super) rounds: Vec<Value>,
}

/// One line, ready to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Line {
    /// Its readable part.
    pub head: Head,
    /// The whole line: ASCII or UTF-8 without a line break.
    pub text: String,
}

impl Line {
    /// Reads the head of a line and checks its sum; the body is not looked into.
    ///
    /// # Errors
    /// Anything else than a line of this version whose sum is right.
    pub fn read(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.len() > MAX_LINE {
            return Err(foreign(format!("longer than {} MiB", MAX_LINE >> 20)));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| foreign("not UTF-8 text"))?;
        if let Some(why) = text.strip_prefix(NO_ENTRY) {
            return Err(Broken::NoEntry { why: truncated(why, 300) });
        }
        let head = head(text)?;
        let (said, found) = (head.sum, sum(covered(text).unwrap_or_default()));
        if said != found {
            return Err(Broken::Changed { said, found });
        }
        Ok(Self { head, text: text.to_owned() })
    }

    /// What a log gives in place of an entry that is there and cannot be had: which it is, and why not. Whoever reads it is told so
    /// by [`Broken::NoEntry`].
    pub fn missing(why: &dyn fmt::Display) -> Vec<u8> {
        format!("{NO_ENTRY}{why}").into_bytes()
    }

    /// Whether these bytes are a whole line whose sum is right.
    pub fn is_whole(bytes: &[u8]) -> bool {
        Self::read(bytes).is_ok()
    }

    /// So many bytes at the end of a line are its sum and what is around it.
    pub const END: usize = END;

    /// Whether a whole line may end with these bytes.
    pub fn is_end(bytes: &[u8]) -> bool {
        bytes.len() == END && bytes.starts_with(SUM.as_bytes()) && bytes.ends_with(b"\"}")
    }

    /// Makes a line of its parts; the sum in `head` is worked out.
    pub(crate) fn make(mut head: Head, body: &[u8]) -> Result<Self, Broken> {
        let packed = STANDARD.encode(miniz_oxide::deflate::compress_to_vec(body, LEVEL));
        let mut text = serde_json::to_string(&head).map_err(self::body)?;
        text.pop();
        text.push_str(",\"body\":\"");
        text.push_str(&packed);
        text.push('"');
        head.sum = sum(text.as_bytes());
        text.push_str(&format!("{SUM}{}\"}}", head.sum));
        if text.len() > MAX_LINE {
            return Err(Broken::TooLarge { bytes: text.len(), most: MAX_LINE });
        }
        Ok(Self { head, text })
    }

    /// The body, not larger than its head says.
    pub(super) fn body(&self) -> Result<Body, Broken> {
        #[derive(Deserialize)]
        struct Packed<'a> {
            body: &'a str,
        }
        let packed: Packed<'_> = serde_json::from_str(&self.text).map_err(foreign)?;
        let size = usize::try_from(self.head.bytes).unwrap_or(usize::MAX);
        if size > MAX_BODY {
            return Err(body(format!("{size} bytes: expected at most {MAX_BODY}")));
        }
        let packed = STANDARD.decode(packed.body).map_err(body)?;
        let bytes = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, size)
            .map_err(|error| body(format!("{:?}", error.status)))?;
        if bytes.len() != size {
            return Err(body(format!("{} bytes: expected {size}", bytes.len())));
        }
        serde_json::from_slice(&bytes).map_err(body)
    }
}

/// What stands before the sum of a line.
const SUM: &str = ",\"sum\":\"";

/// The size of the end of a line: the sum and what is around it.
const END: usize = SUM.len() + 64 + 2;

/// Whether this is the beginning of a line, without its sum or a part of that.
pub(super) fn is_beginning(bytes: &[u8]) -> bool {
    let sums = bytes.windows(SUM.len()).rposition(|window| window == SUM.as_bytes());
    bytes.starts_with(b"{") && sums.is_none_or(|at| bytes.len() - at < END)
}

/// What the sum is of.
fn covered(text: &str) -> Option<&[u8]> {
    text.as_bytes().get(..text.len().checked_sub(END)?)
}

fn sum(bytes: &[u8]) -> Sum {
    Sum::new(Sha256::digest(bytes).into())
}

/// The readable part, of a version that is known.
fn head(text: &str) -> Result<Head, Broken> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = serde_json::from_str(text).map_err(foreign)?;
    if v > u64::from(VERSION) {
        return Err(Broken::Newer { found: v });
    }
    let ends = text.len().checked_sub(END).and_then(|at| text.get(at..)).unwrap_or_default();
    let digits = ends.strip_prefix(SUM).and_then(|rest| rest.strip_suffix("\"}"));
    let Some(said) = digits.and_then(Sum::parse) else { return Err(foreign("it does not end with its sum")) };
    let head: Head = serde_json::from_str(text).map_err(foreign)?;
    if head.sum != said || v == 0 {
        return Err(foreign("contradictory"));
    }
    Ok(head)
}
