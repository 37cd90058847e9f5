//! The worst that a scheduler could do: everything it could do is looked at.
//!
//! A pod stays pending when every node that is open to it has been filled up by others before its turn. Whoever wants that
//! fills the nodes one after the other, each with as few pods as shut it; whatever is left of the others serves for the next.

use std::collections::BTreeSet;

use super::kind::Kind;

/// More pods are not looked at: a search goes as deep as there are pods.
pub(super) const MOST_PODS: u64 = 256;

/// No search looks at more placements.
const MOST_STEPS: u32 = 20_000;

/// So many pods of a kind, and the nodes that admit them and have room for one.
pub(super) struct Movers<'k, 'a> {
    pub(super) kind: &'k Kind<'a>,
    pub(super) open: Vec<bool>,
    pub(super) pods: u64,
}

/// Whether the pods of `target` find room on nodes with so much left, whatever is placed before them and wherever.
///
/// The pods are [`MOST_PODS`] at most. `steps` is what may still be looked at in one decision; `false` also when that does
/// not suffice.
pub(super) fn always_fit(
    target: usize,
    movers: &[Movers<'_, '_>],
    free: &[Vec<u64>],
    steps: &mut u32,
) -> bool {
    let Some(own) = movers.get(target) else { return true };
    let mut nodes: Vec<usize> = (0..free.len()).filter(|at| own.open.get(*at) == Some(&true)).collect();
    let opens = |at: usize| movers.iter().map(move |mover| mover.open.get(at) == Some(&true));
    let slots = |at: usize| free.get(at).map_or(0, |free| own.kind.slots(free));
    // Nodes that are alike stand side by side: what is left after them is the same in many ways.
    nodes.sort_by(|a, b| {
        (slots(*b), free.get(*b)).cmp(&(slots(*a), free.get(*a))).then(opens(*a).cmp(opens(*b)))
    });
    let mut after: Vec<u64> = nodes
        .iter()
        .rev()
        .scan(0, |sum: &mut u64, at| {
            *sum = sum.saturating_add(slots(*at));
            Some(*sum)
        })
        .collect();
    after.reverse();
    let mut left: Vec<u64> = movers.iter().map(|mover| mover.pods).collect();
    left.get_mut(target).into_iter().for_each(|own| *own = own.saturating_sub(1));
    let given = MOST_STEPS.min(*steps);
    let takes = movers.iter().map(|mover| own.kind.taken_by(mover.kind)).collect();
    let mut siege =
        Siege { own: own.kind, movers, free, nodes, after, takes, left, held: BTreeSet::new(), steps: given };
    let shut = siege.shuts(0);
    *steps -= given - siege.steps;
    shut == Some(false)
}

/// An attempt to leave a pod without a node.
struct Siege<'m, 'k, 'a> {
    own: &'k Kind<'a>,
    movers: &'m [Movers<'k, 'a>],
    free: &'m [Vec<u64>],
    /// The nodes that are open to the pod.
    nodes: Vec<usize>,
    /// The pod's slots on each of them and those behind it.
    after: Vec<u64>,
    /// How many of its slots a pod of each kind takes at most.
    takes: Vec<u64>,
    /// What has not been placed yet.
    left: Vec<u64>,
    /// With what could not be shut, from which node on.
    held: BTreeSet<(usize, Vec<u64>)>,
    steps: u32,
}

impl Siege<'_, '_, '_> {
    /// Whether what is left can shut the nodes from this one on; nothing when too much had to be looked at.
    fn shuts(&mut self, at: usize) -> Option<bool> {
        let Some(node) = self.nodes.get(at).copied() else { return Some(true) };
        let pods: u64 = self.left.iter().sum();
        let most = self
            .left
            .iter()
            .zip(&self.takes)
            .fold(0_u64, |sum, (pods, takes)| sum.saturating_add(pods.saturating_mul(*takes)));
        // Every node is open, so that one pod at least goes onto each.
        let few =
            pods < (self.nodes.len() - at) as u64 || self.after.get(at).is_some_and(|slots| most < *slots);
        if few || self.held.contains(&(at, self.left.clone())) {
            return Some(false);
        }
        let free = self.free.get(node).cloned().unwrap_or_default();
        let shuts = self.fill(at, node, 0, &free, &mut Vec::new());
        if shuts == Some(false) {
            self.held.insert((at, self.left.clone()));
        }
        shuts
    }

    /// Whether that can be done with more pods on this node, of the kinds from one on.
    fn fill(
        &mut self,
        at: usize,
        node: usize,
        from: usize,
        free: &[u64],
        here: &mut Vec<usize>,
    ) -> Option<bool> {
        self.steps = self.steps.checked_sub(1)?;
        let grouped = |other: &Kind<'_>, here: &[usize]| {
            other.group.is_some()
                && here
                    .iter()
                    .any(|kind| self.movers.get(*kind).is_some_and(|on| on.kind.group == other.group))
        };
        if self.own.slots(free) == 0 || grouped(self.own, here) {
            return self.shuts(at + 1);
        }
        for (kind, mover) in self.movers.iter().enumerate().skip(from) {
            let open =
                mover.open.get(node) == Some(&true) && self.left.get(kind).is_some_and(|left| *left > 0);
            if !open || mover.kind.slots(free) == 0 || grouped(mover.kind, here) {
                continue;
            }
            let rest: Vec<u64> = free
                .iter()
                .zip(&mover.kind.amount)
                .map(|(free, amount)| free.saturating_sub(*amount))
                .collect();
            self.left.get_mut(kind).into_iter().for_each(|left| *left -= 1);
            here.push(kind);
            let shuts = self.fill(at, node, kind, &rest, here);
            here.pop();
            self.left.get_mut(kind).into_iter().for_each(|left| *left += 1);
            if shuts != Some(false) {
                return shuts;
            }
        }
        Some(false)
    }
}
