//! Headroom: room that a pool keeps free, so that new pods need not wait for a new node.

use super::scene::Scene;
use crate::data::policy::{Headroom, PoolPolicy};
use crate::data::view::Cluster;
use crate::logic::fit::Room;

/// What is free on the serving nodes of a pool, and how many of them have no pods that would have to leave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spare {
    cpu_milli: u64,
    memory: u64,
    nodes: u64,
    wanted: Headroom,
}

/// What has to leave a node: CPU, memory, pods.
fn load(cluster: &Cluster, node: usize) -> (u64, u64, u64) {
    cluster.evictable(node).fold((0, 0, 0), |(cpu, memory, pods), (seat, class)| {
        let count = u64::from(seat.count);
        let add = |sum: u64, each: u64| sum.saturating_add(each.saturating_mul(count));
        (add(cpu, class.requests.cpu_milli), add(memory, class.requests.memory), pods + count)
    })
}

impl Spare {
    pub(crate) fn of(scene: &Scene<'_>, cluster: &Cluster, pool: &PoolPolicy, room: &Room<'_>) -> Self {
        let mut spare = Self { wanted: pool.headroom, ..Self::default() };
        if spare.wants_nothing() {
            return spare;
        }
        let serving = scene.members(&pool.name).filter(|body| body.is_serving());
        for at in serving.filter_map(|body| body.node_at) {
            let (cpu, memory) = room.free(at);
            spare.cpu_milli = spare.cpu_milli.saturating_add(cpu);
            spare.memory = spare.memory.saturating_add(memory);
            spare.nodes += u64::from(cluster.evictable(at).next().is_none());
        }
        spare
    }

    fn wants_nothing(&self) -> bool {
        self.wanted == Headroom::default()
    }

    /// What is left when a node goes and its pods move to the others. Each pod that moves may settle on an empty node.
    fn without(&self, cluster: &Cluster, node: usize, room: &Room<'_>) -> Self {
        let ((cpu, memory), (moved_cpu, moved_memory, pods)) = (room.free(node), load(cluster, node));
        let gone = if pods == 0 { 1 } else { pods.min(self.nodes) };
        Self {
            cpu_milli: self.cpu_milli.saturating_sub(cpu).saturating_sub(moved_cpu),
            memory: self.memory.saturating_sub(memory).saturating_sub(moved_memory),
            nodes: self.nodes.saturating_sub(gone),
            wanted: self.wanted,
        }
    }

    /// Whether the headroom is left when a node goes.
    pub(crate) fn is_left_without(&self, cluster: &Cluster, node: usize, room: &Room<'_>) -> bool {
        if self.wants_nothing() {
            return true;
        }
        let left = self.without(cluster, node, room);
        let Headroom { cpu_milli, memory, nodes, .. } = self.wanted;
        left.cpu_milli >= cpu_milli && left.memory >= memory && left.nodes >= u64::from(nodes)
    }

    /// A node goes.
    pub(crate) fn goes(&mut self, cluster: &Cluster, node: usize, room: &Room<'_>) {
        if !self.wants_nothing() {
            *self = self.without(cluster, node, room);
        }
    }

    /// How many more nodes the headroom needs, when `starting` of them are on their way, each with so much room.
    pub(crate) fn missing(&self, starting: u32, empty: (u64, u64)) -> u32 {
        let Headroom { cpu_milli, memory, nodes, .. } = self.wanted;
        let coming = u64::from(starting);
        let need = |wanted: u64, free: u64, each: u64| {
            let short = wanted.saturating_sub(free.saturating_add(each.saturating_mul(coming)));
            if short == 0 {
                0
            } else {
                short.checked_div(each).map_or(0, |whole| whole + u64::from(short % each > 0))
            }
        };
        let cpu = need(cpu_milli, self.cpu_milli, empty.0);
        let memory = need(memory, self.memory, empty.1);
        let nodes = u64::from(nodes).saturating_sub(self.nodes.saturating_add(coming));
        cpu.max(memory).max(nodes).min(u64::from(u32::MAX)) as u32
    }
}
