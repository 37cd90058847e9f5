//! A survey in class form: pods that are alike in everything a decision looks at are one class with a count on each node.
//!
//! For 10,000 nodes and 300,000 pods of 2,000 owners this is 10,000 nodes, some thousand classes and, for each node, one
//! [`Seat`] for each class on it. Uids and names stand in a table of their own, read only to evict and to name a pod.

use serde::{Deserialize, Serialize};

use super::sites::Sites;
use super::{Budget, Constraints, Eviction, Node, Owner, Scope, Storage};
use crate::words::{Extended, NodeName, NodeUid, PodUid, Resources, Timestamp};

/// Where the pods of a class are in their life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Without a node, and the scheduler has found none.
    Unschedulable,
    /// Without a node, and the scheduler has not said anything yet.
    Queued,
    /// On a node, to stay.
    Bound,
    /// On a node, and its deletion has begun.
    Leaving,
    /// On a node, and its deletion should have ended a minute ago or more: a kubelet that is gone does not say so.
    Overdue,
    /// Its containers have ended and will not run again: it takes no room.
    Finished,
}

/// Pods that are alike in everything a decision looks at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PodClass {
    /// What each asks for.
    pub requests: Resources,
    /// What each asks for beside.
    pub extended: Extended,
    /// Their namespace.
    pub namespace: String,
    /// Their controller.
    pub owner: Option<Owner>,
    /// Where they are in their life.
    pub stage: Stage,
    /// Whether they are static pods, mirrored by the API server.
    pub mirror: bool,
    /// Whether their priority class is one of the system's critical ones.
    pub system_critical: bool,
    /// What their annotations say.
    pub eviction: Eviction,
    /// Whether they keep data on their node.
    pub storage: Storage,
    /// Their priority.
    pub priority: i32,
    /// What else they ask of their node.
    pub constraints: Constraints,
    /// Which budgets select them, as indices into [`Cluster::budgets`], sorted.
    pub budgets: Vec<u32>,
}

impl PodClass {
    /// Whether they are of a DaemonSet, and so neither move nor hold a node back.
    pub fn is_daemon(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.kind == "DaemonSet")
    }

    /// Whether they have to leave a node before it may be ended: not those of a DaemonSet, not static ones, not finished
    /// ones, not those whose deletion should have ended.
    pub fn has_to_leave(&self) -> bool {
        matches!(self.stage, Stage::Bound | Stage::Leaving) && !self.mirror && !self.is_daemon()
    }

    /// Whether they wait for a node that somebody may buy.
    pub fn waits(&self) -> bool {
        self.stage == Stage::Unschedulable && !self.is_daemon()
    }

    /// Whether they take room on their node.
    pub fn takes_room(&self) -> bool {
        self.stage != Stage::Finished
    }
}

/// So many pods of one class in one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Seat {
    /// Which class, as an index into [`Cluster::classes`].
    pub class: u32,
    /// How many.
    pub count: u32,
    /// The first of them in the table of names.
    pub(super) first: u32,
}

/// What is needed to name or to evict one pod.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct PodName {
    /// Its uid.
    pub uid: PodUid,
    /// Its name.
    pub name: String,
}

/// A survey in class form. The same lists in any order give the same value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    pub(super) at: Timestamp,
    pub(super) complete: bool,
    pub(super) scope: Scope,
    pub(super) nodes: Vec<Node>,
    pub(super) classes: Vec<PodClass>,
    /// Which classes have to leave their nodes: asked of every seat, and told by texts of the class.
    pub(super) leaves: Vec<bool>,
    pub(super) sites: Sites,
    pub(super) budgets: Vec<Budget>,
    pub(super) seats: Vec<Seat>,
    /// Where the seats of each node begin; one more for the end, behind which are those without a node.
    pub(super) begins: Vec<u32>,
    pub(super) names: Vec<PodName>,
}

impl Cluster {
    /// As old as its oldest part, by the API server's clock where it tells it.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether everything in its scope was read.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// What it covers.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node at an index.
    pub fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// Where a node of this name and uid stands.
    pub fn find(&self, name: &NodeName, uid: &NodeUid) -> Option<usize> {
        let first = self.first_named(name);
        let named = self.nodes.get(first..)?.iter().take_while(|node| node.name == *name);
        named.zip(first..).find(|(node, _)| node.uid == *uid).map(|(_, at)| at)
    }

    fn first_named(&self, name: &NodeName) -> usize {
        self.nodes.partition_point(|node| node.name < *name)
    }

    /// All classes: those that ask for more first.
    pub fn classes(&self) -> &[PodClass] {
        &self.classes
    }

    /// The site of the node at an index: nodes of one site have the same taints, and the same values of all labels that any
    /// pod here asks for.
    pub(crate) fn site(&self, node: usize) -> Option<u32> {
        self.sites.of_node.get(node).copied()
    }

    /// How many sites there are.
    pub(crate) fn site_count(&self) -> usize {
        self.sites.samples.len()
    }

    /// A node of a site.
    pub(crate) fn site_sample(&self, site: u32) -> Option<&Node> {
        self.node(*self.sites.samples.get(site as usize)? as usize)
    }

    /// The class of a seat.
    pub fn class(&self, seat: &Seat) -> Option<&PodClass> {
        self.classes.get(seat.class as usize)
    }

    /// All budgets.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// What is on the node at an index, by class. Two nodes of one name have the same pods.
    pub fn seats(&self, node: usize) -> &[Seat] {
        let Some(found) = self.nodes.get(node) else { return &[] };
        let twin = node > 0 && self.nodes.get(node - 1).is_some_and(|before| before.name == found.name);
        let at = if twin { self.first_named(&found.name) } else { node };
        match (self.begins.get(at), self.begins.get(at + 1)) {
            (Some(from), Some(to)) => self.seats.get(*from as usize..*to as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The pods without a node, by class.
    pub fn unbound(&self) -> &[Seat] {
        let from = self.begins.last().map_or(0, |from| *from as usize);
        self.seats.get(from..).unwrap_or_default()
    }

    /// The pods of a seat, by uid.
    pub fn names(&self, seat: &Seat) -> &[PodName] {
        let from = seat.first as usize;
        self.names.get(from..from + seat.count as usize).unwrap_or_default()
    }

    /// `namespace/name` of the first pod of a seat.
    pub fn name_of(&self, seat: &Seat) -> String {
        let namespace = self.class(seat).map_or("?", |class| class.namespace.as_str());
        let name = self.names(seat).first().map_or("?", |pod| pod.name.as_str());
        format!("{namespace}/{name}")
    }

    /// The seats of a node whose pods have to leave before it may be ended.
    pub fn evictable(&self, node: usize) -> impl Iterator<Item = (&Seat, &PodClass)> {
        let leaves = |seat: &&Seat| self.leaves.get(seat.class as usize) == Some(&true);
        self.seats(node).iter().filter(leaves).filter_map(|seat| Some((seat, self.class(seat)?)))
    }
}
