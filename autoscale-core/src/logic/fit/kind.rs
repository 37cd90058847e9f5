//! Kinds: pods that ask for the same, whoever owns them.

use std::collections::BTreeMap;

use crate::data::view::{Cluster, Constraints, PodClass, Seat, Spread};
use crate::words::{Extended, Resources};

/// A namespace, and the name of a group in it.
pub(crate) type Group<'a> = (&'a str, &'a str);

/// Pods that ask for the same amounts under the same constraints.
#[derive(Clone, Debug)]
pub(crate) struct Kind<'a> {
    /// CPU, memory, pods, then each extended resource of [`Kinds::extended`].
    pub(crate) amount: Vec<u64>,
    pub(crate) constraints: &'a Constraints,
    /// Which constraints, by number: kinds with the same ones have the same number.
    pub(crate) rule: u32,
    /// The group of which at most one is on a node, with its namespace.
    pub(crate) group: Option<Group<'a>>,
}

impl Kind<'_> {
    /// How many fit into `free`.
    pub(crate) fn slots(&self, free: &[u64]) -> u64 {
        let each = self.amount.iter().zip(free).filter(|(amount, _)| **amount > 0);
        let slots = each.map(|(amount, free)| free / amount).min().unwrap_or(u64::MAX);
        if self.group.is_some() { slots.min(1) } else { slots }
    }

    /// How many slots of this kind at most one pod of another kind takes away on a node, wherever it goes.
    pub(crate) fn taken_by(&self, other: &Self) -> u64 {
        let share = self.amount.iter().zip(&other.amount).filter(|(own, _)| **own > 0);
        let taken = share.map(|(own, other)| other.div_ceil(*own)).max().unwrap_or(0);
        if self.group.is_some() && self.group == other.group { taken.max(1) } else { taken }
    }
}

/// All kinds of a cluster: those that ask for more first.
#[derive(Clone, Debug)]
pub(crate) struct Kinds<'a> {
    /// The extended resources that any pod asks for, by name.
    extended: Vec<&'a str>,
    kinds: Vec<Kind<'a>>,
    of_class: Vec<u32>,
    rules: usize,
}

impl<'a> Kinds<'a> {
    pub(crate) fn of(cluster: &'a Cluster) -> Self {
        let classes = cluster.classes();
        let mut extended: Vec<&str> =
            classes.iter().flat_map(|class| class.extended.iter().map(|(name, _)| name)).collect();
        extended.sort_unstable();
        extended.dedup();
        let mut all = Self { extended, kinds: Vec::new(), of_class: Vec::new(), rules: 0 };
        let mut rules: BTreeMap<&Constraints, u32> = BTreeMap::new();
        // Classes of one size stand side by side.
        let mut size: Option<(&Resources, &Extended)> = None;
        let mut same: BTreeMap<(u32, Option<Group<'_>>), u32> = BTreeMap::new();
        for class in classes {
            if size != Some((&class.requests, &class.extended)) {
                size = Some((&class.requests, &class.extended));
                same.clear();
            }
            let next = rules.len() as u32;
            let rule = *rules.entry(&class.constraints).or_insert(next);
            let group = group_of(class);
            let kind = *same.entry((rule, group)).or_insert_with(|| {
                let amount = all.amount(&class.requests, &class.extended);
                all.kinds.push(Kind { amount, constraints: &class.constraints, rule, group });
                all.kinds.len() as u32 - 1
            });
            all.of_class.push(kind);
        }
        all.rules = rules.len();
        all
    }

    /// Amounts in the order of [`Kind::amount`].
    pub(crate) fn amount(&self, resources: &Resources, extended: &Extended) -> Vec<u64> {
        let plain = [resources.cpu_milli, resources.memory, u64::from(resources.pods)];
        plain.into_iter().chain(self.extended.iter().map(|name| extended.amount(name))).collect()
    }

    /// What an amount is of, in words.
    pub(crate) fn name(&self, dimension: usize) -> &'a str {
        match dimension {
            0 => "CPU",
            1 => "memory",
            2 => "pods",
            other => self.extended.get(other - 3).copied().unwrap_or("resources"),
        }
    }

    /// How many numbers an amount has.
    pub(crate) fn stride(&self) -> usize {
        3 + self.extended.len()
    }

    /// How many different constraints there are.
    pub(crate) fn rules(&self) -> usize {
        self.rules
    }

    pub(crate) fn get(&self, kind: u32) -> Option<&Kind<'a>> {
        self.kinds.get(kind as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kind<'a>> {
        self.kinds.iter()
    }

    /// The kind of a seat's pods.
    pub(crate) fn of_seat(&self, seat: &Seat) -> Option<u32> {
        self.of_class.get(seat.class as usize).copied()
    }
}

/// The group of which at most one pod is on a node.
pub(crate) fn group_of(class: &PodClass) -> Option<Group<'_>> {
    match &class.constraints.spread {
        Spread::OnePerNode { group } => Some((class.namespace.as_str(), group.as_str())),
        Spread::Free | Spread::Unjudged { .. } => None,
    }
}
