//! Something that befalls the world, a process or the record at a time: scripted by a scenario, a test, or drawn.

use crate::data::order::Offering;
use crate::words::{Span, Zone};

/// What happens to the record (F5 to F8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Damage {
    /// It is gone.
    Deleted,
    /// An older one is put in its place.
    Restored,
    /// A byte in its middle is another.
    Corrupt,
    /// Its second half is missing.
    Truncated,
    /// It is longer than any record.
    Huge,
    /// It needs a reader of a later schema.
    Future,
    /// Its numbers are negative or contradict each other.
    Hostile,
}

/// How a person changes the policy (F40, F41).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Change {
    /// A largest size below what is running.
    LowerMax,
    /// A smallest size above what is running.
    RaiseMin,
    /// Other thresholds.
    Thresholds,
    /// Another template for what is launched.
    Template,
    /// Back to what it was.
    Back,
}

/// Something that befalls the world, a process or the record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Blow {
    /// So many spot instances are announced to be taken, all at once (F32, F33).
    Interrupt(u32),
    /// The cloud recommends to move away from one (F32).
    Rebalance,
    /// One dies without a word (F25, F31).
    Kill,
    /// A zone is not heard of for a while; its instances are listed as running (F43).
    FailZone(Zone, Span),
    /// Metrics do not answer for a while (F38).
    Silence(Span),
    /// At most so many of an offering, from now on (F15).
    Capacity(Offering, Option<u32>),
    /// A person cordons one node for a while (F30).
    HumanCordon(Span),
    /// The store does not answer for a while (F12).
    StoreOut(Span),
    /// An operator pauses the record for a while.
    Pause(Span),
    /// An operator clears the lease, whoever holds it (F9).
    Unlock,
    /// The fault that is counted under this name strikes at its next opportunity.
    Next(&'static str),
    /// So many ticks start at once (F3).
    Crowd(u32),
    /// The record is damaged; after a while an operator repairs or deletes it (F5 to F8).
    Record(Damage),
    /// Most calls are throttled for a while (F35).
    Storm(Span),
    /// Launches, terminations, cordons and evictions are denied for a while (F36).
    Denied(Span),
    /// No launch request arrives, and ticks have wrong clocks, for a while: tokens grow old (F19).
    Unanswered(Span),
    /// A node is NotReady for a moment (F24).
    Flap(Span),
    /// A person deletes a Node object; its kubelet registers again (F24).
    DeleteNode,
    /// A node that is being drained dies (F25).
    KillDraining,
    /// A notice is sent, and nothing follows (F32).
    FalseNotice,
    /// A notice about an instance that is unknown or of another cluster (F32).
    ForeignNotice,
    /// A notice is sent and withdrawn (F33).
    Withdrawn,
    /// A notice 30 s before the end (F33).
    ShortNotice,
    /// Half of the spot instances are announced to be taken (F33).
    Mass,
    /// A person terminates an instance (F31).
    HumanTerminate,
    /// A person creates an instance with our tags (F31).
    HumanCreate,
    /// A person takes our tags off an instance, and ends it later (F31).
    StripTags,
    /// A person copies our tags onto the control plane (F31).
    CopyTags,
    /// The pods of one workload cannot be evicted for a while (F26).
    StuckBudget(Span),
    /// Pods that hold nodes back, for a while (F28, F39).
    AwkwardPods(Span),
    /// Somebody changes the policy (F40, F41).
    Policy(Change),
    /// The load swings around the threshold for a while (F42).
    Swing(Span),
    /// A second cluster's instances share the account from now on (F44).
    ForeignCluster,
    /// A driver of another cluster runs over our record (F44).
    ForeignDriver,
    /// The control plane moves to a new instance (F45).
    MoveControlPlane,
    /// The process under way is asked to end (F46).
    Park,
}
