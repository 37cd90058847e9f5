//! Reading entries of an audit log.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::AuditObjects;
use super::list::Found;
use super::names;
use crate::data::audit::{Broken, Line, MAX_LINE};
use crate::ports::{AuditPage, AuditRange, Error, ErrorKind, Result};
use crate::words::truncated;

/// So many objects are read together.
const TOGETHER: usize = 8;

/// A page is no larger, in bytes, unless its first line is.
const MOST: u64 = MAX_LINE as u64;

impl AuditObjects {
    pub(super) async fn page(&self, range: &AuditRange) -> Result<AuditPage> {
        let behind = range.after.as_deref().map(|after| {
            names::behind(after).ok_or_else(|| {
                let attempted =
                    format!("read the audit log behind {}, which it has not named", truncated(after, 40));
                Error::new(ErrorKind::Invalid, attempted)
            })
        });
        let behind = behind.transpose()?;
        let (chosen, more) = cut(self.choose(range, behind).await?, range.most.max(1));
        let next = chosen.last().filter(|_| more).map(|last| names::cursor(&last.name));
        let lines = stream::iter(chosen.into_iter().map(|found| self.line(found))).buffered(TOGETHER);
        let lines: Vec<Option<Vec<u8>>> = lines.try_collect().await?;
        Ok(AuditPage { lines: lines.into_iter().flatten().collect(), next })
    }

    /// What belongs on a page, and one more if there is more.
    async fn choose(&self, range: &AuditRange, behind: Option<&str>) -> Result<Vec<Found>> {
        let most = range.most.max(1).saturating_add(1);
        let units = self.folder().units().await.map_err(|error| self.looking(error))?;
        // No entry stands on a day before that of its tick.
        let first_day = range.from.map(names::day);
        let mut chosen = Vec::new();
        for unit in units {
            let unit_behind = behind.filter(|behind| behind.split('/').next() == Some(&*unit.name));
            let done = behind.is_some_and(|behind| unit.name.as_str() <= behind) && unit_behind.is_none();
            if !unit.is_day {
                if !done && unit_behind.is_none() {
                    chosen.push(Found { name: unit.name, size: 0, place: None });
                }
            } else if !done && first_day.as_ref().is_none_or(|first| unit.name >= *first) {
                let wanted =
                    |found: &Found| found.place.is_none_or(|place| place.is_in(range.from, range.until));
                let room = most.saturating_sub(chosen.len());
                let found = self.folder().first(&unit.name, unit_behind, room, wanted).await;
                chosen.extend(found.map_err(|error| self.looking(error))?);
            }
            if chosen.len() >= most {
                break;
            }
        }
        Ok(chosen)
    }

    /// The line of an object, or what is to be told of it; `None` if it is gone.
    async fn line(&self, found: Found) -> Result<Option<Vec<u8>>> {
        let told = |why: &str| {
            let path = self.folder().path(&found.name);
            Some(Line::missing(&format_args!("the object {path}: {why}")))
        };
        if found.place.is_none() {
            return Ok(told("it is none of an audit log"));
        }
        if is_too_large(&found) {
            return Ok(told(&format!("{} bytes, and no entry is larger than {MOST}", found.size)));
        }
        let Some(text) = self.text(&found.name).await? else { return Ok(None) };
        Ok(match Line::read(&text) {
            Err(Broken::NotALine { why }) => told(&why),
            Err(broken) if text.contains(&b'\n') => told(&broken.to_string()),
            _ => Some(text),
        })
    }
}

/// Whether it is larger than an entry with its line break.
const fn is_too_large(found: &Found) -> bool {
    found.size > MOST.saturating_add(1)
}

/// As many as a page may have, and whether there are more.
fn cut(mut chosen: Vec<Found>, most: usize) -> (Vec<Found>, bool) {
    let mut bytes = 0_u64;
    let fits = chosen.iter().take(most).take_while(|found| {
        let first = bytes == 0;
        // What is too large is told, not read.
        let read = if is_too_large(found) { 1 } else { found.size.max(1) };
        bytes = bytes.saturating_add(read);
        first || bytes <= MOST
    });
    let fits = fits.count();
    let more = chosen.len() > fits;
    chosen.truncate(fits);
    (chosen, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_an_end_in_lines_and_in_bytes() {
        let found = |size: u64| Found { name: format!("of {size}"), size, place: None };
        let sizes = |sizes: &[u64], most: usize| {
            let (kept, more) = cut(sizes.iter().map(|size| found(*size)).collect(), most);
            (kept.len(), more)
        };
        assert_eq!(sizes(&[], 1), (0, false));
        assert_eq!(sizes(&[1, 2, 3], 3), (3, false));
        assert_eq!(sizes(&[1, 2, 3], 2), (2, true));
        assert_eq!(sizes(&[MOST, 1], 5), (1, true));
        assert_eq!(sizes(&[1, MOST], 5), (1, true));
        assert_eq!(sizes(&[MOST / 2, MOST / 2, 1], 5), (2, true));
        assert_eq!(sizes(&[u64::MAX, u64::MAX, 5], 5), (3, false));
    }
}
