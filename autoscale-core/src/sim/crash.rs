//! Where in an operation's life a process died: the protocol's crash points, and what else a stored record witnesses.

use crate::data::record::{LaunchState, OpKind, Record, RemoveState};
use crate::ports::ErrorKind;
use crate::words::Span;

use super::call::{Call, Class, Reply};
use super::net::Net;

impl Net {
    /// A process is about to die of a crash at one of the four points of a call.
    pub(super) fn classify(&mut self, call: &Call, point: usize, reply: Option<&Reply>) {
        let record = self.truth.current.clone();
        let now = self.world.now();
        let mut found: Vec<&'static str> = Vec::new();
        match (call, point) {
            (Call::Swap(_, sealed), 0 | 1) => {
                if point == 0 && record.as_ref().is_none_or(|record| record.ops.is_empty()) {
                    found.push("crash-c0-decided");
                }
                if point == 1 {
                    found.push("crash-c1-swap-unknown");
                }
                let held = record.as_ref().is_some_and(|record| record.lease.is_some());
                if held && sealed.summary.holder.is_none() {
                    found.push("crash-c14-lease-held");
                }
            }
            (Call::Launch(_), 0) => found.push("crash-c2-intent-stored"),
            (Call::Launch(_), 1 | 2) => found.push("crash-c3-launched"),
            (Call::Launch(_), _) => {
                let refused = matches!(reply, Some(Reply::Launch(Err(error))) if matches!(error.kind(), ErrorKind::NoCapacity { .. }));
                found.push(if refused { "crash-c6-refused" } else { "crash-c4-launch-answered" });
            }
            (Call::Cordon(_), 2 | 3) => found.push("crash-c8-cordoned"),
            (Call::Evict(_), 1..=3) => found.push("crash-c9-evicting"),
            _ => {}
        }
        if let Some(record) = &record {
            self.by_state(record, call, point, &mut found);
        }
        for name in found {
            self.chaos.count(name);
        }
        if self.last_crash.is_some_and(|last| now.since(last) < Span::from_mins(2)) {
            self.chaos.count("crash-nested");
        }
        self.last_crash = Some(now);
    }

    fn by_state(&self, record: &Record, call: &Call, point: usize, found: &mut Vec<&'static str>) {
        let now = self.world.now();
        for op in &record.ops {
            found.extend(match &op.kind {
                OpKind::Launch(launch) if matches!(launch.state, LaunchState::Launched { .. }) => {
                    Some("crash-c5-launch-recorded")
                }
                OpKind::Launch(launch) if !launch.earlier.is_empty() => Some("crash-c7-next-attempt"),
                OpKind::Launch(_) => None,
                OpKind::Remove(remove) => match &remove.state {
                    RemoveState::Cordoned if call.class() == Class::Swap && point == 0 => {
                        let node = remove.node.as_ref();
                        let node = node.and_then(|(name, _)| self.world.cluster.node_by_name(name));
                        let node = node.and_then(|node| self.world.cluster.nodes.get(&node));
                        let pods = &self.world.cluster.pods;
                        let empty = node.is_some_and(|node| {
                            let mut on = node.pods.iter().filter_map(|pod| pods.get(pod));
                            !on.any(|pod| pod.is_evictable(now))
                        });
                        empty.then_some("crash-c10-drained")
                    }
                    RemoveState::Terminating { .. } => Some("crash-c11-terminating"),
                    RemoveState::Gone => Some("crash-c12-gone"),
                    RemoveState::RollingBack { .. } => Some("crash-c13-rolling-back"),
                    RemoveState::Planned | RemoveState::Cordoned | RemoveState::Parked { .. } => None,
                },
            });
        }
        found.dedup();
    }

    /// What a newly stored record shows to have happened.
    pub(super) fn witness(&mut self) {
        let Some(record) = self.truth.current.clone() else { return };
        let launches = || record.ops.iter().filter_map(|op| Some((op.seq, op.launch()?)));
        let old = launches().any(|(_, launch)| {
            let first = launch.attempt.first_sent;
            launch.instance().is_none()
                && first.is_some_and(|first| record.time.elapsed.since(first) > Span::from_mins(6 * 60))
        });
        if old {
            self.chaos.count("token-too-old");
        }
        let came = |launch: &crate::data::record::Launch| launch.instance().is_some();
        let partial = launches().any(|(seq, launch)| {
            let others = || launches().filter(|(other, _)| *other == seq);
            !came(launch) && !launch.earlier.is_empty() && others().any(|(_, other)| came(other))
        });
        if partial {
            self.chaos.count("partial-launch");
        }
        let now = self.world.now();
        let old = self.snapshots.back().is_none_or(|(at, _)| now.since(*at) >= Span::from_mins(3));
        if old && let Some(loaded) = self.world.load() {
            self.snapshots.push_back((now, loaded.bytes));
            if self.snapshots.len() > 6 {
                self.snapshots.pop_front();
            }
        }
    }
}
