//! What an operator would want to read at night.

use std::fmt::{self, Display, Formatter};

use super::{
    Action, Counts, Direction, Explanation, Held, Hold, NodeReport, Observed, OpReport, PoolReport,
    RuleReport, RuleState, TargetReport, Verdict,
};
use crate::data::policy::Bound;
use crate::data::record::{KeptAside, RemoveWhy, Rollback};
use crate::words::{Span, Unit};

/// At most so many nodes are listed by name.
const NODES_SHOWN: usize = 20;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { policy, at, elapsed: _, actions, pools, ops, alarms } = self;
        writeln!(f, "{at}  policy {policy}")?;
        actions.iter().try_for_each(|action| writeln!(f, "  {action}"))?;
        pools.iter().try_for_each(|pool| write!(f, "{pool}"))?;
        ops.iter().try_for_each(|op| writeln!(f, "  {op}"))?;
        alarms.iter().try_for_each(|alarm| writeln!(f, "  alarm: {alarm}"))
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launch { op, pool, offering, replaces: None } => {
                write!(f, "launch {op} for pool {pool}: {offering}")
            }
            Self::Launch { op, pool, offering, replaces: Some(instance) } => {
                write!(f, "launch {op} for pool {pool}: {offering}, replaces {instance}")
            }
            Self::Remove { op, pool, instance, why } => {
                write!(f, "remove {op} from pool {pool}: {instance}, {why}")
            }
            Self::Recall { op, pool, instance } => write!(f, "recall {op} in pool {pool}: {instance} stays"),
        }
    }
}

impl Display for RemoveWhy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "the pool is larger than needed",
            Self::AboveMax => "the pool is above max",
            Self::Interruption => "the cloud will take it",
            Self::Rebalance => "the cloud recommends to move, and its replacement has joined",
            Self::CordonOnly => "the cloud recommends to move; only cordoned, as the policy says",
            Self::NeverReady => "it did not become Ready in time",
            Self::Dead => "it is gone already, its Node object is left",
            Self::Orphan => "a cordon of ours that belongs to no operation",
        })
    }
}

impl Display for KeptAside {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stray { node } => write!(f, "node {node} is younger, leads to no instance, and may be it"),
            Self::Denied { action } => write!(f, "it did not join and may not be terminated: {action}"),
        }
    }
}

impl Display for Rollback {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("not empty in time"),
            Self::Blocked { why } => write!(f, "blocked: {why}"),
            Self::Recalled => f.write_str("needed again"),
            Self::Uncordoned => f.write_str("somebody uncordoned it"),
            Self::BelowMin => f.write_str("serving nodes would fall below min"),
            Self::Void => f.write_str("the notice is void"),
            Self::Orphan => f.write_str("belongs to no operation"),
            Self::Superseded => f.write_str("the node was changed by a later version or made anew"),
        }
    }
}

impl Display for PoolReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { pool, counts, rules, targets, verdict, wanted: _, nodes, refused } = self;
        writeln!(f, "  pool {pool}: {verdict}")?;
        writeln!(f, "    {counts}")?;
        rules.iter().try_for_each(|rule| writeln!(f, "    {rule}"))?;
        targets.iter().try_for_each(|target| writeln!(f, "    {target}"))?;
        nodes.iter().take(NODES_SHOWN).try_for_each(|node| writeln!(f, "    {node}"))?;
        if nodes.len() > NODES_SHOWN {
            let counts: Vec<String> = refused.iter().map(|(code, nodes)| format!("{code} {nodes}")).collect();
            writeln!(f, "    and more nodes; held back in all by: {}", counts.join(", "))?;
        }
        Ok(())
    }
}

impl Display for TargetReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { signal, unit, value, observed, wished, held } = self;
        write!(f, "target {signal} {}: ", unit.show(*value))?;
        match observed {
            Observed::Fresh { value, age } => write!(f, "{} ({} old)", unit.show(*value), age.rounded())?,
            Observed::Stale { value, age } => {
                write!(f, "{} ({} old, stale)", unit.show(*value), age.rounded())?
            }
            Observed::Missing { why } => write!(f, "no number ({why})")?,
        }
        match (wished, held) {
            (None, _) => f.write_str(", cannot be judged"),
            (Some(wished), Some(held)) if held > wished => {
                write!(f, ", asks for {wished}, {held} within its window")
            }
            (Some(wished), _) => write!(f, ", asks for {wished}"),
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { total, serving, starting, leaving, pending_pods } = self;
        write!(
            f,
            "{total} instances, {serving} serving, {starting} starting, {leaving} leaving, {pending_pods} pods pending"
        )
    }
}

impl Display for Direction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

impl Display for RuleReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { direction, signal, unit, bound, lasting, observed, state } = self;
        write!(f, "{direction}-rule {signal} {}", bound.show(*unit))?;
        if *lasting > Span::ZERO {
            write!(f, " for {lasting}")?;
        }
        match observed {
            Observed::Fresh { value, age } => write!(f, ": {} ({} old), ", unit.show(*value), age.rounded())?,
            Observed::Stale { value, age } => {
                write!(f, ": {} ({} old, stale), ", unit.show(*value), age.rounded())?
            }
            Observed::Missing { why } => write!(f, ": no number ({why}), ")?,
        }
        match state {
            RuleState::NotCrossed => match bound {
                Bound::Above(_) => f.write_str("not above"),
                Bound::Below(_) => f.write_str("not below"),
            },
            RuleState::Waiting { left } => write!(f, "holds in {}", left.rounded()),
            RuleState::Holds => f.write_str("holds"),
            RuleState::Unknown => f.write_str("cannot be judged"),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grow { by, wished, left_pending, why } => {
                write!(f, "grow by {by}")?;
                if by < wished {
                    write!(f, " of {wished} wished")?;
                }
                if *left_pending > 0 {
                    write!(f, ", {left_pending} pods stay pending")?;
                }
                write!(f, " ({why})")
            }
            Self::Shrink { by, why } => write!(f, "shrink by {by} ({why})"),
            Self::Hold(holds) => {
                f.write_str("hold: ")?;
                let texts: Vec<String> = holds.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
        }
    }
}

