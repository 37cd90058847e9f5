//! The log of a run, a line for every list, stored record and effect.

use crate::data::record::{OpKind, Record};
use crate::ports::Swapped;
use crate::words::Timestamp;

use super::call::{Call, Class, Reply};

/// What reached a server at `at`, and what it answered; `None` for what is not told.
pub(super) fn line(at: Timestamp, task: u32, call: &Call, reply: &Reply) -> Option<String> {
    let text = match (call, reply) {
        (Call::Swap(_, sealed), Reply::Swap(Ok(Swapped::Applied(_)))) => {
            let record: Record = serde_json::from_slice(&sealed.bytes).ok()?;
            let ops = record.ops.iter().map(|op| match &op.kind {
                OpKind::Launch(launch) => {
                    format!("{} {:?} launch {} {:?}", op.id(), op.cause, launch.attempt.number, launch.state)
                }
                OpKind::Remove(remove) => {
                    format!("{} remove {} {:?} {:?}", op.id(), remove.instance, remove.why, remove.state)
                }
            });
            let notices = record
                .notices
                .iter()
                .map(|notice| format!("{} {:?} {:?}", notice.instance, notice.kind, notice.replacement));
            let (ops, notices): (Vec<_>, Vec<_>) = (ops.collect(), notices.collect());
            format!("stored {} ops {ops:?} notices {notices:?}", record.ver)
        }
        (Call::Swap(..), Reply::Swap(answer)) => match answer {
            Ok(Swapped::Lost(_)) => "swap lost".to_owned(),
            other => format!("swap {other:?}"),
        },
        (Call::List, Reply::List(Ok(listing))) => {
            let alive = listing
                .instances
                .iter()
                .filter(|instance| instance.phase.is_alive() && instance.pool.is_some());
            let ids: Vec<&str> = alive.map(|instance| instance.id.as_str()).collect();
            format!("listed complete {} {ids:?}", listing.complete)
        }
        _ if call.class() == Class::Effect => format!("{call:?} -> {reply:?}"),
        _ => return None,
    };
    Some(format!("{at} tick {task} {text}"))
}

impl super::net::Net {
    /// A line of the log about something else.
    pub(super) fn tell(&mut self, text: &str) {
        let at = self.world.now();
        if let Some(log) = &mut self.log {
            log.push(format!("{at} {text}"));
        }
    }
}
