//! Input that cannot be used, and everything that is wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};

use autoscale_core::data::policy::{PolicyError, PolicyErrors};
#[cfg(feature = "dynamodb")]
use autoscale_core::words::ConfigErrors;

use crate::table::Reasons;

/// Bad rows that are shown; the rest are counted.
const SHOWN: usize = 20;

/// Input that cannot be used, and everything that is wrong with it.
#[derive(Debug)]
pub(crate) enum Bad {
    /// Rows of a file, or the file as a whole.
    Rows(PathBuf, Reasons),
    /// A policy.
    Policy(PathBuf, Box<PolicyErrors>),
    /// Several files, or options.
    Several(Vec<Bad>),
}

impl Bad {
    /// Something wrong with the file as a whole.
    pub(crate) fn whole(path: &Path, reason: String) -> Self {
        Self::of(path, vec![(None, reason)])
    }

    /// Everything that is wrong.
    pub(crate) fn of(path: &Path, rows: Reasons) -> Self {
        Self::Rows(path.to_owned(), rows)
    }

    /// Everything that is wrong with options, and with what they take from the environment.
    #[cfg(feature = "dynamodb")]
    pub(crate) fn settings(errors: &ConfigErrors) -> Self {
        let one = |error: &autoscale_core::words::ConfigError| {
            let reason = format!("{}: expected {}", error.value, error.expected);
            Self::whole(Path::new(&error.field), reason)
        };
        Self::Several(errors.iter().map(one).collect())
    }

    /// Everything that is wrong with any of these; what is in them where nothing is.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn all<T>(read: impl IntoIterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for one in read {
            match one {
                Ok(one) => good.push(one),
                Err(error) => bad.push(error),
            }
        }
        if bad.is_empty() { Ok(good) } else { Err(Self::Several(bad)) }
    }
}

/// The errors in the order of the file.
pub(crate) fn in_order(errors: &PolicyErrors) -> Vec<&PolicyError> {
    let mut all: Vec<_> = errors.iter().collect();
    all.sort_by_key(|error| error.place);
    all
}

/// One line for each, as compilers print them: `FILE:LINE: reason` or `FILE:LINE:COLUMN: reason`.
impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, more) = match self {
            Self::Rows(path, rows) => {
                let file = path.display();
                let line = |(line, reason): &(Option<usize>, String)| match line {
                    Some(line) => format!("{file}:{line}: {reason}"),
                    None => format!("{file}: {reason}"),
                };
                (rows.iter().take(SHOWN).map(line).collect(), rows.len().saturating_sub(SHOWN))
            }
            Self::Policy(path, errors) => {
                let file = path.display();
                let lines: Vec<_> = in_order(errors)
                    .into_iter()
                    .map(|error| {
                        let place = error.place.map(|(line, column)| format!("{line}:{column}:"));
                        let place = place.unwrap_or_default();
                        format!("{file}:{place} {}: {}: expected {}", error.path, error.value, error.expected)
                    })
                    .collect();
                let more = errors.count().saturating_sub(lines.len());
                (lines, more)
            }
            Self::Several(several) => (several.iter().map(ToString::to_string).collect(), 0),
        };
        f.write_str(&lines.join("\n"))?;
        if more > 0 { write!(f, "\nand {more} more") } else { Ok(()) }
    }
}
