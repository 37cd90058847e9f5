//! Where a pod may be: a node that is there, or one that could be bought.

use std::collections::BTreeMap;

use crate::data::view::{Constraints, Node, Spread, Taint, TaintEffect, ZONE_LABEL};
use crate::words::Zone;

/// Why a pod may not be on a node, whatever room that has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Misfit {
    /// Its rules are of a kind that is not judged.
    Unjudged(String),
    /// The labels are not those that it asks for.
    Selector,
    /// Its volumes are in other zones.
    VolumeZone,
    /// A taint keeps it away.
    Taint(String),
    /// It asks for more than an empty node has: of what.
    TooLarge(String),
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unjudged(why) => write!(f, "has rules that are not judged ({why})"),
            Self::Selector => f.write_str("asks for other labels"),
            Self::VolumeZone => f.write_str("has volumes in other zones"),
            Self::Taint(key) => write!(f, "does not tolerate {key}"),
            Self::TooLarge(what) => write!(f, "asks for more {what} than a node has"),
        }
    }
}

/// Labels, taints and zone of one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Site<'a> {
    labels: BTreeMap<&'a str, &'a str>,
    taints: Vec<&'a Taint>,
    zone: Option<&'a Zone>,
}

impl<'a> Site<'a> {
    pub(crate) fn new(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        taints: impl IntoIterator<Item = &'a Taint>,
        zone: Option<&'a Zone>,
    ) -> Self {
        let mut labels: BTreeMap<&str, &str> = labels.into_iter().collect();
        if let Some(zone) = zone {
            labels.entry(ZONE_LABEL).or_insert(zone.as_str());
        }
        Self { labels, taints: taints.into_iter().collect(), zone }
    }

    /// Whether pods under these constraints may be here.
    pub(crate) fn admits(&self, pod: &Constraints) -> Result<(), Misfit> {
        admits(pod, |key| self.labels.get(key).copied(), self.taints.iter().copied(), self.zone)
    }
}

/// Whether pods under these constraints may be on a node.
pub(crate) fn node_admits(pod: &Constraints, node: &Node) -> Result<(), Misfit> {
    admits(pod, |key| node.label(key), &node.taints, node.zone.as_ref())
}

fn admits<'l>(
    pod: &Constraints,
    label: impl Fn(&str) -> Option<&'l str>,
    taints: impl IntoIterator<Item = &'l Taint>,
    zone: Option<&Zone>,
) -> Result<(), Misfit> {
    if let Spread::Unjudged { why } = &pod.spread {
        return Err(Misfit::Unjudged(why.clone()));
    }
    if !pod.selects(label) {
        return Err(Misfit::Selector);
    }
    if pod.volume_zones.as_ref().is_some_and(|zones| !zone.is_some_and(|zone| zones.contains(zone))) {
        return Err(Misfit::VolumeZone);
    }
    let hard = |taint: &&Taint| taint.effect != TaintEffect::PreferNoSchedule;
    match taints.into_iter().filter(hard).find(|taint| !pod.tolerates(taint)) {
        Some(taint) => Err(Misfit::Taint(taint.key.clone())),
        None => Ok(()),
    }
}