impl Display for Hold {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quiet => f.write_str("no rule asks for a change"),
            Self::Waiting { direction, signal, left } => {
                write!(f, "the {direction}-rule over {signal} has to hold for {} more", left.rounded())
            }
            Self::AtMax { max } => write!(f, "at max {max}"),
            Self::AtMin { min } => write!(f, "at min {min}"),
            Self::Cooldown { direction, left } => {
                write!(f, "cooldown before scaling {direction} ends in {}", left.rounded())
            }
            Self::ActionOpen { seq } => write!(f, "action {seq} is open"),
            Self::AlreadyStarting { nodes } => write!(f, "{nodes} nodes are already starting"),
            Self::BoughtElsewhere => f.write_str("nodes of other pools will hold the pods that wait"),
            Self::Paused { who, why, left: Some(left) } => {
                write!(f, "paused by {who} for {} more: {why}", left.rounded())
            }
            Self::Paused { who, why, left: None } => write!(f, "paused by {who} until resumed: {why}"),
            Self::Unhealthy { unready, nodes, tolerated, ratio } => write!(
                f,
                "{unready} of {nodes} nodes are unready, more than {tolerated} and more than {ratio}"
            ),
            Self::Unseen { what, why } => write!(f, "{what} could not be seen: {why}"),
            Self::SignalMissing { signal, why } => write!(f, "signal {signal} cannot be judged: {why}"),
            Self::PodsPending { pods } => write!(f, "{pods} pods wait for a node"),
            Self::Stabilising { nodes } => {
                write!(f, "a target has asked for {nodes} nodes within its window")
            }
            Self::ZonesFull { most } => write!(f, "every zone has {most} nodes"),
            Self::WouldGrowAgain { signal, projected, unit } => {
                write!(
                    f,
                    "with fewer nodes {signal} would be {} and the pool would grow again",
                    unit.show(*projected)
                )
            }
            Self::NoCandidate => f.write_str("no node may go"),
            Self::NoOffering { left } => {
                write!(f, "every offering is backed off, the first for {} more", left.rounded())
            }
            Self::Rebuilt { left } => {
                write!(f, "the record was made anew, nothing is changed for {} more", left.rounded())
            }
            Self::LaunchesStopped { why } => write!(f, "launches are stopped: {why}"),
            Self::NeedsSurvey => f.write_str("a change may be due and needs a survey of all pods"),
            Self::StillEnding { nodes } => write!(f, "{nodes} nodes are still to end"),
            Self::RecordFull => f.write_str("the record has no room for another operation"),
        }
    }
}

impl Display for Held {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlPlane => f.write_str("part of the control plane"),
            Self::NotOurs => f.write_str("not ours to remove"),
            Self::Protected => f.write_str("protected"),
            Self::JustLaunched => f.write_str("launched a moment ago"),
            Self::InProgress => f.write_str("already on its way out"),
            Self::NotJoined => f.write_str("has not joined as exactly one node"),
            Self::CordonedByOthers => f.write_str("cordoned by somebody else"),
            Self::LastInZone { zone } => write!(f, "last in {zone} while another zone has two more"),
            Self::Backoff { left } => write!(f, "a removal failed, left alone for {} more", left.rounded()),
            Self::NoController { pod } => write!(f, "pod {pod} has no controller"),
            Self::ControllerGone { pod } => write!(f, "pod {pod}: controller not found"),
            Self::SystemCritical { pod } => write!(f, "pod {pod} is system-critical"),
            Self::SystemPod { pod } => write!(f, "pod {pod} is a system pod"),
            Self::LocalStorage { pod } => write!(f, "pod {pod} has local storage"),
            Self::DoNotEvict { pod } => write!(f, "pod {pod} must not be evicted"),
            Self::NoDisruptionLeft { pod, budget } => {
                write!(f, "budget {budget} of pod {pod} has no disruption left")
            }
            Self::TwoBudgets { pod } => write!(f, "pod {pod} has two budgets"),
            Self::ToleratesEverything { pod } => write!(f, "pod {pod} tolerates every taint"),
            Self::Unjudged { pod, why } => write!(f, "pod {pod} has rules that are not judged ({why})"),
            Self::Busy { used } => write!(f, "its pods ask for {} of it", Unit::Ratio.show(*used)),
            Self::NothingAllocatable => f.write_str("it offers no CPU or no memory"),
            Self::Headroom => f.write_str("the headroom needs it"),
            Self::NowhereToGo { pod } => write!(f, "pod {pod} is not sure to find another node"),
            Self::NotSurveyed => f.write_str("its pods were not surveyed"),
        }
    }
}

impl Display for NodeReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { instance, node, held, chosen } = self;
        write!(f, "node {instance}")?;
        if let Some(node) = node.as_ref().filter(|node| node.as_str() != instance.as_str()) {
            write!(f, " ({node})")?;
        }
        let held: Vec<String> = held.iter().map(ToString::to_string).collect();
        match (chosen, held.is_empty()) {
            (true, _) => f.write_str(": goes"),
            (false, true) => f.write_str(": may go, another goes first"),
            (false, false) => write!(f, ": stays, {}", held.join("; ")),
        }
    }
}

impl Display for OpReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { op, pool, text } = self;
        write!(f, "operation {op} of pool {pool}: {text}")
    }
}
