//! Whether the pods of nodes that go find room on the nodes that stay, **whatever the scheduler does**.
//!
//! A first-fit that succeeds proves little: a scheduler that spreads pods may cut the free room up so that the largest finds
//! none. What is asked here is a bound that holds for every scheduler that binds a pod whenever some node has room. Say that
//! a pod has as many *slots* on a node as pods of its kind fit there. A pod of the same kind takes one slot, a pod of
//! another kind at most as many as [`Kind::taken_by`] says, wherever it goes. When the nodes that stay have at least as many
//! slots as all that moves can take, a slot is left whenever its turn comes.
//!
//! Where few pods move and the bound says nothing, everything is looked at that a scheduler could do with them, see
//! [`worst`](super::worst).

use std::collections::{BTreeMap, BTreeSet};

use super::kind::{Kinds, group_of};
use super::site;
use super::worst::{self, Movers};
use crate::data::view::{Cluster, Node, Seat, Stage};

/// Free room on the nodes that stay, and what has to move there.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    cluster: &'a Cluster,
    kinds: Kinds<'a>,
    stride: usize,
    free: Vec<u64>,
    stays: Vec<bool>,
    /// Whether a rule admits a site: unknown, yes, no.
    admitted: Vec<Option<bool>>,
    /// How many pods of a kind move, and how many slots all that moves can take from it.
    moved: BTreeMap<u32, Moved>,
    /// Kinds of which pods are only queued, and have no sure place as it is: no node stays for their sake.
    excused: BTreeSet<u32>,
    /// What may still be looked at where the bound says nothing.
    steps: u32,
}

/// What moves of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    pods: u64,
    /// Slots that all that moves can take, itself included.
    needed: u64,
    /// Slots on the nodes before `upto` that stay.
    slots: u64,
    upto: usize,
}

/// Most placements that are looked at in one decision.
const MOST_STEPS: u32 = 200_000;

impl<'a> Room<'a> {
    /// The room on the nodes for which `stays` says that they remain and take pods, by index.
    pub(crate) fn new(cluster: &'a Cluster, stays: impl Fn(usize, &Node) -> bool) -> Self {
        let kinds = Kinds::of(cluster);
        let stride = kinds.stride();
        let mut free = Vec::with_capacity(cluster.nodes().len() * stride);
        for (at, node) in cluster.nodes().iter().enumerate() {
            let mut left = kinds.amount(&node.allocatable, &node.extended);
            for seat in cluster.seats(at) {
                if !cluster.class(seat).is_some_and(|class| class.takes_room()) {
                    continue;
                }
                let Some(kind) = kinds.of_seat(seat).and_then(|kind| kinds.get(kind)) else { continue };
                for (left, amount) in left.iter_mut().zip(&kind.amount) {
                    *left = left.saturating_sub(amount.saturating_mul(u64::from(seat.count)));
                }
            }
            free.extend(left);
        }
        let stays: Vec<bool> = cluster.nodes().iter().enumerate().map(|(at, node)| stays(at, node)).collect();
        let admitted = vec![None; kinds.rules() * cluster.site_count()];
        let (moved, excused, steps) = (BTreeMap::new(), BTreeSet::new(), MOST_STEPS);
        Self { cluster, kinds, stride, free, stays, admitted, moved, excused, steps }
    }

    /// Counts the pods as moving that the scheduler has not judged yet: they are about to take room. To be called after
    /// [`is_leaving`](Self::is_leaving).
    pub(crate) fn are_queued(&mut self) {
        let seats = self.cluster.unbound().iter();
        let queued = seats.filter(|seat| {
            self.cluster.class(seat).is_some_and(|class| class.stage == Stage::Queued && !class.is_daemon())
        });
        let added = self.by_kind(queued);
        let alone: Vec<u32> =
            added.iter().map(|(kind, _)| *kind).filter(|kind| !self.moved.contains_key(kind)).collect();
        self.add(&added);
        for kind in alone {
            if !self.is_proven(kind) {
                self.excused.insert(kind);
            }
        }
    }

