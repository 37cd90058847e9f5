//! Whether lines follow each other as they were written.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Broken;
use super::{Head, Sum};
use crate::words::HolderId;

/// What is known of the lines so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    sums: BTreeSet<Sum>,
    /// The last line of each writer.
    writers: BTreeMap<HolderId, (u64, Sum)>,
    /// Lines that writers have found before their first, and which have not been seen so far.
    wanted: BTreeSet<Sum>,
    /// Whether the very first line of the log is here, so that nothing can have been rotated away.
    whole: bool,
}

/// What a line names as the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prev {
    Named(Option<Sum>),
    /// The line is not here.
    Unknown,
}

impl Chain {
    /// A line.
    pub(super) fn add(&mut self, head: &Head) -> Result<(), Broken> {
        let Head { writer, n, prev, sum, .. } = head;
        self.link(writer, *n, Prev::Named(*prev), *sum)
    }

    /// A line that is not here, and of which no more is known.
    pub(super) fn absent(&mut self, writer: &HolderId, n: u64, sum: Sum) -> Result<(), Broken> {
        self.link(writer, n, Prev::Unknown, sum)
    }

    fn link(&mut self, writer: &HolderId, n: u64, prev: Prev, sum: Sum) -> Result<(), Broken> {
        let broken = |why: String| Err(Broken::Chain { why });
        if self.sums.is_empty() {
            self.whole = prev == Prev::Named(None) && n == 1;
        }
        match (self.writers.get(writer), prev) {
            (Some((last, _)), _) if n <= *last => {
                return broken(format!("entry {n} of writer {writer} after its entry {last}"));
            }
            (Some((last, _)), _) if last.checked_add(1) != Some(n) => {
                return broken(format!("between entries {last} and {n} of writer {writer} some are missing"));
            }
            (Some((last, before)), Prev::Named(prev)) if prev != Some(*before) => {
                return broken(format!(
                    "entry {n} of writer {writer} does not name its entry {last} as the one before"
                ));
            }
            (None, prev) if n == 0 || (n > 1 && (self.whole || prev == Prev::Named(None))) => {
                return broken(format!("the first entry of writer {writer} here is its entry {n}"));
            }
            (None, Prev::Named(Some(prev))) if !self.sums.contains(&prev) => {
                self.wanted.insert(prev);
            }
            _ => {}
        }
        if !self.sums.insert(sum) {
            return broken(format!("entry {n} of writer {writer} stands there twice"));
        }
        self.wanted.remove(&sum);
        self.writers.insert(writer.clone(), (n, sum));
        Ok(())
    }

    /// At the end of a log whose beginning is there, every line that was found must be there.
    pub(super) fn finish(&self) -> Result<(), Broken> {
        match self.wanted.first() {
            Some(sum) if self.whole => Err(Broken::Chain {
                why: format!("a writer began after a line that is not here, of sum {sum}"),
            }),
            _ => Ok(()),
        }
    }
}
