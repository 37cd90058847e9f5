//! Machines whose end has begun: Azure's list drops them when they are gone, and absence from a list proves nothing.
//!
//! So a machine whose deletion was accepted, or that was listed as being deleted, is asked for by its name once the list lacks it.
//! If there is none of that name, it is listed as terminated, for as long as anybody may wait for it. Nothing is believed of a
//! machine that vanished without that: it may have been moved to another group.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use autoscale_core::words::{Deadline, Span};

use super::response::{Machine, Provisioning};

/// For how long a machine is listed as terminated. More than the longest interval of ticks, which is 15 minutes.
const TOLD: Span = Span::from_mins(20);

/// Most machines that are kept in mind.
const MOST: usize = 256;

/// What is known of them, by name.
#[derive(Debug, Default)]
pub(super) struct Ending(Mutex<BTreeMap<String, (Deadline, Machine)>>);

impl Ending {
    /// The end of a machine has begun, at a reading of the boot clock.
    pub(super) fn add(&self, machine: Machine, now: Deadline) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(machine.name.clone(), (now, machine));
        if known.len() > MOST {
            let oldest = known.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| name.clone());
            oldest.into_iter().for_each(|name| drop(known.remove(&name)));
        }
    }

    /// Takes note of a complete list, and gives those that it lacks, as terminated: the latest first, at most so many.
    pub(super) fn missing(&self, listed: &[Machine], now: Deadline, most: usize) -> Vec<Machine> {
        let deleting =
            |machine: &&Machine| machine.provisioning == Provisioning::Deleting && machine.is_worker();
        listed.iter().filter(deleting).for_each(|machine| self.add(machine.clone(), now));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (since, _)| now.since(*since) <= TOLD);
        let mut missing: Vec<_> = known
            .values()
            .filter(|(_, machine)| listed.iter().all(|listed| listed.id != machine.id))
            .collect();
        missing.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        missing.into_iter().take(most).map(|(_, machine)| machine.clone().gone()).collect()
    }
}
