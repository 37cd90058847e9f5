//! Which pool and shape a new node is of, where several would do.

use crate::words::PoolName;

/// Which pool and shape a new node is of, where several would do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Choose {
    /// Where the least would be left over.
    #[default]
    LeastWaste,
    /// What costs least; every shape of every pool has a price then.
    Price,
    /// The pool of the highest priority.
    Priority,
    /// The pool that comes first here: pools of the policy, at least one, none twice. The others come after these, by name.
    Order(Vec<PoolName>),
}
