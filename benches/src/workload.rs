//! Three problems whose exact answers are known by arithmetic.

use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::record::{Fingerprint, Record};
use autoscale_core::data::view::{
    ClusterView, Instance, Listing, Node, Owner, Ownership, Pod, PodPhase, Scope, Seen, View,
};
use autoscale_core::logic::{Tick, removable, sizing};
use autoscale_core::words::{
    HolderId, Inc, InstanceId, NodeName, NodeUid, PodUid, PoolName, Resources, Span, Timestamp, WriteId, Zone,
};

use crate::Lcg;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A problem.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Workload {
    policy: Policy,
    record: Record,
    tick: Tick,
    /// As the provider lists them.
    pub listing: Listing,
    /// As the drainer surveys it.
    pub survey: ClusterView,
}

/// The exact answers: new nodes for 50,000 pods, nodes of 2,000 that may go, new nodes for 51,000 pods of two sizes.
pub mod answer {
    /// 50 pods of 200 thousandths fill a node of 10 CPUs.
    pub const MANY_NEW: u32 = 50_000 / 50;
    /// 80,000 pods of 100 thousandths fill 800 nodes of 10 CPUs.
    pub const MANY_GONE: usize = 2_000 - 80_000 / 100;
    /// 10 pods of 95 thousandths and one of 50 fill a node of 1 CPU, 20 pods of 50 thousandths another.
    pub const TWO_SIZES: u32 = 100 + (50_000 - 100) / 20;
}

impl Workload {
    /// 50,000 pods of 200 thousandths of a CPU wait; nodes have 10 CPUs and take 110 pods.
    pub fn many_new() -> Self {
        let mut this = Self::new(Resources::new(10_000, 100 << 30, 110));
        this.waiting(50_000, Resources::new(200, 1 << 20, 1), "p");
        this.shuffled()
    }

    /// 2,000 such nodes have 40 pods of 100 thousandths each.
    pub fn many_gone() -> Self {
        let whole = Resources::new(10_000, 100 << 30, 110);
        let mut this = Self::new(whole);
        for index in 0..2_000 {
            let node = this.node(index, whole);
            for number in 0..40 {
                let mut pod = pod(&format!("p-{index}-{number}"), "web", Resources::new(100, 1 << 20, 1));
                (pod.node, pod.phase) = (Some(node.clone()), PodPhase::Running);
                this.survey.pods.push(pod);
            }
        }
        this.shuffled()
    }

    /// 50,000 pods of 50 thousandths of a CPU and 100 of memory and 1,000 of 95 and 190 wait; nodes have 1,000 and 5,000
    /// and take 100 pods.
    pub fn two_sizes() -> Self {
        let mut this = Self::new(Resources::new(1_000, 5_000, 100));
        this.waiting(50_000, Resources::new(50, 100, 1), "small");
        this.waiting(1_000, Resources::new(95, 190, 1), "large");
        this.shuffled()
    }

    fn new(shape: Resources) -> Self {
        let Resources { cpu_milli, memory, pods, .. } = shape;
        let pool = PoolPolicy::builder("web")
            .with_min(0)
            .with_max(10_000)
            .with_zones(["a"])
            .with_shape("m", cpu_milli, memory, pods);
        let policy = Policy::builder("shop").with_pool(pool).build().expect("fixed");
        let (inc, write) = (Inc::new("bench001").expect("fixed"), WriteId::new("w0").expect("fixed"));
        let record = Record::founding(Fingerprint::of(policy.cluster(), ""), inc, write.clone(), NOW);
        let tick = Tick::new(HolderId::new("bench").expect("fixed"), write, Span::ZERO);
        let (listing, survey) = (Listing::new(NOW, Vec::new()), ClusterView::new(NOW, Scope::Everything));
        Self { policy, record, tick, listing, survey }
    }

    fn waiting(&mut self, count: usize, requests: Resources, owner: &str) {
        for number in 0..count {
            let mut pod = pod(&format!("{owner}-{number}"), owner, requests);
            pod.unschedulable_since = Some(NOW);
            self.survey.pods.push(pod);
        }
    }

    fn node(&mut self, index: usize, whole: Resources) -> NodeName {
        let made = NOW.before(Span::from_mins(60 * 24));
        let id = InstanceId::new(format!("i-{index:05}")).expect("digits");
        let name = NodeName::new(format!("n-{index:05}")).expect("digits");
        let uid = NodeUid::new(format!("u-{index:05}")).expect("digits");
        let mut instance = Instance::new(id.clone(), Ownership::Ours);
        instance.pool = Some(pool());
        instance.zone = Some(Zone::new("a").expect("a letter"));
        instance.launched_at = Some(made);
        self.listing.instances.push(instance);
        let mut node = Node::new(name.clone(), uid, made, whole);
        node.provider_id = Some(format!("lab:///a/{id}"));
        self.survey.nodes.push(node);
        name
    }

    fn shuffled(mut self) -> Self {
        let mut rng = Lcg::new(7);
        rng.shuffle(&mut self.listing.instances);
        rng.shuffle(&mut self.survey.nodes);
        rng.shuffle(&mut self.survey.pods);
        self
    }

    /// The view, reduced from copies of the lists.
    pub fn view(&self) -> View {
        self.reduce(self.listing.clone(), self.survey.clone())
    }

    /// The view, reduced from lists that were copied before.
    pub fn reduce(&self, listing: Listing, survey: ClusterView) -> View {
        View::new(NOW, Seen::Known(listing), Seen::Known(survey), Vec::new())
    }

    /// How many nodes the waiting pods need; how many pods would be left.
    pub fn needed(&self, view: &View) -> (u32, u64) {
        let sizing = sizing(&self.policy, &self.record, view, &self.tick, NOW, 10_000);
        (sizing.nodes(), sizing.left)
    }

    /// How many nodes may go together.
    pub fn removable(&self, view: &View) -> usize {
        removable(&self.policy, &self.record, view, &self.tick, NOW, (&pool(), 10_000)).instances.len()
    }
}

fn pool() -> PoolName {
    PoolName::new("web").expect("letters")
}

fn pod(name: &str, owner: &str, requests: Resources) -> Pod {
    let mut pod = Pod::new(PodUid::new(name).expect("letters and digits"), "default", name, requests);
    pod.owner = Some(Owner::new("ReplicaSet", owner));
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_those_of_arithmetic() {
        let [one, two, three] = [Workload::many_new(), Workload::many_gone(), Workload::two_sizes()];
        assert_eq!(one.needed(&one.view()), (answer::MANY_NEW, 0));
        assert_eq!(two.removable(&two.view()), answer::MANY_GONE);
        assert_eq!(three.needed(&three.view()), (answer::TWO_SIZES, 0));
        assert_eq!((answer::MANY_NEW, answer::MANY_GONE, answer::TWO_SIZES), (1_000, 1_200, 2_595));
    }
}
