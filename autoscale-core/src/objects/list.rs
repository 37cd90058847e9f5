//! What an audit log finds in its days, a bounded number at a time.

use std::collections::BTreeMap;

use futures_util::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, Result};

use super::names::{self, Place};

/// What stands directly below the log's prefix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    /// Whether it may hold entries: it is a folder, and called as a day.
    pub(super) is_day: bool,
}

/// An object below the log's prefix, and its size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// Its name below the prefix.
    pub(super) name: String,
    pub(super) size: u64,
    /// Where the entry stands, if the name is one of ours.
    pub(super) place: Option<Place>,
}

/// Where a log is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder<'a> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) prefix: &'a Path,
}

impl Folder<'_> {
    /// The object of a name.
    pub(super) fn path(&self, name: &str) -> Path {
        let path = format!("{}/{name}", self.prefix);
        // A name that was listed is not to be encoded once more.
        Path::parse(&path).unwrap_or_else(|_| Path::from(path))
    }

    fn name(&self, path: &Path) -> Option<String> {
        let rest = path.as_ref().strip_prefix(self.prefix.as_ref())?.strip_prefix('/')?;
        (!rest.is_empty()).then(|| rest.to_owned())
    }

    /// The days, and what else there is beside them, by name.
    pub(super) async fn units(&self) -> Result<Vec<Unit>> {
        let found = self.store.list_with_delimiter(Some(self.prefix)).await?;
        let folder = |path: &Path| self.name(path).map(|name| Unit { is_day: names::is_day(&name), name });
        let object = |meta: &ObjectMeta| self.name(&meta.location).map(|name| Unit { is_day: false, name });
        let mut units: Vec<Unit> = found.common_prefixes.iter().filter_map(folder).collect();
        units.extend(found.objects.iter().filter_map(object));
        units.sort_unstable();
        Ok(units)
    }

    /// The first objects of a day behind a name, by name: at most so many, and only those that are wanted.
    pub(super) async fn first(
        &self,
        day: &str,
        behind: Option<&str>,
        most: usize,
        wanted: impl Fn(&Found) -> bool,
    ) -> Result<Vec<Found>> {
        let mut kept = BTreeMap::new();
        let listed = match behind {
            Some(behind) => self.store.list_with_offset(Some(&self.path(day)), &self.path(behind)),
            None => self.store.list(Some(&self.path(day))),
        };
        let mut listed = listed.try_filter_map(|meta| std::future::ready(Ok(self.found(&meta))));
        while let Some(found) = listed.try_next().await? {
            if behind.is_none_or(|behind| found.name.as_str() > behind) && wanted(&found) {
                kept.insert(found.name.clone(), found);
                if kept.len() > most {
                    kept.pop_last();
                }
            }
        }
        Ok(kept.into_values().collect())
    }

    /// The last objects of a day before a name, the last one first.
    pub(super) async fn last(&self, day: &str, before: Option<&str>, most: usize) -> Result<Vec<Found>> {
        let mut kept = BTreeMap::new();
        let listed = self.store.list(Some(&self.path(day)));
        let mut listed = listed.try_filter_map(|meta| std::future::ready(Ok(self.found(&meta))));
        while let Some(found) = listed.try_next().await? {
            if before.is_none_or(|before| found.name.as_str() < before) {
                kept.insert(found.name.clone(), found);
                if kept.len() > most {
                    kept.pop_first();
                }
            }
        }
        Ok(kept.into_values().rev().collect())
    }

    /// Where the newest entry of a day stands, of those behind a place of that day.
    pub(super) async fn newest(&self, day: &str, behind: Option<Place>) -> Result<Option<Place>> {
        let listed = match behind {
            Some(behind) => self.store.list_with_offset(Some(&self.path(day)), &self.path(&behind.name())),
            None => self.store.list(Some(&self.path(day))),
        };
        listed
            .try_fold(behind, |newest, meta| {
                std::future::ready(Ok(newest.max(self.found(&meta).and_then(|found| found.place))))
            })
            .await
    }

    fn found(&self, meta: &ObjectMeta) -> Option<Found> {
        let name = self.name(&meta.location)?;
        Some(Found { place: Place::parse(&name), size: meta.size, name })
    }
}
