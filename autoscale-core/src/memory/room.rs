//! The free room of every node in a tree, so that the first node with enough of it is found without looking at each.

use crate::words::Resources;

/// Free room by node number. Inner places hold the most of each resource below them.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// A power of two, or nothing.
    leaves: usize,
    /// The root at 1, the children of `at` at `2 * at` and `2 * at + 1`.
    tree: Vec<Resources>,
}

impl Room {
    /// Sets what a node has free; a node that is gone has nothing.
    pub(super) fn set(&mut self, node: u32, free: Resources) {
        let node = node as usize;
        if node >= self.leaves {
            self.grow(node + 1);
        }
        let mut at = self.leaves + node;
        if let Some(leaf) = self.tree.get_mut(at) {
            *leaf = free;
        }
        while at > 1 {
            at /= 2;
            let most = most(self.free(2 * at), self.free(2 * at + 1));
            match self.tree.get_mut(at) {
                Some(inner) if *inner != most => *inner = most,
                _ => return,
            }
        }
    }

    /// The first node that has room for `wanted` and is `good`.
    pub(super) fn first(&self, wanted: &Resources, good: &mut dyn FnMut(u32) -> bool) -> Option<u32> {
        if self.leaves == 0 { None } else { self.below(1, wanted, good) }
    }

    fn below(&self, at: usize, wanted: &Resources, good: &mut dyn FnMut(u32) -> bool) -> Option<u32> {
        if !wanted.fits(&self.free(at)) {
            return None;
        }
        match at.checked_sub(self.leaves) {
            Some(node) => Some(node as u32).filter(|node| good(*node)),
            None => self.below(2 * at, wanted, good).or_else(|| self.below(2 * at + 1, wanted, good)),
        }
    }

    fn free(&self, at: usize) -> Resources {
        self.tree.get(at).copied().unwrap_or_default()
    }

    fn grow(&mut self, nodes: usize) {
        let old: Vec<Resources> = self.tree.iter().skip(self.leaves).copied().collect();
        self.leaves = nodes.next_power_of_two();
        self.tree = vec![Resources::default(); self.leaves];
        self.tree.extend(old);
        self.tree.resize(2 * self.leaves, Resources::default());
        for at in (1..self.leaves).rev() {
            let most = most(self.free(2 * at), self.free(2 * at + 1));
            if let Some(inner) = self.tree.get_mut(at) {
                *inner = most;
            }
        }
    }
}

fn most(one: Resources, other: Resources) -> Resources {
    Resources::new(one.cpu_milli.max(other.cpu_milli), one.memory.max(other.memory), one.pods.max(other.pods))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Rng;

    #[test]
    fn finds_what_looking_at_each_would_find() {
        let (mut rng, mut room, mut each) = (Rng::new(5), Room::default(), vec![Resources::default(); 300]);
        let draw = |rng: &mut Rng| Resources::new(rng.below(9), rng.below(9), rng.below(3) as u32);
        for step in 0..3_000_u64 {
            let node = rng.below(1 + step / 10) as usize;
            each[node] = draw(&mut rng);
            room.set(node as u32, each[node]);
            let (wanted, odd) = (draw(&mut rng).plus(&Resources::new(1, 0, 1)), rng.chance(500_000));
            let good = |node: u32| !odd || node % 2 == 1;
            let found = room.first(&wanted, &mut |node| good(node));
            let expected = (0..300).find(|node| wanted.fits(&each[*node as usize]) && good(*node));
            assert_eq!(found, expected, "step {step}, {wanted:?}");
        }
        assert_eq!(Room::default().first(&Resources::default(), &mut |_| true), None);
    }
}
