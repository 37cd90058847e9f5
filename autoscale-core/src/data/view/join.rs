//! Which node is which instance: by provider id, else by private address.

use super::{Cluster, Listing, Node};

/// The node of each instance and the instance of each node, where exactly one leads to exactly one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Join {
    node_of: Vec<Option<u32>>,
    instance_of: Vec<Option<u32>>,
}

impl Join {
    pub(super) fn node_of(&self, instance: usize) -> Option<usize> {
        self.node_of.get(instance).copied().flatten().map(|at| at as usize)
    }

    pub(super) fn instance_of(&self, node: usize) -> Option<usize> {
        self.instance_of.get(node).copied().flatten().map(|at| at as usize)
    }

    /// Both by sorted search. The instances are sorted by id already.
    pub(super) fn of(listing: Option<&Listing>, cluster: Option<&Cluster>) -> Self {
        let instances = listing.map(|listing| listing.instances.as_slice()).unwrap_or_default();
        let nodes = cluster.map(Cluster::nodes).unwrap_or_default();
        let mut by_id: Vec<(String, u32)> =
            instances.iter().zip(0..).map(|(instance, at)| (plain_id(instance.id.as_str()), at)).collect();
        by_id.sort_unstable();
        let address =
            |(at, instance): (u32, &'_ super::Instance)| Some((instance.private_address.clone()?, at));
        let mut by_address: Vec<(String, u32)> = (0..).zip(instances).filter_map(address).collect();
        by_address.sort_unstable();
        let leads_to = |node: &Node| match &node.provider_id {
            Some(id) => {
                let (path, last) = provider_paths(id);
                sole(&by_id, &plain_id(path)).or_else(|| sole(&by_id, &plain_id(last)))
            }
            None => sole(&by_address, node.address.as_deref()?),
        };
        let mut instance_of: Vec<Option<u32>> = nodes.iter().map(leads_to).collect();
        let mut claims = vec![0_u32; instances.len()];
        for at in instance_of.iter().flatten() {
            claims.get_mut(*at as usize).into_iter().for_each(|claims| *claims += 1);
        }
        let mut node_of = vec![None; instances.len()];
        for (leads, node) in instance_of.iter_mut().zip(0_u32..) {
            let Some(at) = *leads else { continue };
            if claims.get(at as usize) == Some(&1) {
                node_of.get_mut(at as usize).into_iter().for_each(|of| *of = Some(node));
            } else {
                *leads = None;
            }
        }
        Self { node_of, instance_of }
    }
}

/// The only entry of a key.
fn sole(sorted: &[(String, u32)], key: &str) -> Option<u32> {
    let from = sorted.partition_point(|(known, _)| known.as_str() < key);
    match sorted.get(from..)? {
        [(found, at)] if found == key => Some(*at),
        [(found, at), (next, _), ..] if found == key && next != key => Some(*at),
        _ => None,
    }
}

/// The path of a provider id behind its scheme, and the last part of that.
pub(crate) fn provider_paths(provider_id: &str) -> (&str, &str) {
    let path = provider_id.split_once("://").map_or(provider_id, |(_, path)| path);
    (path, path.rsplit('/').next().unwrap_or(path))
}

/// Ids are compared without case and without a leading slash: Azure's differ in both.
pub(crate) fn plain_id(id: &str) -> String {
    id.trim_start_matches('/').to_ascii_lowercase()
}
