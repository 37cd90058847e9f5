//! Whether the pods of a node find room on what remains: first fit, largest pod first, nodes by name.

use std::collections::BTreeMap;

use crate::data::view::{ClusterView, Node, Pod, PodPhase};
use crate::words::{NodeName, Resources};

/// Free room on the nodes that remain.
#[derive(Clone, Debug)]
pub(crate) struct Room<'a> {
    free: BTreeMap<&'a NodeName, Resources>,
}

impl<'a> Room<'a> {
    /// The room on those nodes that `remains` says will stay and take pods.
    pub(crate) fn new(cluster: &'a ClusterView, remains: impl Fn(&Node) -> bool) -> Self {
        let nodes = cluster.nodes.iter().filter(|node| remains(node));
        let mut free: BTreeMap<_, _> = nodes.map(|node| (&node.name, node.allocatable)).collect();
        for pod in cluster.pods.iter().filter(|pod| pod.phase != PodPhase::Finished) {
            if let Some(room) = pod.node.as_ref().and_then(|node| free.get_mut(node)) {
                *room = room.minus(&pod.requests);
            }
        }
        Self { free }
    }

    /// Takes a node away.
    pub(crate) fn remove(&mut self, node: &NodeName) -> Option<Resources> {
        self.free.remove(node)
    }

    /// Gives a node back.
    pub(crate) fn restore(&mut self, node: &'a NodeName, free: Option<Resources>) {
        self.free.extend(free.map(|free| (node, free)));
    }

    /// Seats all pods, or none and names the first that finds no room.
    pub(crate) fn seat<'p>(&mut self, pods: impl Iterator<Item = &'p Pod>) -> Result<(), &'p Pod> {
        let mut pods: Vec<&Pod> = pods.collect();
        let size = |pod: &Pod| (pod.requests.cpu_milli, pod.requests.memory);
        pods.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.uid.cmp(&b.uid)));
        let mut taken: Vec<(&'a NodeName, Resources)> = Vec::new();
        for pod in pods {
            match self.free.iter_mut().find(|(_, room)| pod.requests.fits(room)) {
                Some((name, room)) => {
                    taken.push((name, *room));
                    *room = room.minus(&pod.requests);
                }
                None => {
                    self.free.extend(taken.into_iter().rev());
                    return Err(pod);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::view::Scope;
    use crate::words::{NodeUid, PodUid, Timestamp};

    fn cluster(free_milli: &[u64]) -> ClusterView {
        let mut cluster = ClusterView::new(Timestamp::default(), Scope::Everything);
        for (i, milli) in free_milli.iter().enumerate() {
            let (name, uid) =
                (NodeName::new(format!("n{i}")).unwrap(), NodeUid::new(format!("u{i}")).unwrap());
            cluster.nodes.push(Node::new(
                name,
                uid,
                Timestamp::default(),
                Resources::new(*milli, 1 << 30, 10),
            ));
        }
        cluster
    }

    fn pods(milli: &[u64]) -> Vec<Pod> {
        let pod = |(i, milli): (usize, &u64)| {
            Pod::new(
                PodUid::new(format!("p{i}")).unwrap(),
                "d",
                format!("p{i}"),
                Resources::new(*milli, 1, 1),
            )
        };
        milli.iter().enumerate().map(pod).collect()
    }

    #[test]
    fn seats_all_or_none() {
        let cluster = cluster(&[100, 200]);
        let mut room = Room::new(&cluster, |_| true);
        let before = room.free.clone();
        assert!(room.seat(pods(&[150, 80, 60]).iter()).is_err());
        assert_eq!(room.free, before, "nothing is taken when one pod finds no room");
        assert!(room.seat(pods(&[80, 150]).iter()).is_ok());
        assert!(room.seat(pods(&[60]).iter()).is_err(), "what was taken stays taken");
        assert!(room.seat(pods(&[50]).iter()).is_ok());
    }
}
