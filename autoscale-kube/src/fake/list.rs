//! Lists: by selector, page by page, each page of the same moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use autoscale_core::words::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::json::words;
use super::kinds::{K, KindInfo};
use super::refusal::{Refusal, Result};
use super::route::Query;
use super::select::{Fields, Labels};
use super::store::Key;
use super::world::World;

/// How many lists can be continued at a time.
const KEPT: usize = 64;

/// Lists that were given in part.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    next: u64,
    kept: BTreeMap<u64, Snapshot>,
}

#[derive(Debug)]
struct Snapshot {
    made: Timestamp,
    version: u64,
    kind: K,
    items: Arc<Vec<Arc<Value>>>,
}

impl Snapshots {
    /// Forgets all of them, so that none can be continued.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }
}

/// What a list is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub(super) namespace: Option<String>,
    pub(super) labels: Labels,
    pub(super) fields: Fields,
}

impl Selection {
    pub(super) fn of(namespace: Option<&str>, query: &Query) -> Result<Self> {
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            labels: Labels::parse(query.get("labelSelector").unwrap_or_default())?,
            fields: Fields::parse(query.get("fieldSelector").unwrap_or_default())?,
        })
    }

    pub(super) fn picks(&self, object: &Value) -> bool {
        let namespace = |wanted: &String| words(object, "/metadata/namespace") == wanted;
        self.namespace.as_ref().is_none_or(namespace)
            && self.labels.picks_object(object)
            && self.fields.picks_object(object)
    }

    const fn is_all(&self) -> bool {
        self.labels.0.is_empty() && self.fields.0.is_empty()
    }
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    info: Arc<KindInfo>,
    items: Vec<Arc<Value>>,
    version: u64,
    token: Option<String>,
    remaining: Option<usize>,
}

impl World {
    /// All that a selection picks.
    pub(super) fn select(&self, kind: K, selection: &Selection, after: Option<Key>) -> Vec<Arc<Value>> {
        let namespace = selection.namespace.as_deref();
        let node = selection.fields.only("/spec/nodeName").filter(|_| kind == K::PODS);
        let name = selection.fields.only("/metadata/name");
        let picked = |object: &&Arc<Value>| selection.picks(object);
        if let Some(node) = node {
            let keys = self.pods.on(node).filter(|key| after.as_ref().is_none_or(|after| *key > after));
            return keys.filter_map(|key| self.store.get(kind, key)).filter(picked).cloned().collect();
        }
        if let (Some(name), Some(namespace), None) = (name, namespace, &after) {
            let found = self.store.get(kind, &Key::new(namespace, name));
            return found.into_iter().filter(picked).cloned().collect();
        }
        let range = self.store.range(kind, namespace, after);
        range.map(|(_, object)| object).filter(picked).cloned().collect()
    }

    /// A list, or a page of one.
    pub(super) fn list(&mut self, kind: K, namespace: Option<&str>, query: &Query) -> Result<Page> {
        let info = self.info(kind)?;
        let limit = query.number("limit")?.filter(|limit| *limit > 0).map(|limit| limit as usize);
        let selection = Selection::of(namespace, query)?;
        let (snapshot, start, version, items) = match query.get("continue") {
            Some(token) => self.resume(kind, token, &selection)?,
            None => {
                self.not_ahead(query)?;
                (None, 0, self.store.version(), Arc::new(self.select(kind, &selection, None)))
            }
        };
        let end = limit.map_or(items.len(), |limit| items.len().min(start + limit));
        let page = items.get(start..end).unwrap_or_default().to_vec();
        let rest = items.len() - end.min(items.len());
        let token = (rest > 0).then(|| {
            let id = snapshot.unwrap_or_else(|| self.keep(kind, version, items));
            let last =
                page.last().map(|last| (words(last, "/metadata/namespace"), words(last, "/metadata/name")));
            let (namespace, name) = last.unwrap_or_default();
            format!("{id}.{end}.{namespace}/{name}")
        });
        let remaining = (rest > 0 && selection.is_all()).then_some(rest);
        Ok(Page { info, items: page, version, token, remaining })
    }

