//! Watches.

use std::collections::VecDeque;

use autoscale_core::words::{Span, Timestamp};
use serde_json::{Value, json};

use super::json::put;
use super::kinds::K;
use super::list::Selection;
use super::refusal::{Refusal, Result};
use super::route::Query;
use super::world::World;

/// How often a watch that asks for it is told how far it has come.
const BOOKMARK: Span = Span::from_mins(1);

/// A watch, and how far it has come.
#[derive(Debug)]
pub(super) struct Watch {
    kind: K,
    selection: Selection,
    version: u64,
    /// Lines to send that are made already.
    ready: VecDeque<Vec<u8>>,
    bookmarks: bool,
    next_bookmark: Timestamp,
    pub(super) end: Timestamp,
    over: bool,
}

fn line(kind: &str, object: &Value) -> Vec<u8> {
    let mut line = json!({"type": kind, "object": object}).to_string().into_bytes();
    line.push(b'\n');
    line
}

impl Watch {
    pub(super) fn new(world: &mut World, kind: K, selection: Selection, query: &Query) -> Result<Self> {
        let asked = query.number("resourceVersion")?;
        let seconds = query.number("timeoutSeconds")?.unwrap_or(1800);
        let mut watch = Self {
            kind,
            selection,
            version: asked.unwrap_or_default(),
            ready: VecDeque::new(),
            bookmarks: query.is("allowWatchBookmarks"),
            next_bookmark: world.now.after(BOOKMARK),
            end: world.now.after(Span::from_secs(seconds)),
            over: false,
        };
        // The clock has to stop there, so that the watch ends and is told in time.
        world.agenda.at(watch.end, super::agenda::Event::Tick);
        if query.is("sendInitialEvents") {
            if query.get("resourceVersionMatch") != Some("NotOlderThan") {
                let message = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
                               resourceVersionMatch to NotOlderThan";
                return Err(Refusal::new(422, "Invalid", message, Value::Null));
            }
            watch.send_all(world);
            let mut mark = watch.bookmark(world);
            put(&mut mark, &["metadata", "annotations", "k8s.io/initial-events-end"], "true");
            watch.ready.push_back(line("BOOKMARK", &mark));
        } else if watch.version == 0 {
            watch.send_all(world);
        }
        Ok(watch)
    }

    fn send_all(&mut self, world: &World) {
        let all = world.select(self.kind, &self.selection, None);
        self.ready.extend(all.iter().map(|object| line("ADDED", object)));
        self.version = world.store.version();
    }

    fn bookmark(&self, world: &World) -> Value {
        let info = world.kinds.get(self.kind);
        let (kind, version) = info.map(|info| (info.kind.clone(), info.api_version())).unwrap_or_default();
        json!({"kind": kind, "apiVersion": version, "metadata": {
            "resourceVersion": self.version.to_string(), "creationTimestamp": null}})
    }

    /// What to send next; empty: nothing for now. `None`: it is over.
    pub(super) fn next(&mut self, world: &World) -> Option<Vec<u8>> {
        if !self.over {
            self.read(world);
        }
        let mut out = Vec::new();
        for line in self.ready.drain(..) {
            out.extend(line);
        }
        if out.is_empty() && self.over { None } else { Some(out) }
    }

    fn read(&mut self, world: &World) {
        match world.store.since(self.kind, self.version) {
            Some(changes) => {
                for change in changes {
                    self.version = change.version;
                    let was = change.old.as_ref().is_some_and(|old| self.selection.picks(old));
                    let is = !change.gone && self.selection.picks(&change.new);
                    let kind = match (was, is) {
                        (false, true) => "ADDED",
                        (true, true) => "MODIFIED",
                        (true, false) => "DELETED",
                        (false, false) => continue,
                    };
                    self.ready.push_back(line(kind, &change.new));
                }
                self.version = self.version.max(world.store.version());
            }
            None => {
                let message =
                    format!("too old resource version: {} ({})", self.version, world.store.version());
                self.ready.push_back(line("ERROR", &Refusal::expired(message).body));
                self.over = true;
            }
        }
        if self.bookmarks && world.now >= self.next_bookmark {
            self.next_bookmark = world.now.after(BOOKMARK);
            let mark = self.bookmark(world);
            self.ready.push_back(line("BOOKMARK", &mark));
        }
        if world.now >= self.end {
            self.over = true;
        }
    }
}
