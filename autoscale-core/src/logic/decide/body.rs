//! One instance and its node, as decisions count them (rule R9).

use crate::data::view::{Instance, Node, Ownership, Phase, Ready};
use crate::words::{InstanceId, PoolName, Zone};

/// One instance that is listed, or that an operation knows of, and its node.
///
/// What every stage asks of every instance is copied here: thousands of instances and nodes are larger than the caches of a
/// processor, and a decision looks at all of them a dozen times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) id: &'a InstanceId,
    /// As listed; `None` while only an operation knows of it.
    pub(crate) listed: Option<&'a Instance>,
    /// The one node that leads to it.
    pub(crate) node: Option<&'a Node>,
    /// Where that node stands in the survey.
    pub(crate) node_at: Option<usize>,
    /// The pool it counts for.
    pub(crate) pool: Option<&'a PoolName>,
    /// Whether a removal, a lapsed launch or an interruption names it.
    pub(crate) leaving: bool,
    /// Whether any open notice names it.
    pub(crate) noticed: bool,
    zone: Option<&'a Zone>,
    phase: Option<Phase>,
    ownership: Option<Ownership>,
    ready: Option<Ready>,
    /// Whether its node takes new pods.
    open: bool,
    /// Whether its node carries our cordon.
    marked: bool,
    control_plane: bool,
}

impl<'a> Body<'a> {
    /// As listed, or as an operation names it. It has no node yet.
    pub(super) fn new(id: &'a InstanceId, listed: Option<&'a Instance>) -> Self {
        let ownership = listed.map(|instance| instance.ownership);
        Self {
            id,
            listed,
            node: None,
            node_at: None,
            pool: None,
            leaving: false,
            noticed: false,
            zone: listed.and_then(|instance| instance.zone.as_ref()),
            phase: listed.map(|instance| instance.phase),
            ownership,
            ready: None,
            open: false,
            marked: false,
            control_plane: ownership == Some(Ownership::ControlPlane),
        }
    }

    /// Gives it its node.
    pub(super) fn joins(&mut self, node: &'a Node, at: usize) {
        (self.node, self.node_at) = (Some(node), Some(at));
        self.zone = self.zone.or(node.zone.as_ref());
        self.ready = Some(node.ready);
        self.open = !node.unschedulable;
        self.marked = node.cordon.is_some();
        self.control_plane |= node.control_plane;
    }

    /// Where it is, as the cloud says, else as its node says.
    pub(crate) const fn zone(&self) -> Option<&'a Zone> {
        self.zone
    }

    /// Where it is in its life, if it is listed.
    pub(crate) const fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Whether it is ours by its tags.
    pub(crate) fn is_ours(&self) -> bool {
        self.ownership == Some(Ownership::Ours)
    }

    /// Whether it has a node, and that is Ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready == Some(Ready::Yes)
    }

    /// Whether it has a node, and that carries our cordon.
    pub(crate) const fn is_marked(&self) -> bool {
        self.marked
    }

    /// Whether the list says that it is gone for good.
    pub(crate) fn is_terminated(&self) -> bool {
        self.phase == Some(Phase::Terminated)
    }

    /// Whether the list says that it is on its way out or gone.
    pub(crate) const fn is_ending(&self) -> bool {
        matches!(self.phase, Some(Phase::Terminated | Phase::ShuttingDown))
    }

    /// Whether it is or may be part of the control plane: any one of the marks is enough.
    pub(crate) const fn is_control_plane(&self) -> bool {
        self.control_plane
    }

    /// A member of a pool: ours, or with the user's own worker tag.
    pub(crate) const fn is_member(&self) -> bool {
        self.pool.is_some()
            && !self.control_plane
            && matches!(self.ownership, None | Some(Ownership::Ours | Ownership::WorkerTag))
    }

    /// Whether it serves: listed as running, joined, Ready, schedulable, and not on its way out.
    pub(crate) fn is_serving(&self) -> bool {
        self.is_member()
            && self.phase == Some(Phase::Running)
            && self.is_ready()
            && self.open
            && !self.leaving
            && !self.noticed
    }
}
