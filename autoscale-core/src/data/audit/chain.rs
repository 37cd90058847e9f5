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

impl Chain {
    pub(super) fn add(&mut self, head: &Head) -> Result<(), Broken> {
        let Head { writer, n, prev, sum, .. } = head;
        let broken = |why: String| Err(Broken::Chain { why });
        if self.sums.is_empty() {
            self.whole = prev.is_none() && *n == 1;
        }
        match self.writers.get(writer) {
            Some((last, _)) if n <= last => {
                return broken(format!("entry {n} of writer {writer} after its entry {last}"));
            }
            Some((last, _)) if last.checked_add(1) != Some(*n) => {
                return broken(format!("between entries {last} and {n} of writer {writer} some are missing"));
            }
            Some((last, before)) if *prev != Some(*before) => {
                return broken(format!(
                    "entry {n} of writer {writer} does not name its entry {last} as the one before"
                ));
            }
            Some(_) => {}
            None if *n == 0 || (*n > 1 && (self.whole || prev.is_none())) => {
                return broken(format!("the first entry of writer {writer} here is its entry {n}"));
            }
            None => self.wanted.extend(prev.filter(|prev| !self.sums.contains(prev))),
        }
        if !self.sums.insert(*sum) {
            return broken(format!("entry {n} of writer {writer} stands there twice"));
        }
        self.wanted.remove(sum);
        self.writers.insert(writer.clone(), (*n, *sum));
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
