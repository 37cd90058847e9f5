//! Nine schedulers that differ in what they prefer and in whom they take first.
//!
//! Written for few pods and few nodes: every pod is placed by looking at every node.

use super::kind::Kind;

/// No trial looks at more pairs of pod and node.
const MOST_PAIRS: u64 = 20_000;

/// Whether so many nodes and pods are few enough.
pub(super) const fn is_small(nodes: usize, pods: u64) -> bool {
    (nodes as u64).saturating_mul(pods) <= MOST_PAIRS
}

/// Which node a scheduler prefers among those with room.
#[derive(Clone, Copy)]
enum Prefers {
    First,
    Emptiest,
    Fullest,
}

/// Whether every one of them places every pod.
///
/// Each kind comes with the nodes that are open to it and the number of its pods; `free` and `whole` are what each node has
/// left and has in all.
pub(super) fn all_succeed(
    pods: &[(&Kind<'_>, Vec<bool>, u64)],
    free: Vec<Vec<u64>>,
    whole: Vec<Vec<u64>>,
) -> bool {
    let large_first: Vec<usize> =
        pods.iter().enumerate().flat_map(|(at, (.., count))| (0..*count).map(move |_| at)).collect();
    let mut small_first = large_first.clone();
    small_first.reverse();
    // Large and small in turn, from both ends.
    let half = large_first.len().div_ceil(2);
    let mut mixed: Vec<usize> = large_first
        .iter()
        .zip(&small_first)
        .flat_map(|(large, small)| [*small, *large])
        .take(2 * half)
        .collect();
    mixed.truncate(large_first.len());
    let orders = [large_first, small_first, mixed];
    orders.iter().all(|order| {
        [Prefers::First, Prefers::Emptiest, Prefers::Fullest]
            .into_iter()
            .all(|prefers| succeeds(pods, order, free.clone(), &whole, prefers))
    })
}

fn succeeds(
    pods: &[(&Kind<'_>, Vec<bool>, u64)],
    order: &[usize],
    mut free: Vec<Vec<u64>>,
    whole: &[Vec<u64>],
    prefers: Prefers,
) -> bool {
    let mut groups: Vec<(usize, Option<(&str, &str)>)> = Vec::new();
    for kind in order {
        let Some((kind, open, _)) = pods.get(*kind) else { return false };
        let alone = |node: usize| kind.group.is_none() || !groups.contains(&(node, kind.group));
        let fitting = free
            .iter()
            .zip(open)
            .enumerate()
            .filter(|(node, (free, open))| **open && kind.slots(free) > 0 && alone(*node))
            .map(|(node, (free, _))| (node, free));
        let fullness = |node: usize, free: &[u64]| -> u64 {
            let whole = whole.get(node).map(Vec::as_slice).unwrap_or_default();
            let share = |(free, whole): (&u64, &u64)| {
                (u128::from(*free) * 1_000_000).checked_div(u128::from(*whole)).unwrap_or(0) as u64
            };
            free.iter().zip(whole).take(2).map(share).sum()
        };
        let chosen = match prefers {
            Prefers::First => fitting.map(|(node, _)| node).next(),
            Prefers::Emptiest => fitting
                .max_by_key(|(node, free)| (fullness(*node, free), std::cmp::Reverse(*node)))
                .map(|(node, _)| node),
            Prefers::Fullest => {
                fitting.min_by_key(|(node, free)| (fullness(*node, free), *node)).map(|(node, _)| node)
            }
        };
        let Some(node) = chosen else { return false };
        if let Some(free) = free.get_mut(node) {
            free.iter_mut().zip(&kind.amount).for_each(|(free, amount)| *free -= amount);
        }
        if kind.group.is_some() {
            groups.push((node, kind.group));
        }
    }
    true
}
