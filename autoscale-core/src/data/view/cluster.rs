//! The answer to one survey, as a [`Drainer`](crate::ports::Drainer) gives it: nodes, pods and budgets in lists.

use serde::{Deserialize, Serialize};

use super::{Node, Pod, Scope};
use crate::words::Timestamp;

/// One disruption budget.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many of its pods may be evicted now; less than zero counts as zero.
    pub disruptions_allowed: i64,
}

impl Budget {
    /// A budget.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, disruptions_allowed: i64) -> Self {
        Self { namespace: namespace.into(), name: name.into(), disruptions_allowed }
    }
}

/// The answer to one survey.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClusterView {
    /// As old as its oldest part, by the API server's clock where it tells it: compared with the times of nodes and pods.
    pub at: Timestamp,
    /// Whether everything in its scope was read.
    pub complete: bool,
    /// What it covers.
    pub scope: Scope,
    /// All nodes, in any order.
    pub nodes: Vec<Node>,
    /// The pods of the scope, in any order; pods that wait for a node always belong to it.
    pub pods: Vec<Pod>,
    /// The budgets that the pods point to.
    pub budgets: Vec<Budget>,
}

impl ClusterView {
    /// A complete survey of nothing yet.
    pub const fn new(at: Timestamp, scope: Scope) -> Self {
        Self { at, complete: true, scope, nodes: Vec::new(), pods: Vec::new(), budgets: Vec::new() }
    }
}
