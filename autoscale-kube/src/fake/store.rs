//! Objects by kind and name, their versions, and what changed lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::json::put;
use super::kinds::K;

/// How many changes of a kind a watch can go back.
const HISTORY: usize = 20_000;

/// Namespace, empty for a kind without, and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Of a kind without namespaces.
    pub(super) fn global(name: impl Into<String>) -> Self {
        Self::new("", name)
    }
}

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    /// As it is now; as it was last, with the version of its deletion, if it is gone.
    pub(super) new: Arc<Value>,
    pub(super) gone: bool,
    pub(super) old: Option<Arc<Value>>,
}

#[derive(Debug, Default)]
struct Table {
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Change>,
    /// Changes up to this one are forgotten.
    compacted: u64,
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Store {
    version: u64,
    tables: Vec<Table>,
}

impl Store {
    /// The version of the last change.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    fn table(&mut self, kind: K) -> Option<&mut Table> {
        if self.tables.len() <= kind.0 {
            self.tables.resize_with(kind.0 + 1, Table::default);
        }
        self.tables.get_mut(kind.0)
    }

    pub(super) fn get(&self, kind: K, key: &Key) -> Option<&Arc<Value>> {
        self.tables.get(kind.0)?.objects.get(key)
    }

    /// The objects of a kind in the order of their names, from `start` on if that is given, that itself left out.
    pub(super) fn range<'s>(
        &'s self,
        kind: K,
        namespace: Option<&'s str>,
        start: Option<Key>,
    ) -> impl Iterator<Item = (&'s Key, &'s Arc<Value>)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let low = match (start, namespace) {
            (Some(key), _) => Excluded(key),
            (None, Some(namespace)) => Included(Key::new(namespace, "")),
            (None, None) => Unbounded,
        };
        let objects = self.tables.get(kind.0).map(|table| table.objects.range((low, Unbounded)));
        let here = move |key: &Key| namespace.is_none_or(|namespace| key.namespace == namespace);
        objects.into_iter().flatten().take_while(move |(key, _)| here(key))
    }

    fn next(&mut self, object: &mut Value) -> u64 {
        self.version += 1;
        put(object, &["metadata", "resourceVersion"], self.version.to_string());
        self.version
    }

    /// Stores an object under the next version; gives it and what stood there.
    pub(super) fn write(
        &mut self,
        kind: K,
        key: &Key,
        mut object: Value,
    ) -> (Arc<Value>, Option<Arc<Value>>) {
        let version = self.next(&mut object);
        let new = Arc::new(object);
        let Some(table) = self.table(kind) else { return (new, None) };
        let old = table.objects.insert(key.clone(), Arc::clone(&new));
        table.remember(Change { version, new: Arc::clone(&new), gone: false, old: old.clone() });
        (new, old)
    }

    /// Removes an object; gives it with the version of its deletion.
    pub(super) fn remove(&mut self, kind: K, key: &Key) -> Option<Arc<Value>> {
        let old = self.table(kind)?.objects.remove(key)?;
        let mut last = Value::clone(&old);
        let version = self.next(&mut last);
        let new = Arc::new(last);
        self.table(kind)?.remember(Change { version, new: Arc::clone(&new), gone: true, old: Some(old) });
        Some(new)
    }

    /// The changes of a kind after a version; `None` if some of them are forgotten.
    pub(super) fn since(&self, kind: K, version: u64) -> Option<impl Iterator<Item = &Change>> {
        let table = self.tables.get(kind.0);
        if table.is_some_and(|table| version < table.compacted) {
            return None;
        }
        let start =
            table.map_or(0, |table| table.history.partition_point(|change| change.version <= version));
        Some(table.into_iter().flat_map(move |table| table.history.range(start..)))
    }

    /// Forgets what changed until now.
    pub(super) fn compact(&mut self) {
        for table in &mut self.tables {
            table.history.clear();
            table.compacted = self.version;
        }
    }
}

impl Table {
    fn remember(&mut self, change: Change) {
        self.history.push_back(change);
        let forgotten = if self.history.len() > HISTORY { self.history.pop_front() } else { None };
        if let Some(forgotten) = forgotten {
            self.compacted = forgotten.version;
        }
    }
}
