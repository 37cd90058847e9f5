//! A port call as data: what was asked, and what came back.

use crate::data::order::{
    CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder, LaunchOrder, Launched, TerminateOrder,
};
use crate::data::view::{ClusterView, Listing, Reading, Sample, Scope, SignalQuery};
use crate::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, Swapped};
use crate::words::Deadline;

/// What was asked.
#[derive(Clone, Debug)]
pub(super) enum Call {
    List,
    Launch(LaunchOrder),
    Terminate(TerminateOrder),
    Survey(Scope),
    Cordon(CordonOrder),
    Uncordon(CordonOrder),
    Evict(EvictOrder),
    Forget(ForgetOrder),
    Sample(Vec<SignalQuery>),
    Load,
    Swap(Expected, Sealed),
}

/// What came back.
#[derive(Debug)]
pub(super) enum Reply {
    List(Result<Listing>),
    Launch(Result<Launched>),
    Survey(Result<ClusterView>),
    Cordon(Result<Cordoned>),
    Evict(Result<EvictPass>),
    Unit(Result<()>),
    Sample(Vec<Sample>),
    Load(Result<Option<Loaded>>),
    Swap(Result<Swapped>),
}

/// How a call is treated by faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Read,
    Swap,
    Effect,
}

impl Call {
    pub(super) const fn class(&self) -> Class {
        match self {
            Self::List | Self::Survey(_) | Self::Sample(_) | Self::Load => Class::Read,
            Self::Swap(..) => Class::Swap,
            Self::Launch(_)
            | Self::Terminate(_)
            | Self::Cordon(_)
            | Self::Uncordon(_)
            | Self::Evict(_)
            | Self::Forget(_) => Class::Effect,
        }
    }

    /// After which the transport does not send it.
    pub(super) const fn not_after(&self) -> Option<Deadline> {
        match self {
            Self::List | Self::Survey(_) | Self::Sample(_) | Self::Load | Self::Swap(..) => None,
            Self::Launch(order) => Some(order.not_after),
            Self::Terminate(order) => Some(order.not_after),
            Self::Cordon(order) | Self::Uncordon(order) => Some(order.not_after),
            Self::Evict(order) => Some(order.not_after),
            Self::Forget(order) => Some(order.not_after),
        }
    }

    /// The reply in which it failed. A swap that may have left is `Unknown`, and a sample is never an error.
    pub(super) fn failed(&self, kind: ErrorKind, why: &str) -> Reply {
        let error = Error::new(kind, why);
        match self {
            Self::List => Reply::List(Err(error)),
            Self::Launch(_) => Reply::Launch(Err(error)),
            Self::Survey(_) => Reply::Survey(Err(error)),
            Self::Cordon(_) | Self::Uncordon(_) => Reply::Cordon(Err(error)),
            Self::Evict(_) => Reply::Evict(Err(error)),
            Self::Terminate(_) | Self::Forget(_) => Reply::Unit(Err(error)),
            Self::Sample(wanted) => {
                let failed =
                    |query: &SignalQuery| Sample::new(query.clone(), Reading::Failed { why: why.to_owned() });
                Reply::Sample(wanted.iter().map(failed).collect())
            }
            Self::Load => Reply::Load(Err(error)),
            Self::Swap(..) if *error.kind() == ErrorKind::Unclear => {
                Reply::Swap(Ok(Swapped::Unknown { why: why.to_owned() }))
            }
            Self::Swap(..) => Reply::Swap(Err(error)),
        }
    }

    /// The reply when no answer came: `Unclear` for what orders something, `Unavailable` for what only asks.
    pub(super) fn unanswered(&self) -> Reply {
        let kind = match self.class() {
            Class::Read => ErrorKind::Unavailable,
            Class::Swap | Class::Effect => ErrorKind::Unclear,
        };
        self.failed(kind, "connection reset")
    }
}
