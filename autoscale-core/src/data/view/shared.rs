//! Names that thousands of rows have in common are kept once: a decision reads them all, and they stay at hand.

use std::collections::BTreeSet;

/// Copies of the same name, of which only the first is kept.
#[derive(Debug)]
pub(super) struct Shared<T>(BTreeSet<T>);

impl<T: Ord + Clone> Shared<T> {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Puts the first copy of a name in its place.
    pub(super) fn share(&mut self, name: &mut T) {
        match self.0.get(name) {
            Some(first) => name.clone_from(first),
            None => {
                self.0.insert(name.clone());
            }
        }
    }

    /// The same, if there is a name.
    pub(super) fn share_any(&mut self, name: &mut Option<T>) {
        name.iter_mut().for_each(|name| self.share(name));
    }
}
