//! Files of comma-separated values, read strictly: a header, then rows, without quotes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use autoscale_core::words::truncated;

use crate::bad::Bad;

/// A larger file is a slip of the hand.
const LARGEST: u64 = 256 << 20;

/// Line and reason; no line where the file as a whole is meant.
pub(crate) type Reasons = Vec<(Option<usize>, String)>;

/// Reads a file and what is in it.
///
/// # Errors
/// What `parse` finds wrong, and a file that cannot be read.
pub(crate) fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, Reasons>) -> Result<T, Bad> {
    parse(&bytes(path, LARGEST)?).map_err(|rows| Bad::of(path, rows))
}

/// What is in a file of at most so many bytes.
///
/// # Errors
/// A file that cannot be read, or is larger.
pub(crate) fn bytes(path: &Path, largest: u64) -> Result<Vec<u8>, Bad> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(largest + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(Bad::whole(path, format!("cannot read: {error}")));
    }
    if bytes.len() as u64 > largest {
        return Err(Bad::whole(path, format!("larger than {} MiB", largest >> 20)));
    }
    Ok(bytes)
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
///
/// # Errors
/// Line and reason where it is no text.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, (usize, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_of = |at: usize| 1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes)
        .map_err(|error| (line_of(error.valid_up_to()), "not UTF-8 text".to_owned()))?;
    match text.find('\0') {
        Some(at) => Err((line_of(at), "a zero byte: not a text file".to_owned())),
        None => Ok(text),
    }
}