    /// Counts the pods of a node that is on its way out already as moving. Nothing is checked.
    pub(crate) fn is_leaving(&mut self, node: usize) {
        self.stay(node, false);
        let added = self.demand(node);
        self.add(&added);
    }

    /// Takes a node away if the pods that have to leave it are sure to find room on the rest, together with all that
    /// moves already.
    ///
    /// # Errors
    /// The class of the first pods that are not, those that ask for more first; nothing has changed.
    pub(crate) fn take(&mut self, node: usize) -> Result<(), u32> {
        let added = self.demand(node);
        let before = (self.moved.clone(), self.excused.clone());
        let stayed = self.stays.get(node) == Some(&true);
        self.stay(node, false);
        self.add(&added);
        self.excused.retain(|kind| !added.iter().any(|(moves, _)| moves == kind));
        let judged: Vec<u32> =
            self.moved.keys().copied().filter(|kind| !self.excused.contains(kind)).collect();
        let unproven: Vec<u32> = judged.into_iter().filter(|kind| !self.is_proven(*kind)).collect();
        if unproven.is_empty() {
            return Ok(());
        }
        let Some(short) = self.worst(&unproven) else { return Ok(()) };
        (self.moved, self.excused) = before;
        self.stay(node, stayed);
        let of = |kind: u32| {
            let mut seats = self.cluster.evictable(node).map(|(seat, _)| seat);
            seats.find(|seat| self.kinds.of_seat(seat) == Some(kind)).map(|seat| seat.class)
        };
        let first = || self.cluster.evictable(node).next().map(|(seat, _)| seat.class);
        Err(of(short).or_else(first).unwrap_or_default())
    }

    /// Free CPU and memory on a node.
    pub(crate) fn free(&self, node: usize) -> (u64, u64) {
        let free = self.free_at(node);
        (free.first().copied().unwrap_or(0), free.get(1).copied().unwrap_or(0))
    }

    fn free_at(&self, node: usize) -> &[u64] {
        self.free.get(node * self.stride..(node + 1) * self.stride).unwrap_or_default()
    }

    /// What has to leave a node, by kind.
    fn demand(&self, node: usize) -> Vec<(u32, u64)> {
        self.by_kind(self.cluster.evictable(node).map(|(seat, _)| seat))
    }

