//! What a person may do to a record: look, unlock, pause, resume, adopt. Each is one write, and takes no effect itself.

use std::fmt;

use crate::data::record::{LaunchState, Lease, Op, OpKind, Pause, Record, RemoveState};
use crate::logic::Tick;
use crate::words::{Elapsed, PoolName, Span, Timestamp, Ver, truncated};

use super::settle::written;

/// What an operator asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Operation {
    /// Takes the lease away from a tick that is known to be dead. It never touches an operation.
    Unlock {
        /// The version the operator has looked at. Another one is refused.
        ver: Ver,
    },
    /// Begins no new scaling action. Open operations finish or roll back, notices are handled.
    Pause {
        /// Who asks, at most 80 characters.
        who: String,
        /// Why, at most 200 characters.
        why: String,
        /// For how long; `None` until resumed.
        lasting: Option<Span>,
    },
    /// Ends a pause.
    Resume,
    /// Declares that everything in a pool is meant to be there: instances with only the worker tag may be removed, and
    /// launched instances that were kept aside become members.
    Adopt {
        /// The pool.
        pool: PoolName,
    },
}

impl Operation {
    /// What was done once it is carried out and what comes of it, for people.
    pub fn done(&self) -> String {
        match self {
            Self::Unlock { .. } => "unlocked: the next tick goes on with what is open".to_owned(),
            Self::Pause { lasting, .. } => {
                let until = lasting.map_or("until resumed".to_owned(), |lasting| format!("for {lasting}"));
                format!("paused {until}: no new scaling action; open ones finish or roll back")
            }
            Self::Resume => "resumed: the next tick decides as usual".to_owned(),
            Self::Adopt { pool } => {
                format!(
                    "adopted: what runs in pool {pool} is meant to be there, and may be removed like the rest"
                )
            }
        }
    }
}

/// Why an operator's wish was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The record has changed since the operator looked.
    #[error("version {seen} is stale: the record is at version {now}. Look at the status again")]
    Stale {
        /// The operator's version.
        seen: Ver,
        /// The stored version.
        now: Ver,
    },
    /// The policy has no such pool.
    #[error("pool \"{pool}\": expected one of the policy: {}", .known.iter().map(PoolName::as_str).collect::<Vec<_>>().join(", "))]
    NoPool {
        /// What was asked for.
        pool: PoolName,
        /// What there is.
        known: Vec<PoolName>,
    },
    /// There is nothing to do.
    #[error("nothing to do: {why}")]
    Nothing {
        /// In words.
        why: String,
    },
}

/// The record after an operator's wish, one version on.
///
/// # Errors
/// A stale version, or nothing to do.
pub fn operate(
    record: &Record,
    wish: &Operation,
    tick: &Tick,
    now: Timestamp,
) -> Result<Record, OperateError> {
    let mut next = written(record, tick, now);
    match wish {
        Operation::Unlock { ver } if *ver != record.ver => {
            return Err(OperateError::Stale { seen: *ver, now: record.ver });
        }
        Operation::Unlock { .. } => next.lease = None,
        Operation::Pause { who, why, lasting } => {
            let until = lasting.map(|lasting| next.time.elapsed.after(lasting));
            next.paused = Some(Pause { who: truncated(who, 80), why: truncated(why, 200), until });
        }
        Operation::Resume => next.paused = None,
        Operation::Adopt { pool } => {
            next.pools.entry(pool.clone()).or_default().adopted = true;
            next.ops.retain(|op| op.pool != *pool || !is_aside(op));
        }
    }
    let same = next.lease == record.lease
        && next.paused == record.paused
        && next.pools == record.pools
        && next.ops == record.ops;
    if same {
        let why = match wish {
            Operation::Unlock { .. } => "no lease is held",
            Operation::Pause { .. } => "it is paused like that already",
            Operation::Resume => "it is not paused",
            Operation::Adopt { .. } => "everything is adopted already",
        };
        return Err(OperateError::Nothing { why: why.to_owned() });
    }
    Ok(next)
}

fn is_aside(op: &Op) -> bool {
    op.launch().is_some_and(|launch| matches!(launch.state, LaunchState::Aside { .. }))
}

/// What is under way and what happens next, for a person. Its `Display` is a short report.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The record.
    pub record: Record,
    /// When it was looked at.
    pub now: Timestamp,
}