    fn keep(&mut self, kind: K, version: u64, items: Arc<Vec<Arc<Value>>>) -> u64 {
        self.snapshots.next += 1;
        let id = self.snapshots.next;
        self.snapshots.kept.insert(id, Snapshot { made: self.now, version, kind, items });
        if self.snapshots.kept.len() > KEPT {
            self.snapshots.kept.pop_first();
        }
        id
    }

    #[expect(clippy::type_complexity, reason = "taken apart at once by the only caller")]
    fn resume(
        &mut self,
        kind: K,
        token: &str,
        selection: &Selection,
    ) -> Result<(Option<u64>, usize, u64, Arc<Vec<Arc<Value>>>)> {
        let bad = || Refusal::bad_request("continue key is not valid: encoded continue token is malformed");
        let mut parts = token.splitn(3, '.');
        let id: u64 = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let start: usize = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let (namespace, name) = parts.next().and_then(|part| part.split_once('/')).ok_or_else(bad)?;
        if id == 0 {
            let rest = self.select(kind, selection, Some(Key::new(namespace, name)));
            return Ok((None, 0, self.store.version(), Arc::new(rest)));
        }
        let (now, keep) = (self.now, self.settings.continue_for);
        self.snapshots.kept.retain(|_, snapshot| now.since(snapshot.made) <= keep);
        match self.snapshots.kept.get(&id).filter(|snapshot| snapshot.kind == kind) {
            Some(snapshot) => Ok((Some(id), start, snapshot.version, Arc::clone(&snapshot.items))),
            None => Err(expired_token(&format!("0.0.{namespace}/{name}"))),
        }
    }

    /// Refuses a list that has to be newer than everything.
    fn not_ahead(&self, query: &Query) -> Result<()> {
        let asked = query.number("resourceVersion")?.unwrap_or_default();
        if asked <= self.store.version() {
            return Ok(());
        }
        let message = format!("Too large resource version: {asked}, current: {}", self.store.version());
        let details = serde_json::json!({"retryAfterSeconds": 1, "causes": [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]});
        let mut refusal = Refusal::new(504, "Timeout", message, details);
        refusal.retry_after = Some(1);
        Err(refusal)
    }
}

/// A list cannot be continued as it was; with a token for the rest as it is now.
pub(super) fn expired_token(inconsistent: &str) -> Box<Refusal> {
    let mut refusal = Refusal::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    super::json::put(&mut refusal.body, &["metadata", "continue"], inconsistent);
    refusal
}

/// An object of a list: without the names of its kind, unless that is defined by a CustomResourceDefinition.
struct Item<'i>(&'i Value, bool);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (Value::Object(map), false) => {
                let named = |key: &str| key == "kind" || key == "apiVersion";
                serializer.collect_map(map.iter().filter(|(key, _)| !named(key)))
            }
            (value, _) => value.serialize(serializer),
        }
    }
}

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let custom = self.info.custom.is_some();
        let mut metadata = serde_json::json!({"resourceVersion": self.version.to_string()});
        match &self.token {
            Some(token) => super::json::put(&mut metadata, &["continue"], token.clone()),
            None if custom => super::json::put(&mut metadata, &["continue"], ""),
            None => {}
        }
        if let Some(remaining) = self.remaining {
            super::json::put(&mut metadata, &["remainingItemCount"], remaining);
        }
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &format!("{}List", self.info.kind))?;
        map.serialize_entry("apiVersion", &self.info.api_version())?;
        map.serialize_entry("metadata", &metadata)?;
        let items: Vec<Item<'_>> = self.items.iter().map(|item| Item(item, custom)).collect();
        map.serialize_entry("items", &items)?;
        map.end()
    }
}