    fn by_kind<'s>(&self, seats: impl Iterator<Item = &'s Seat>) -> Vec<(u32, u64)> {
        let mut kinds: BTreeMap<u32, u64> = BTreeMap::new();
        for seat in seats {
            if let Some(kind) = self.kinds.of_seat(seat) {
                *kinds.entry(kind).or_default() += u64::from(seat.count);
            }
        }
        kinds.into_iter().collect()
    }

    /// A node stays or goes: the slots that were counted on it come or go with it.
    fn stay(&mut self, node: usize, stays: bool) {
        if self.stays.get(node).is_none_or(|before| *before == stays) {
            return;
        }
        if stays {
            // The sums of before have been restored.
            self.stays.get_mut(node).into_iter().for_each(|at| *at = true);
            return;
        }
        let counted: Vec<u32> =
            self.moved.iter().filter(|(_, moved)| moved.upto > node).map(|(kind, _)| *kind).collect();
        for kind in counted {
            let here = self.slots(kind, node);
            self.moved
                .get_mut(&kind)
                .into_iter()
                .for_each(|moved| moved.slots = moved.slots.saturating_sub(here));
        }
        self.stays.get_mut(node).into_iter().for_each(|at| *at = false);
    }

    /// More pods move.
    fn add(&mut self, added: &[(u32, u64)]) {
        for (kind, pods) in added {
            let Some(new) = self.kinds.get(*kind) else { continue };
            let mut needed = 0_u64;
            for (other, moved) in &mut self.moved {
                let Some(known) = self.kinds.get(*other).filter(|_| other != kind) else { continue };
                moved.needed = moved.needed.saturating_add(known.taken_by(new).saturating_mul(*pods));
                needed = needed.saturating_add(new.taken_by(known).saturating_mul(moved.pods));
            }
            let moved = self.moved.entry(*kind).or_default();
            // What others take from a kind that moved before has been counted then.
            moved.needed = if moved.pods == 0 { needed } else { moved.needed }.saturating_add(*pods);
            moved.pods += pods;
        }
    }

    /// Whether the nodes that stay have as many slots of a kind as all that moves can take.
    fn is_proven(&mut self, kind: u32) -> bool {
        let Some(mut moved) = self.moved.get(&kind).copied() else { return true };
        while moved.slots < moved.needed && moved.upto < self.stays.len() {
            moved.slots = moved.slots.saturating_add(self.slots(kind, moved.upto));
            moved.upto += 1;
        }
        self.moved.insert(kind, moved);
        moved.slots >= moved.needed
    }

    /// How many pods of a kind fit on a node; none where it goes or does not admit them.
    fn slots(&mut self, kind: u32, node: usize) -> u64 {
        if !self.stays.get(node).copied().unwrap_or(false) {
            return 0;
        }
        let Some(of) = self.kinds.get(kind) else { return 0 };
        let slots = of.slots(self.free_at(node));
        let (rule, constraints, group) = (of.rule, of.constraints, of.group);
        if slots == 0 || !self.admits(rule, constraints, node) {
            return 0;
        }
        if group.is_some_and(|group| self.has(node, group)) { 0 } else { slots }
    }

    fn admits(&mut self, rule: u32, constraints: &crate::data::view::Constraints, node: usize) -> bool {
        let Some(site) = self.cluster.site(node) else { return false };
        let at = rule as usize * self.cluster.site_count() + site as usize;
        if let Some(Some(known)) = self.admitted.get(at) {
            return *known;
        }
        let sample = self.cluster.site_sample(site);
        let admits = sample.is_some_and(|node| site::node_admits(constraints, node).is_ok());
        self.admitted.get_mut(at).into_iter().for_each(|known| *known = Some(admits));
        admits
    }

    /// Whether a pod of a group is on a node.
    fn has(&self, node: usize, group: (&str, &str)) -> bool {
        let classes = self.cluster.seats(node).iter().filter_map(|seat| self.cluster.class(seat));
        classes.filter(|class| class.takes_room()).any(|class| group_of(class) == Some(group))
    }

    /// The first of these kinds whose pods might find no room.
    fn worst(&mut self, kinds: &[u32]) -> Option<u32> {
        // To look at a node's room takes a small part of the time of a step.
        let looks = (self.stays.len() * self.moved.len() / 16) as u64;
        self.steps = self.steps.saturating_sub(u32::try_from(looks).unwrap_or(u32::MAX));
        let pods: u64 = self.moved.values().map(|moved| moved.pods).sum();
        if self.steps == 0 || pods > worst::MOST_PODS {
            return kinds.first().copied();
        }
        let nodes: Vec<usize> =
            (0..self.stays.len()).filter(|at| self.stays.get(*at) == Some(&true)).collect();
        let moved: Vec<(u32, u64)> = self.moved.iter().map(|(kind, moved)| (*kind, moved.pods)).collect();
        let open: Vec<Vec<bool>> = moved
            .iter()
            .map(|(kind, _)| nodes.iter().map(|node| self.slots(*kind, *node) > 0).collect())
            .collect();
        let free: Vec<Vec<u64>> = nodes.iter().map(|node| self.free_at(*node).to_vec()).collect();
        let movers: Vec<Movers<'_, '_>> = moved
            .iter()
            .zip(open)
            .filter_map(|((kind, pods), open)| {
                Some(Movers { kind: self.kinds.get(*kind)?, open, pods: *pods })
            })
            .collect();
        let mut steps = self.steps;
        let mut fits = |kind: &u32| {
            let at = moved.iter().position(|(moves, _)| moves == kind);
            at.is_some_and(|at| worst::always_fit(at, &movers, &free, &mut steps))
        };
        let short = kinds.iter().copied().find(|kind| !fits(kind));
        self.steps = steps;
        short
    }
}
