//! Notices from the marks that agents leave on their Nodes.
//!
//! A Node has two annotations: what its agent says is announced, and what of that is in the record, which only this side writes.
//! The difference is what is to be told. So every replica may follow the marks, and none has to remember anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use autoscale_azure::events::{Due, Marks};
use autoscale_core::ports::Clock;
use autoscale_core::words::{InstanceId, Span, truncated};
use futures_util::stream::{FuturesUnordered, StreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::json;

use super::{Inbox, Pause};

/// What is announced about a node's machine. Its agent writes it.
pub const ANNOUNCED: &str = "autoscale.local/announced";
/// What of that is in the record. The controller writes it.
pub const STORED: &str = "autoscale.local/announced-stored";

/// The server ends a quiet watch after so long, in seconds: before the client takes it for broken.
const WATCH: u32 = 25;
/// A note that could not be written is tried again after this.
const AGAIN: Span = Span::from_secs(5);

/// Which instance a provider id means.
pub type InstanceOf = Arc<dyn Fn(&str) -> Option<InstanceId> + Send + Sync>;

/// Follows the marks of nodes.
#[derive(Clone)]
pub struct Follower {
    nodes: Api<Node>,
    inbox: Inbox,
    clock: Arc<dyn Clock>,
    instance_of: InstanceOf,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

/// A Node with marks.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Marked {
    uid: String,
    instance: InstanceId,
    announced: Marks,
    stored: Marks,
}

/// What the watch has shown.
#[derive(Debug, Default)]
struct Known {
    marked: BTreeMap<String, Marked>,
    /// Whose marks say nothing.
    strange: BTreeSet<String>,
    /// Those that a list which is under way has shown.
    listed: Option<BTreeSet<String>>,
}

impl Follower {
    /// Over a client that does not repeat requests by itself.
    pub fn new(client: kube::Client, inbox: Inbox, clock: Arc<dyn Clock>, instance_of: InstanceOf) -> Self {
        Self { nodes: Api::all(client), inbox, clock, instance_of }
    }

    /// Follows. It ends when it is dropped.
    pub async fn run(self) {
        let mut known = Known::default();
        let mut busy: BTreeSet<String> = BTreeSet::new();
        let mut telling = FuturesUnordered::new();
        let mut pause = Pause::default();
        let mut watching =
            std::pin::pin!(watcher(self.nodes.clone(), watcher::Config::default().timeout(WATCH)));
        loop {
            for (name, node) in &known.marked {
                let due = node.announced.due(&node.stored, &node.instance, self.clock.now());
                if let Some(due) = due.filter(|_| !busy.contains(name)) {
                    busy.insert(name.clone());
                    telling.push(self.tell(name.clone(), node.uid.clone(), due));
                }
            }
            tokio::select! {
                told = telling.next(), if !telling.is_empty() => {
                    let Some((name, uid, stored)) = told else { continue };
                    busy.remove(&name);
                    // What the watch will show, too.
                    let node = known.marked.get_mut(&name).filter(|node| node.uid == uid);
                    if let (Some(node), Some(stored)) = (node, stored) {
                        node.stored = stored;
                    }
                }
                event = watching.next() => match event {
                    Some(Ok(event)) => {
                        pause.over();
                        self.take(event, &mut known);
                    }
                    Some(Err(error)) => {
                        metrics::counter!("controller_notice_failures_total", "source" => "marks").increment(1);
                        tracing::warn!(error = error.to_string(), "cannot follow the marks of nodes");
                        self.clock.sleep(pause.next()).await;
                    }
                    // It never ends.
                    None => return,
                },
            }
        }
    }

    fn take(&self, event: Event<Node>, known: &mut Known) {
        match event {
            Event::Init => known.listed = Some(BTreeSet::new()),
            Event::InitApply(node) => {
                if let (Some(name), Some(listed)) = (&node.metadata.name, &mut known.listed) {
                    listed.insert(name.clone());
                }
                self.see(&node, known);
            }
            Event::InitDone => {
                if let Some(listed) = known.listed.take() {
                    known.marked.retain(|name, _| listed.contains(name));
                    known.strange.retain(|name| listed.contains(name));
                }
            }
            Event::Apply(node) => self.see(&node, known),
            Event::Delete(node) => {
                let name = node.metadata.name.as_deref().unwrap_or_default();
                known.marked.remove(name);
                known.strange.remove(name);
            }
        }
    }

    fn see(&self, node: &Node, known: &mut Known) {
        let Some(name) = &node.metadata.name else { return };
        match self.read(node) {
            Ok(found) => {
                known.strange.remove(name);
                match found {
                    Some(found) => drop(known.marked.insert(name.clone(), found)),
                    None => drop(known.marked.remove(name)),
                }
            }
            // Nothing follows from what cannot be read. A node is told of as often as it changes: this, once.
            Err(why) => {
                if known.strange.insert(name.clone()) {
                    tracing::warn!(node = name, why, "the marks of a node say nothing");
                }
            }
        }
    }

    /// The marks of a node, if it has any.
    fn read(&self, node: &Node) -> Result<Option<Marked>, String> {
        let annotations = node.metadata.annotations.as_ref();
        let text = |key: &str| annotations.and_then(|all| all.get(key)).map(String::as_str);
        let (announced, stored) = (text(ANNOUNCED), text(STORED));
        if announced.is_none() && stored.is_none() {
            return Ok(None);
        }
        let uid = node.metadata.uid.clone().unwrap_or_default();
        let provider_id = node.spec.as_ref().and_then(|spec| spec.provider_id.as_deref()).unwrap_or_default();
        let instance = (self.instance_of)(provider_id)
            .ok_or_else(|| format!("provider id {:?} is no machine of ours", truncated(provider_id, 200)))?;
        let announced = Marks::parse(announced.unwrap_or_default()).map_err(|error| error.to_string())?;
        // Ours, which somebody has broken: everything is told again.
        let stored = Marks::parse(stored.unwrap_or_default()).unwrap_or_default();
        Ok(Some(Marked { uid, instance, announced, stored }))
    }

    /// Tells, and notes that it is stored. Gives what was noted; nothing, if it has to be done again.
    async fn tell(&self, name: String, uid: String, due: Due) -> (String, String, Option<Marks>) {
        let Due { notices, stored, .. } = due;
        for notice in &notices {
            let (kind, instance) = (format!("{:?}", notice.kind), notice.instance.as_str());
            tracing::info!(node = name, instance, kind, id = notice.id, "announced by the node's agent");
        }
        metrics::counter!("controller_notices_total", "source" => "marks").increment(notices.len() as u64);
        if !notices.is_empty() {
            self.inbox.tell(notices).await;
        }
        let text = (!stored.is_empty()).then(|| stored.to_string());
        // With its uid: not on another Node of the same name.
        let patch = json!({ "metadata": { "uid": uid, "annotations": { STORED: text } } });
        match self.nodes.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => (name, uid, Some(stored)),
            // The Node is gone, or is another one: there is nothing to note.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => (name, uid, Some(stored)),
            Err(error) => {
                metrics::counter!("controller_notice_failures_total", "source" => "marks").increment(1);
                tracing::warn!(node = name, error = error.to_string(), "cannot note that a notice is stored");
                self.clock.sleep(AGAIN).await;
                (name, uid, None)
            }
        }
    }
}
