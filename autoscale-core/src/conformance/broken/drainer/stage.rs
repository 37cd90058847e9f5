//! The stage over the memory implementation.

use super::*;

pub(super) struct Stage(pub(super) Api);

impl Stage {
    fn add_workload(&self, workload: Workload) -> WorkloadId {
        self.0.world.lock().add_workload(workload)
    }

    fn close(&self, except: &NodeName, away: bool) {
        let mut world = self.0.world.lock();
        let others: Vec<_> = world.survey(&Scope::Pending).nodes;
        for node in others.into_iter().filter(|node| node.name != *except && !node.control_plane) {
            world.cordon_by_hand(&node.name, away);
        }
    }

    fn pass(&self, span: Span) {
        let mut world = self.0.world.lock();
        let end = world.now().after(span);
        world.advance_to(end);
    }
}

#[async_trait]
impl DrainerStage for Stage {
    fn drainer(&self) -> Arc<dyn Drainer> {
        Arc::new(self.0.clone())
    }

    async fn add_node(&self) -> NodeName {
        let mut world = self.0.world.lock();
        let shape = world.settings.shapes[0].name.clone();
        world.add_worker(&Zone::new("a").unwrap(), Purchase::OnDemand, &shape).unwrap();
        world.survey(&Scope::Pending).nodes.last().unwrap().name.clone()
    }

    async fn add_pods(&self, node: &NodeName, count: u32, allowed: Option<u32>) -> Vec<PodRef> {
        let name = format!("work-{}", self.0.world.lock().cluster.workloads.len());
        let mut workload = Workload::new(&name, count, 100, 64 << 20);
        if let Some(allowed) = allowed {
            workload = workload.with_budget(Keep::MinAvailable(count - allowed));
        }
        self.close(node, true);
        self.add_workload(workload);
        self.pass(Span::from_mins(1));
        self.close(node, false);
        let view = self.0.world.lock().survey(&Scope::Everything);
        let of = |pod: &&crate::data::view::Pod| pod.owner.as_ref().is_some_and(|owner| owner.name == name);
        let pods = view.pods.iter().filter(of);
        pods.map(|pod| PodRef::new(pod.uid.clone(), &pod.namespace, &pod.name)).collect()
    }

    async fn add_waiting_pod(&self) -> PodUid {
        self.add_workload(Workload::new("giant", 1, 64_000, 1 << 40));
        let view = self.0.world.lock().survey(&Scope::Pending);
        view.pods.iter().find(|pod| pod.node.is_none()).unwrap().uid.clone()
    }

    async fn node(&self, name: &NodeName) -> Option<Node> {
        self.0.node(name)
    }

    async fn pod(&self, uid: &PodUid) -> PodTruth {
        let view = self.0.world.lock().survey(&Scope::Everything);
        match view.pods.iter().find(|pod| pod.uid == *uid) {
            None => PodTruth::Gone,
            Some(pod) if pod.deleted_at.is_some() => PodTruth::Leaving,
            Some(_) => PodTruth::Running,
        }
    }

    async fn evictions_sent(&self) -> Option<u64> {
        Some(self.0.wire.evictions.load(Ordering::Relaxed))
    }

    async fn cut_survey(&self) -> bool {
        self.0.wire.cutting.set();
        true
    }

    async fn fail_survey(&self) -> bool {
        self.0.wire.failing.set();
        true
    }
}
