//! How many new nodes pods need: first-fit decreasing, with counts in place of single pods and single nodes.
//!
//! Nodes that are alike stand together as one [`Bin`]. Placing `n` pods of a kind on a bin of `m` nodes with room for `k`
//! each fills `n / k` of them, gives the rest to one more, and leaves the others as they were: what first fit does pod by
//! pod. The time goes by kinds and bins, not by pods.

use super::kind::Kind;

/// So many nodes that are alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bin<'a> {
    /// Which of the caller's sites they are of.
    pub(crate) site: u32,
    /// How many.
    pub(crate) nodes: u64,
    /// Whether they have to be bought.
    pub(crate) new: bool,
    free: Vec<u64>,
    /// How many more pods each takes, whatever they ask for.
    room: u64,
    groups: Vec<(&'a str, &'a str)>,
}

impl<'a> Bin<'a> {
    /// Empty nodes with so much room, for at most `room` pods each.
    pub(crate) const fn new(site: u32, nodes: u64, new: bool, free: Vec<u64>, room: u64) -> Self {
        Self { site, nodes, new, free, room, groups: Vec::new() }
    }

    /// How many pods of a kind each takes.
    fn slots(&self, kind: &Kind<'_>) -> u64 {
        let alone = kind.group.is_none_or(|group| !self.groups.contains(&group));
        if alone { kind.slots(&self.free).min(self.room) } else { 0 }
    }

    /// The same, so many of them, each with so many pods more.
    fn with(&self, nodes: u64, kind: &Kind<'a>, pods: u64) -> Self {
        let mut bin = Self { nodes, ..self.clone() };
        for (free, amount) in bin.free.iter_mut().zip(&kind.amount) {
            *free = free.saturating_sub(amount.saturating_mul(pods));
        }
        bin.room = bin.room.saturating_sub(pods);
        bin.groups.extend(kind.group.filter(|_| pods > 0));
        bin
    }
}

/// Pods on nodes, some of which are there and some of which are to be bought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pack<'a> {
    bins: Vec<Bin<'a>>,
    /// How many nodes were opened.
    pub(crate) opened: u64,
}

impl<'a> Pack<'a> {
    pub(crate) fn bins(&self) -> &[Bin<'a>] {
        &self.bins
    }

    /// Adds nodes that are there or on their way.
    pub(crate) fn add(&mut self, bin: Bin<'a>) {
        self.bins.push(bin);
    }

    /// Places pods of a kind on nodes of sites that admit them, in order; gives how many are left.
    pub(crate) fn fill(&mut self, kind: &Kind<'a>, mut pods: u64, admits: impl Fn(u32) -> bool) -> u64 {
        let mut at = 0;
        while let Some(bin) = self.bins.get(at).filter(|_| pods > 0) {
            let slots = if admits(bin.site) { bin.slots(kind) } else { 0 };
            if slots == 0 {
                at += 1;
                continue;
            }
            let full = (pods / slots).min(bin.nodes);
            let rest = if full < bin.nodes { pods - full * slots } else { 0 };
            pods -= full * slots + rest;
            let parts = [(full, slots), (u64::from(rest > 0), rest)];
            let parts = parts.into_iter().filter(|(nodes, _)| *nodes > 0);
            let mut changed: Vec<Bin<'a>> = parts.map(|(nodes, pods)| bin.with(nodes, kind, pods)).collect();
            let left = bin.nodes - changed.iter().map(|bin| bin.nodes).sum::<u64>();
            changed.extend((left > 0).then(|| Bin { nodes: left, ..bin.clone() }));
            let next = at + changed.len();
            self.bins.splice(at..=at, changed);
            at = next;
        }
        pods
    }

    /// Opens as many nodes like `empty` as the pods need, at most `most`, and places them; gives how many are left.
    pub(crate) fn open(&mut self, kind: &Kind<'a>, pods: u64, empty: &Bin<'a>, most: u64) -> u64 {
        let slots = empty.slots(kind);
        if slots == 0 || pods == 0 || most == 0 {
            return pods;
        }
        let nodes = pods.div_ceil(slots).min(most);
        let placed = pods.min(nodes * slots);
        let (full, rest) = (placed / slots, placed % slots);
        let parts = [(full, slots), (u64::from(rest > 0), rest)];
        for (nodes, pods) in parts.into_iter().filter(|(nodes, _)| *nodes > 0) {
            self.bins.push(empty.with(nodes, kind, pods));
        }
        self.opened += nodes;
        pods - placed
    }

    /// What is left free on opened nodes over what they have in all, in millionths, the sum of CPU and memory.
    pub(crate) fn waste(&self, whole: &[u64]) -> u64 {
        let share = |dimension: usize| {
            let whole = whole.get(dimension).copied().unwrap_or(0);
            let all = u128::from(whole) * u128::from(self.opened);
            let new = self.bins.iter().filter(|bin| bin.new);
            let free: u128 = new
                .map(|bin| u128::from(bin.free.get(dimension).copied().unwrap_or(0)) * u128::from(bin.nodes))
                .sum();
            (free * 1_000_000).checked_div(all).unwrap_or(0) as u64
        };
        share(0) + share(1)
    }
}
