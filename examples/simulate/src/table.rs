//! Files of comma-separated values, read strictly: a header, then rows, without quotes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use autoscale_core::words::truncated;

/// A larger file is a slip of the hand.
const LARGEST: u64 = 256 << 20;

/// Bad rows that are shown; the rest are counted.
const SHOWN: usize = 20;

/// Line and reason; no line where the file as a whole is meant.
pub(crate) type Reasons = Vec<(Option<usize>, String)>;

/// A file that cannot be used, and everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct Bad {
    path: PathBuf,
    rows: Reasons,
}

impl Bad {
    /// Something wrong with the file as a whole.
    pub(crate) fn whole(path: &Path, reason: String) -> Self {
        Self::of(path, vec![(None, reason)])
    }

    /// Everything that is wrong.
    pub(crate) fn of(path: &Path, rows: Reasons) -> Self {
        Self { path: path.to_owned(), rows }
    }
}

/// One line for each bad row, as compilers print them: `FILE:LINE: reason`.
impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.path.display();
        for (index, (line, reason)) in self.rows.iter().take(SHOWN).enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            match line {
                Some(line) => write!(f, "{end}{file}:{line}: {reason}")?,
                None => write!(f, "{end}{file}: {reason}")?,
            }
        }
        match self.rows.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Reads a file and what is in it.
///
/// # Errors
/// What `parse` finds wrong, and a file that cannot be read.
pub(crate) fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, Reasons>) -> Result<T, Bad> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(Bad::whole(path, format!("cannot read: {error}")));
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Bad::whole(path, format!("larger than {} MiB", LARGEST >> 20)));
    }
    parse(&bytes).map_err(|rows| Bad::of(path, rows))
}

/// Which of the headers the first line is, and the other lines with their numbers.
///
/// # Errors
/// Anything but UTF-8 text that begins with one of the headers.
pub(crate) fn lines<'t>(
    bytes: &'t [u8],
    headers: &[&str],
) -> Result<(usize, impl Iterator<Item = (usize, &'t str)>), Reasons> {
    let text = text_of(bytes).map_err(|(line, reason)| vec![(Some(line), reason)])?;
    let mut lines = (1..).zip(text.lines());
    let Some((_, first)) = lines.next() else { return Err(vec![(Some(1), "empty file".to_owned())]) };
    match headers.iter().position(|header| *header == first.trim_end()) {
        Some(which) => Ok((which, lines)),
        None => {
            let (wanted, found) = (headers.join(" or "), truncated(first, 40));
            Err(vec![(Some(1), format!("expected the header {wanted}, found \"{found}\""))])
        }
    }
}

/// The values of a row, as many as the header names.
///
/// # Errors
/// Other rows, in words.
pub(crate) fn values<const N: usize>(line: &str) -> Result<[&str; N], String> {
    if line.trim().is_empty() {
        return Err("empty row".to_owned());
    }
    if line.contains('"') {
        return Err("a quotation mark: values are not quoted".to_owned());
    }
    let values: Vec<&str> = line.split(',').map(str::trim).collect();
    let found = values.len();
    values.try_into().map_err(|_| format!("{found} columns: expected {N}"))
}

/// A whole number that is called so.
///
/// # Errors
/// Anything else, in words.
pub(crate) fn whole(name: &str, text: &str) -> Result<u64, String> {
    match text.parse() {
        _ if text.is_empty() => Err(format!("{name} missing")),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("{name} \"{}\" is not a whole number", truncated(text, 40))),
    }
}

/// The text of a file, without a byte-order mark.
fn text_of(bytes: &[u8]) -> Result<&str, (usize, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_of = |at: usize| 1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes)
        .map_err(|error| (line_of(error.valid_up_to()), "not UTF-8 text".to_owned()))?;
    match text.find('\0') {
        Some(at) => Err((line_of(at), "a zero byte: not a text file".to_owned())),
        None => Ok(text),
    }
}