impl Status {
    /// The status of a record.
    pub const fn new(record: Record, now: Timestamp) -> Self {
        Self { record, now }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, now } = self;
        let elapsed = record.elapsed_at(*now);
        let age = now.since(record.time.last_now).rounded();
        writeln!(
            f,
            "record {} at version {}, written {age} ago, next action {}",
            record.inc, record.ver, record.next_seq
        )?;
        match &record.lease {
            None => writeln!(f, "lease: free")?,
            Some(Lease { holder, until }) if until > now => {
                writeln!(f, "lease: held by {holder}, ends in {}", until.since(*now).rounded())?;
            }
            Some(Lease { holder, until }) => {
                let ago = now.since(*until).rounded();
                writeln!(f, "lease: left behind by {holder}, ended {ago} ago; the next tick takes over")?;
            }
        }
        if let Some(Pause { who, why, until }) = &record.paused {
            let until = until.map_or("until resumed".to_owned(), |until| {
                format!("for {} more", until.since(elapsed).rounded())
            });
            writeln!(f, "paused by {who} {until}: {why}")?;
        }
        if record.time.quiet_until > elapsed {
            writeln!(
                f,
                "rebuilt: nothing is changed for {} more",
                record.time.quiet_until.since(elapsed).rounded()
            )?;
        }
        if record.ops.is_empty() {
            writeln!(f, "operations: none")?;
        }
        for op in &record.ops {
            let age = elapsed.since(op.started).rounded();
            writeln!(
                f,
                "operation {} of pool {}, begun {age} ago: {}",
                op.id(),
                op.pool,
                next_step(op, elapsed)
            )?;
        }
        for notice in record.notices.iter().filter(|notice| !notice.closed) {
            let age = elapsed.since(notice.received).rounded();
            writeln!(f, "notice about {}, stored {age} ago: {:?}", notice.instance, notice.kind)?;
        }
        Ok(())
    }
}

/// Where an operation stands and what the next tick does with it.
pub(crate) fn next_step(op: &Op, now: Elapsed) -> String {
    match &op.kind {
        OpKind::Launch(launch) => {
            let offering =
                format!("launch of {} (attempt {})", launch.attempt.offering, launch.attempt.number);
            match &launch.state {
                LaunchState::Planned => format!("{offering}: to be sent"),
                LaunchState::Sent => format!(
                    "{offering}: sent, waits for a definite answer; else the same token is sent again"
                ),
                LaunchState::Cooling { until, .. } => {
                    format!("{offering}: not certain yet, asked again in {}", until.since(now).rounded())
                }
                LaunchState::Refused { .. } => format!("{offering}: refused, the next attempt follows"),
                LaunchState::Launched { instance, .. } => {
                    format!("{offering}: {instance} launched, has to become a Ready node")
                }
                LaunchState::Aside { instance, why } => {
                    format!("{offering}: {instance} is kept aside: {why}")
                }
                LaunchState::Terminating { instance, .. } => {
                    format!("{offering}: {instance} did not join and is being terminated")
                }
                LaunchState::Dead { why } => format!("{offering}: failed: {why}"),
            }
        }
        OpKind::Remove(remove) => {
            let (instance, left) = (&remove.instance, remove.deadline.since(now).rounded());
            match &remove.state {
                RemoveState::Planned => {
                    format!("removal of {instance} ({}): to be cordoned, {left} to drain", remove.why)
                }
                RemoveState::Cordoned => {
                    format!("removal of {instance} ({}): cordoned, draining, {left} left", remove.why)
                }
                RemoveState::Terminating { .. } => format!("removal of {instance}: empty, being terminated"),
                RemoveState::Gone => format!("removal of {instance}: gone, its Node object is to be deleted"),
                RemoveState::RollingBack { why, .. } => {
                    format!("removal of {instance}: rolled back ({why}), to be uncordoned")
                }
                RemoveState::Parked { why } => {
                    format!("removal of {instance}: cannot be terminated ({why}), left cordoned")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::testing::record_at;
    use crate::words::{HolderId, WriteId};

    fn tick() -> Tick {
        Tick::new(HolderId::new("ann").unwrap(), WriteId::new("w9").unwrap(), Span::ZERO)
    }

    #[test]
    fn unlock_takes_the_lease_alone_and_only_at_the_version_looked_at() {
        let now = Timestamp::from_millis(1_000);
        let mut record = record_at(now);
        record.lease =
            Some(Lease { holder: HolderId::new("dead").unwrap(), until: now.after(Span::from_mins(1)) });
        assert!(Status::new(record.clone(), now).to_string().contains("lease: held by dead, ends in 1m"));
        let stale = operate(&record, &Operation::Unlock { ver: Ver::new(9) }, &tick(), now);
        assert_eq!(stale, Err(OperateError::Stale { seen: Ver::new(9), now: Ver::new(1) }));
        let next = operate(&record, &Operation::Unlock { ver: record.ver }, &tick(), now).unwrap();
        assert_eq!((next.lease, next.ops, next.ver), (None, record.ops, Ver::new(2)));
    }

    #[test]
    fn a_pause_is_stored_with_its_end_and_resumed() {
        let now = Timestamp::from_millis(1_000);
        let pause = Operation::Pause {
            who: "ann\n".to_owned(),
            why: "x".repeat(300),
            lasting: Some(Span::from_mins(5)),
        };
        let paused = operate(&record_at(now), &pause, &tick(), now).unwrap();
        let text = Status::new(paused.clone(), now).to_string();
        assert!(text.contains("paused by ann\\u{a} for 5m more: xxx"), "{text}");
        assert!(text.lines().all(|line| line.len() < 300));
        let resumed = operate(&paused, &Operation::Resume, &tick(), now).unwrap();
        assert_eq!(resumed.paused, None);
        assert!(matches!(
            operate(&resumed, &Operation::Resume, &tick(), now),
            Err(OperateError::Nothing { .. })
        ));
    }
}
