//! What is kept of one kind, and how new that provably is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use autoscale_core::words::Timestamp;
use tokio::sync::watch;

use super::config::CacheState;
use super::kinds::Kind;

/// Moments that are waited for: more than a survey in a row can ask for.
const MAX_PROOFS: usize = 64;

/// The namespace, and the name.
pub(super) type Key = (Box<str>, Box<str>);

/// All objects of one kind, each reduced to what is looked at.
///
/// How new they are is never judged by a clock of this machine. A survey asks the API server for its version and time; as soon
/// as the watch has come to that version, what is kept is at least as new as that time.
#[derive(Debug)]
pub(super) struct Mirror<K: Kind> {
    pub(super) kind: K,
    store: Mutex<Store<K::Kept>>,
    /// Goes up with the version, and when somebody begins to need this kind.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Store<T> {
    objects: BTreeMap<Key, Entry<T>>,
    /// Up to where the watch has come. `None`: there is no whole list.
    version: Option<u64>,
    /// The list that is being read, or was read last.
    generation: u32,
    /// Versions that the server had, with its time then, which the watch has not come to yet.
    proofs: VecDeque<(u64, Timestamp)>,
    at: Option<Timestamp>,
    wanted: bool,
    /// There has been a whole list.
    listed: bool,
    trouble: Option<String>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    kept: T,
}

impl<K: Kind> Mirror<K> {
    pub(super) fn new(kind: K) -> Self {
        let store = Store {
            objects: BTreeMap::new(),
            version: None,
            generation: 0,
            proofs: VecDeque::new(),
            at: None,
            wanted: false,
            listed: false,
            trouble: None,
        };
        Self { kind, store: Mutex::new(store), changes: watch::Sender::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Store<K::Kept>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_replace(());
    }

    /// From now on this kind is followed.
    pub(super) fn want(&self) {
        if !std::mem::replace(&mut self.lock().wanted, true) {
            self.changed();
        }
    }

    /// Waits until something holds; for good, if it never does.
    async fn until(&self, holds: impl Fn(&Store<K::Kept>) -> bool) {
        let mut changes = self.changes.subscribe();
        while !holds(&self.lock()) {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) async fn wanted(&self) {
        self.until(|store| store.wanted).await;
    }

    /// Waits for the first whole list, whatever has become of it since.
    pub(super) async fn listed(&self) {
        self.until(|store| store.listed).await;
    }

    /// Waits until the watch has come to a version.
    pub(super) async fn reached(&self, version: u64) {
        self.until(|store| store.version.is_some_and(|now| now >= version)).await;
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.lock().version
    }

    pub(super) fn at(&self) -> Option<Timestamp> {
        self.lock().at
    }

    pub(super) fn len(&self) -> usize {
        self.lock().objects.len()
    }

    /// The server had this version at that time.
    pub(super) fn prove(&self, version: u64, at: Timestamp) {
        let mut store = self.lock();
        if store.proofs.len() >= MAX_PROOFS {
            store.proofs.pop_front();
        }
        store.proofs.push_back((version, at));
        store.settle();
    }

    /// A list is begun; what is kept is no longer whole until it is over.
    pub(super) fn begin(&self) -> u32 {
        let mut store = self.lock();
        store.lose();
        store.generation = store.generation.wrapping_add(1);
        store.generation
    }

    /// One object is there, or is there no more: `None`.
    pub(super) fn put(&self, key: Key, kept: Option<K::Kept>) {
        let mut store = self.lock();
        let generation = store.generation;
        match kept {
            Some(kept) => drop(store.objects.insert(key, Entry { generation, kept })),
            None => drop(store.objects.remove(&key)),
        }
    }

    /// A list is over: what it did not have is gone.
    pub(super) fn finish(&self, version: u64, at: Timestamp) {
        let mut store = self.lock();
        let generation = store.generation;
        store.objects.retain(|_, entry| entry.generation == generation);
        store.version = Some(version);
        store.listed = true;
        store.at = Some(at);
        store.settle();
        drop(store);
        self.changed();
    }

    /// The watch has come so far.
    pub(super) fn advance(&self, version: u64) {
        let mut store = self.lock();
        store.version = store.version.map(|now| now.max(version));
        store.settle();
        drop(store);
        self.changed();
    }

    /// What is kept can no longer be followed from where it is.
    pub(super) fn lose(&self) {
        self.lock().lose();
        self.changed();
    }

    /// Waits until what is kept can no longer be followed.
    pub(super) async fn lost(&self) {
        self.until(|store| store.version.is_none()).await;
    }

    /// What goes wrong; `None`: it is followed again.
    pub(super) fn trouble(&self, why: Option<String>) {
        self.lock().trouble = why;
    }

    /// What is kept, if it is whole.
    pub(super) fn read<R>(
        &self,
        read: impl FnOnce(&mut dyn Iterator<Item = (&Key, &K::Kept)>) -> R,
    ) -> Option<R> {
        let store = self.lock();
        store.version?;
        Some(read(&mut store.objects.iter().map(|(key, entry)| (key, &entry.kept))))
    }

    /// Some of what is kept, if it is whole.
    pub(super) fn find<'k, R>(
        &self,
        keys: impl Iterator<Item = &'k Key>,
        found: impl Fn(&Key, &K::Kept) -> R,
    ) -> Option<Vec<R>> {
        let store = self.lock();
        store.version?;
        Some(keys.filter_map(|key| store.objects.get(key).map(|entry| found(key, &entry.kept))).collect())
    }

    pub(super) fn state(&self) -> CacheState {
        let store = self.lock();
        CacheState {
            resource: self.kind.resource(),
            objects: store.objects.len(),
            followed: store.wanted,
            at: store.at,
            trouble: store.trouble.clone(),
        }
    }
}

impl<T> Store<T> {
    fn lose(&mut self) {
        self.version = None;
        self.at = None;
        self.proofs.clear();
    }

