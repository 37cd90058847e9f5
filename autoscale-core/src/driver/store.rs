//! Reading and writing the record, and what the answers mean (rules R2, R3 and R17).

use super::codes::{self, Call};
use super::observe::within;
use super::seal::{open, seal};
use super::tell::in_call;
use super::{Ended, Ports};
use crate::data::record::{Lease, Record};
use crate::data::view::{Instance, Ownership, View};
use crate::mutant::{self, Mutant};
use crate::ports::{Expected, Loaded, Swapped, Version};
use crate::words::Span;

/// What a swap means to the driver.
pub(super) enum Written {
    /// The record is stored: authority to act, at its version.
    Applied(Version),
    /// Another record is stored; this one never will be.
    Lost(Option<(Version, Box<Record>)>),
    /// Nobody knows. Only another swap that is applied settles it.
    Unknown,
}

/// The stored record, if there is one.
pub(super) async fn load(ports: &Ports, limit: Span) -> Result<Option<(Version, Record)>, Ended> {
    let load = within(&*ports.clock, limit, ports.store.load());
    let answer = in_call(Call::new("store", "load"), load, codes::asked).await;
    let why = match answer {
        Some(Ok(None)) => return Ok(None),
        Some(Ok(Some(Loaded { version, bytes, .. }))) => {
            return match open(&bytes) {
                Ok(record) => Ok(Some((version, record))),
                Err(unreadable) => Err(Ended::Halted { why: unreadable.to_string() }),
            };
        }
        Some(Err(error)) => error.chain(),
        None => format!("the store did not answer within {limit}"),
    };
    Err(Ended::NoAuthority { why })
}

/// Stores a record in place of what is expected. The workers that were seen are for people.
pub(super) async fn swap(
    ports: &Ports,
    expected: &Expected,
    record: &Record,
    workers: Option<u32>,
    limit: Span,
) -> Result<Written, Ended> {
    let no_authority = |why| Ended::NoAuthority { why };
    let mut sealed = seal(record).map_err(|error| no_authority(error.to_string()))?;
    sealed.summary.workers = workers;
    let swap = within(&*ports.clock, limit, ports.store.swap(expected, &sealed));
    let answer = in_call(Call::new("store", "swap"), swap, codes::swapped).await;
    match answer {
        None | Some(Ok(Swapped::Unknown { .. })) if mutant::on(Mutant::TimedOutSwapApplied) => {
            Ok(Written::Applied(load(ports, limit).await?.map_or(Version::new(""), |(version, _)| version)))
        }
        None | Some(Ok(Swapped::Unknown { .. })) => Ok(Written::Unknown),
        Some(Ok(Swapped::Applied(version))) => Ok(Written::Applied(version)),
        Some(Err(error)) => Err(no_authority(error.chain())),
        Some(Ok(Swapped::Lost(current))) => {
            let current = match current {
                Some(Loaded { version, bytes, .. }) => open(&bytes).ok().map(|record| (version, record)),
                None => load(ports, limit).await?,
            };
            Ok(match current {
                // It lost against its own first copy, which the client had sent before (rule R3).
                Some((version, record)) if record.write_id == sealed.write_id => Written::Applied(version),
                Some((version, _)) if mutant::on(Mutant::OverwriteOnLost) => {
                    match ports.store.swap(&Expected::At(version), &sealed).await {
                        Ok(Swapped::Applied(version)) => Written::Applied(version),
                        _ => Written::Unknown,
                    }
                }
                other => Written::Lost(other.map(|(version, record)| (version, Box::new(record)))),
            })
        }
    }
}

/// How many workers were listed, if the list was whole: for people.
pub(super) fn workers(view: &View) -> Option<u32> {
    let listing = view.instances().known().filter(|listing| listing.complete)?;
    let is_worker = |instance: &&Instance| {
        matches!(instance.ownership, Ownership::Ours | Ownership::WorkerTag) && instance.phase.is_alive()
    };
    u32::try_from(listing.instances.iter().filter(is_worker).count()).ok()
}

/// Whether `theirs` is `mine` with nothing but notices added, and the lease is still mine (rule R17).
pub(super) fn only_notices_added(mine: &Record, theirs: &Record) -> bool {
    let holder = |record: &Record| record.lease.as_ref().map(|Lease { holder, .. }| holder.clone());
    let added = theirs.notices.len() >= mine.notices.len() && theirs.notices.starts_with(&mine.notices);
    let same = Record {
        ver: mine.ver,
        write_id: mine.write_id.clone(),
        time: mine.time,
        notices: mine.notices.clone(),
        ..theirs.clone()
    };
    added && holder(mine).is_some() && same == *mine
}
