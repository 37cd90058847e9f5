//! The page for a browser: one file that needs nothing else.

mod page;
mod told;
mod watch;

use std::fs;
use std::path::Path;

use crate::bad::Bad;

pub(crate) use page::{Section, render};
pub(crate) use watch::{Both, Watch};

/// Writes the page.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, sections: &[Section]) -> Result<(), Bad> {
    let page = render(sections).map_err(|error| Bad::whole(path, format!("cannot draw: {error}")))?;
    fs::write(path, page).map_err(|error| Bad::whole(path, format!("cannot write: {error}")))
}

/// Whether the page can be written, before anything runs for it.
///
/// # Errors
/// It cannot.
pub(crate) fn touch(path: &Path) -> Result<(), Bad> {
    let opened = fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| Bad::whole(path, format!("cannot write: {error}")))
}