    /// Takes the proofs of what the watch has come to.
    fn settle(&mut self) {
        let Some(version) = self.version else { return };
        let reached = self.proofs.iter().filter(|(proof, _)| *proof <= version).map(|(_, at)| *at).max();
        self.at = self.at.max(reached);
        self.proofs.retain(|(proof, _)| *proof > version);
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Nodes;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn key(name: &str) -> Key {
        ("".into(), name.into())
    }

    #[test]
    fn it_is_as_new_as_the_newest_moment_that_the_watch_has_come_to() {
        let mirror = Mirror::new(Nodes);
        mirror.prove(3, at(1));
        assert_eq!(mirror.at(), None, "nothing is kept yet");
        mirror.begin();
        mirror.finish(5, at(2));
        assert_eq!(mirror.at(), Some(at(2)));
        mirror.prove(9, at(10));
        mirror.prove(7, at(8));
        assert_eq!(mirror.at(), Some(at(2)), "nobody knows what it has missed");
        mirror.advance(8);
        assert_eq!(mirror.at(), Some(at(8)));
        mirror.advance(6);
        assert_eq!((mirror.version(), mirror.at()), (Some(8), Some(at(8))), "it never goes back");
        mirror.advance(9);
        assert_eq!(mirror.at(), Some(at(10)));
        mirror.lose();
        assert_eq!((mirror.version(), mirror.at()), (None, None));
        mirror.advance(20);
        assert_eq!(mirror.version(), None, "what is lost is listed anew, whatever else still comes");
    }

    #[test]
    fn a_list_takes_away_what_it_does_not_have_and_is_nothing_by_half() {
        let mirror = Mirror::new(Nodes);
        let names = |mirror: &Mirror<Nodes>| -> Option<Vec<String>> {
            mirror.read(|all| all.map(|(key, _)| key.1.to_string()).collect())
        };
        mirror.begin();
        mirror.put(key("a"), Some(None));
        mirror.put(key("b"), Some(None));
        assert_eq!(names(&mirror), None, "half a list");
        mirror.finish(1, at(1));
        mirror.begin();
        mirror.put(key("b"), Some(None));
        assert_eq!(names(&mirror), None);
        mirror.finish(2, at(2));
        assert_eq!(names(&mirror).unwrap(), ["b"]);
        mirror.put(key("b"), None);
        assert_eq!(names(&mirror).unwrap(), [""; 0]);
    }
}
