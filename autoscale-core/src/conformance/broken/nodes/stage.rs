//! The stage over the memory implementation.

use super::*;

pub(super) struct Stage(pub(super) Provider);

impl Stage {
    fn offering(&self, zone: &str) -> Offering {
        let shape = self.0.world.lock().settings.shapes[0].name.clone();
        Offering::new(Zone::new(zone).unwrap(), Purchase::OnDemand, shape)
    }
}

#[async_trait]
impl NodeStage for Stage {
    fn provider(&self) -> Arc<dyn NodeProvider> {
        Arc::new(self.0.clone())
    }

    fn wares(&self) -> Wares {
        let (cluster, pool) = {
            let world = self.0.world.lock();
            (world.settings.cluster.clone(), world.settings.pools[0].name.clone())
        };
        Wares::new(cluster, pool, self.offering("a")).with_other(self.offering("b")).with_pinned("image-1")
    }

    async fn bought(&self, token: &Token) -> Vec<InstanceId> {
        let world = self.0.world.lock();
        let instead = self.0.account.instead.lock().unwrap();
        let tokens = instead.get(token).into_iter().flatten().chain([token]);
        tokens.filter_map(|token| world.cloud.by_token(token)).map(|machine| machine.id.clone()).collect()
    }

    async fn is_alive(&self, instance: &InstanceId) -> bool {
        self.0.alive(instance)
    }

    async fn settle(&self) {
        let mut world = self.0.world.lock();
        let end = world.now().after(Span::from_mins(10));
        world.advance_to(end);
    }

    async fn place(&self, stranger: Stranger) -> Option<InstanceId> {
        let ownership = match stranger {
            Stranger::Untagged | Stranger::OtherCluster => Ownership::Foreign,
            Stranger::ControlPlane => Ownership::ControlPlane,
            Stranger::WorkerTag => Ownership::WorkerTag,
        };
        let offering = self.offering("a");
        let mut world = self.0.world.lock();
        let allocatable = world.settings.shapes[0].allocatable;
        let index = world.boot(New {
            ownership,
            pool: None,
            offering,
            pinned: String::new(),
            allocatable,
            token: None,
        });
        let id = world.cloud.machine(index)?.id.clone();
        if ownership != Ownership::ControlPlane {
            self.0.account.strangers.lock().unwrap().insert(id.clone());
        }
        Some(id)
    }

    async fn sell_out(&self, offering: &Offering) -> bool {
        self.0.world.lock().set_capacity(offering.clone(), Some(0));
        true
    }

    async fn protect(&self, instance: &InstanceId) -> bool {
        self.0.world.lock().set_protected(instance, true);
        true
    }

    async fn lose_answer(&self) -> bool {
        self.0.account.losing.set();
        true
    }

    async fn launches_sent(&self) -> Option<u64> {
        Some(self.0.account.sent.load(Ordering::Relaxed))
    }

    async fn tags_written(&self) -> Option<u64> {
        Some(self.0.account.tagged.load(Ordering::Relaxed))
    }

    async fn cut_list(&self) -> bool {
        self.0.account.cutting.set();
        true
    }

    async fn fail_list(&self) -> bool {
        self.0.account.failing.set();
        true
    }
}
