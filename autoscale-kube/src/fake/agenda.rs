//! What will happen, and when.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_core::words::{Span, Timestamp};

use super::store::Key;

/// Something that a controller has to look at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Task {
    Deployment(Key),
    /// A ReplicaSet, StatefulSet, Job or ReplicationController, by the place of its kind.
    Workload(usize, Key),
    DaemonSet(Key),
    Budget(Key),
    /// Taints of a node, and the pods that do not bear them.
    Node(String),
    /// Volumes of the pods on a node.
    Attach(String),
    Detach(String),
    Schedule,
}

/// Something that happens at its time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Event {
    React(Task),
    /// The containers of the pod of that uid run.
    PodUp(Key, String),
    /// The containers of the pod of that uid have ended.
    PodEnd(Key, String),
    /// The kubelet of the node of that uid says that it is ready.
    NodeUp(String, String),
    /// The kubelet of the node of that uid has not been heard of for too long.
    NodeLost(String, String),
    /// The pod of that uid has borne the taints of its node for as long as it can.
    TaintOut(Key, String),
    /// A budget stops counting a pod as leaving that has not left.
    Unblock(Key),
    /// A pod of a Job ends well.
    Complete(Key, String),
    /// A CustomResourceDefinition is served, and a while later its storage is ready.
    Establish(String, bool),
    /// The pods of a node that is gone go too.
    NodeGone(String),
    /// Only the clock has to be there.
    Tick,
}

/// The events to come, in order.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    events: BTreeMap<(Timestamp, u64), Event>,
    count: u64,
    reactions: BTreeSet<Task>,
}

impl Agenda {
    pub(super) fn at(&mut self, time: Timestamp, event: Event) {
        self.count += 1;
        self.events.insert((time, self.count), event);
    }

    /// A controller looks at something, once, however often it changes until then.
    pub(super) fn react(&mut self, now: Timestamp, reaction: Span, task: Task) {
        if self.reactions.insert(task.clone()) {
            self.at(now.after(reaction), Event::React(task));
        }
    }

    /// When the next event is.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.events.first_key_value().map(|((time, _), _)| *time)
    }

    /// The next event until `end`, with its time.
    pub(super) fn pop(&mut self, end: Timestamp) -> Option<(Timestamp, Event)> {
        let entry = self.events.first_entry()?;
        let time = entry.key().0;
        if time > end {
            return None;
        }
        let event = entry.remove();
        if let Event::React(task) = &event {
            self.reactions.remove(task);
        }
        Some((time, event))
    }
}
