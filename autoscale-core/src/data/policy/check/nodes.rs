//! What is known of a pool's nodes before there are any, and the room that is kept free on them.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::policy::read::At;
use crate::data::policy::taint::taint;
use crate::data::policy::{Headroom, Shape, units};
use crate::data::view::Taint;
use crate::words::Resources;

pub(super) fn labels(at: At<'_>) -> Option<BTreeMap<String, String>> {
    at.or(BTreeMap::new(), |at| {
        let mut labels = BTreeMap::new();
        for (key, at) in at.entries()? {
            if let (Some(key), Some(value)) = (at.key(key), at.printable()) {
                labels.insert(key, value);
            }
        }
        Some(labels)
    })
}

/// Sorted, because their order means nothing.
pub(super) fn taints(at: &At<'_>) -> Option<Vec<Taint>> {
    let (mut seen, mut taints) = (BTreeSet::new(), Vec::new());
    for item in at.list()? {
        let Some(taint) = item.quantity("a taint", taint) else { continue };
        if seen.insert((taint.key.clone(), taint.effect)) {
            taints.push(taint);
        } else {
            let _: Option<()> = item.wrong("each key once for one effect");
        }
    }
    taints.sort();
    Some(taints)
}

/// What DaemonSet pods take, which has to leave room on every shape.
pub(super) fn overhead(at: &At<'_>, shapes: Option<&[Shape]>) -> Option<Resources> {
    let fields = at.fields()?;
    let cpu = fields.get("cpu").quantity("an amount of CPU, like 2 or 500m", units::cpu);
    let memory = fields.get("memory").quantity("an amount of memory, like 8Gi", units::memory);
    let pods = fields.get("pods").whole();
    let below = |key, taken: Option<u64>, offered: fn(&Resources) -> u64, show: fn(u64) -> String| {
        let smallest = shapes.unwrap_or_default().iter().min_by_key(|shape| offered(&shape.allocatable));
        if let (Some(taken), Some(shape)) = (taken, smallest)
            && taken >= offered(&shape.allocatable)
        {
            let most = show(offered(&shape.allocatable));
            fields
                .get(key)
                .clash(show(taken), format_args!("less than {most}, all that {} offers", shape.name));
        }
    };
    below("cpu", cpu, |room| room.cpu_milli, |milli| units::show_cpu(milli).plain());
    below("memory", memory, |room| room.memory, |bytes| units::show_memory(bytes).plain());
    below("pods", pods.map(u64::from), |room| u64::from(room.pods), |pods| pods.to_string());
    Some(Resources::new(cpu?, memory?, pods?))
}

pub(super) fn headroom(at: &At<'_>, max: Option<u32>) -> Option<Headroom> {
    let fields = at.fields()?;
    let cpu = fields.get("cpu").or(0, |at| at.quantity("an amount of CPU", units::cpu));
    let memory = fields.get("memory").or(0, |at| at.quantity("an amount of memory", units::memory));
    let nodes = fields.get("nodes").or(0, At::whole);
    super::pool::at_most(&fields, ("nodes", nodes), ("max", max));
    Some(Headroom::new(cpu?, memory?, nodes?))
}
