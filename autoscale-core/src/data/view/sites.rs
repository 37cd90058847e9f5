//! Nodes that no pod can tell apart stand together, so that constraints are judged once for all of them.

use std::collections::BTreeMap;

use super::{Node, PodClass};

/// For each node the number of its site, and for each site a node of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sites {
    pub(super) of_node: Vec<u32>,
    pub(super) samples: Vec<u32>,
}

impl Sites {
    /// Nodes are of one site when they have the same taints, the same values of all labels that any pod asks for, and, if any
    /// pod has volumes, the same zone.
    pub(super) fn of(nodes: &[Node], classes: &[PodClass]) -> Self {
        let mut keys: Vec<&str> = classes.iter().flat_map(|class| class.constraints.labels()).collect();
        keys.sort_unstable();
        keys.dedup();
        let by_zone = classes.iter().any(|class| class.constraints.volume_zones.is_some());
        let mut known = BTreeMap::new();
        let mut sites = Self { of_node: Vec::with_capacity(nodes.len()), samples: Vec::new() };
        for (node, at) in nodes.iter().zip(0_u32..) {
            let labels: Vec<Option<&str>> = keys.iter().map(|key| node.label(key)).collect();
            let zone = node.zone.as_ref().filter(|_| by_zone);
            let next = sites.samples.len() as u32;
            let site = *known.entry((labels, &node.taints, zone)).or_insert(next);
            if site == next {
                sites.samples.push(at);
            }
            sites.of_node.push(site);
        }
        sites
    }
}
