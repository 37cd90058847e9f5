//! A small cluster on paper: what is seen, the record, and time.

use autoscale_core::data::explain::{Action, Hold, PoolReport, Verdict};
use autoscale_core::data::order::{Answer, Cordoned, Effect, EvictPass, Launched, Order, Outcome};
use autoscale_core::data::policy::{Policy, PoolBuilder, PoolPolicy, Purchase};
use autoscale_core::data::record::{Fingerprint, IncomingNotice, OpKind, Record, RemoveState};
use autoscale_core::data::view::{
    ClusterView, Instance, Listing, Node, Owner, Ownership, Phase, Pod, PodPhase, Reading, Ready, Sample,
    Scope, Seen, SignalQuery, View,
};
use autoscale_core::logic::{Planned, Tick, due, plan, settle};
use autoscale_core::words::{
    Fixed, HolderId, Inc, InstanceId, NodeName, NodeUid, PodUid, PoolName, Resources, SignalName, Span,
    Timestamp, WriteId, Zone,
};

pub(crate) const DELAY: Span = Span::from_mins(7);
const START: i64 = 1_700_000_000_000;

pub(crate) fn web() -> PoolBuilder {
    PoolPolicy::builder("web")
        .with_zones(["a", "b", "c"])
        .with_shape("m", 1_000, 4 << 30, 10)
        .with_pods_per_node(10)
}

#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub(crate) policy: Policy,
    pub(crate) record: Record,
    pub(crate) instances: Vec<Instance>,
    pub(crate) cluster: ClusterView,
    pub(crate) samples: Vec<Sample>,
    pub(crate) notices: Vec<IncomingNotice>,
    pub(crate) list_fails: bool,
    /// A page of the list was not read.
    pub(crate) list_is_short: bool,
    pub(crate) survey_fails: bool,
    pub(crate) now: i64,
    holder: String,
    writes: u64,
}

impl Lab {
    pub(crate) fn new(pool: PoolBuilder) -> Self {
        let policy = Policy::builder("shop").with_pool(pool).build().unwrap();
        let now = Timestamp::from_millis(START);
        let fingerprint = Fingerprint::of(policy.cluster(), "");
        let record =
            Record::founding(fingerprint, Inc::new("lab0").unwrap(), WriteId::new("w0").unwrap(), now);
        let cluster = ClusterView::new(now, Scope::Everything);
        Self {
            policy,
            record,
            instances: Vec::new(),
            cluster,
            samples: Vec::new(),
            notices: Vec::new(),
            list_fails: false,
            list_is_short: false,
            survey_fails: false,
            now: START,
            holder: "me".to_owned(),
            writes: 0,
        }
    }

    /// With one member in each zone named, an hour old, and `cpu` at half.
    pub(crate) fn with_nodes(pool: PoolBuilder, zones: &[&str]) -> Self {
        let mut lab = Self::new(pool);
        zones.iter().for_each(|zone| {
            lab.node(zone);
        });
        lab.cpu(0.5);
        // The record is founded, and the silence after that is over.
        lab.tick();
        lab.wait(DELAY.as_secs() + 1);
        lab.wait(600);
        lab
    }

    pub(crate) fn node(&mut self, zone: &str) -> InstanceId {
        self.joined(&format!("i-{}", self.instances.len()), zone, Purchase::Spot, START - 3_600_000)
    }

    pub(crate) fn joined(&mut self, id: &str, zone: &str, purchase: Purchase, at: i64) -> InstanceId {
        let id = InstanceId::new(id).unwrap();
        let mut instance = Instance::new(id.clone(), Ownership::Ours);
        instance.pool = Some(pool());
        instance.zone = Some(Zone::new(zone).unwrap());
        instance.purchase = Some(purchase);
        instance.launched_at = Some(Timestamp::from_millis(at));
        self.instances.push(instance);
        let (name, uid) =
            (NodeName::new(format!("n-{id}")).unwrap(), NodeUid::new(format!("u-{id}")).unwrap());
        let mut node = Node::new(name, uid, Timestamp::from_millis(at), Resources::new(1_000, 4 << 30, 10));
        node.provider_id = Some(format!("lab:///{zone}/{id}"));
        node.zone = Some(Zone::new(zone).unwrap());
        node.pool = Some(pool());
        self.cluster.nodes.push(node);
        id
    }

    pub(crate) fn cpu(&mut self, value: f64) {
        let reading = Reading::Value { value: Fixed::from_f64(value).unwrap(), age: Span::from_secs(15) };
        self.signal("cpu", reading);
    }

    pub(crate) fn signal(&mut self, name: &str, reading: Reading) {
        let query = SignalQuery::new(pool(), SignalName::new(name).unwrap());
        self.samples.retain(|sample| sample.query != query);
        self.samples.push(Sample::new(query, reading));
    }

    pub(crate) fn pending(&mut self, count: usize, milli: u64) {
        self.cluster.pods.retain(|pod| pod.node.is_some());
        for i in 0..count {
            let mut pod = self.pod(&format!("waits-{i}"), milli);
            pod.unschedulable_since = Some(Timestamp::from_millis(self.now));
            self.cluster.pods.push(pod);
        }
    }

    pub(crate) fn pod(&self, name: &str, milli: u64) -> Pod {
        let mut pod =
            Pod::new(PodUid::new(name).unwrap(), "default", name, Resources::new(milli, 1 << 20, 1));
        pod.owner = Some(Owner::new("ReplicaSet", "web"));
        pod
    }

    /// A running pod on the node of an instance, to be changed by the test.
    pub(crate) fn runs_on(&mut self, id: &InstanceId, name: &str, milli: u64) -> &mut Pod {
        let mut pod = self.pod(name, milli);
        (pod.node, pod.phase) = (Some(NodeName::new(format!("n-{id}")).unwrap()), PodPhase::Running);
        self.cluster.pods.push(pod);
        self.cluster.pods.last_mut().unwrap()
    }

    pub(crate) fn node_of(&mut self, id: &InstanceId) -> &mut Node {
        let name = format!("n-{id}");
        self.cluster.nodes.iter_mut().find(|node| node.name.as_str() == name).unwrap()
    }

    pub(crate) fn instance(&mut self, id: &InstanceId) -> &mut Instance {
        self.instances.iter_mut().find(|instance| instance.id == *id).unwrap()
    }

    pub(crate) fn as_holder(&mut self, holder: &str) {
        self.holder = holder.to_owned();
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now += i64::try_from(secs * 1_000).unwrap();
    }

    pub(crate) fn view(&self) -> View {
        let now = Timestamp::from_millis(self.now);
        let broken = || "it did not answer".to_owned();
        let instances = match self.list_fails {
            true => Seen::Unknown { why: broken() },
            false => {
                let mut listing = Listing::new(now, self.instances.clone());
                listing.complete = !self.list_is_short;
                Seen::Known(listing)
            }
        };
        let cluster = match self.survey_fails {
            true => Seen::Unknown { why: broken() },
            false => {
                let mut cluster = self.cluster.clone();
                cluster.at = now;
                Seen::Known(cluster)
            }
        };
        View::new(now, instances, cluster, self.samples.clone())
    }

    pub(crate) fn brings(&mut self) -> Tick {
        self.writes += 1;
        let write_id = WriteId::new(format!("w{}", self.writes)).unwrap();
        Tick::new(HolderId::new(&self.holder).unwrap(), write_id, DELAY)
            .with_notices(std::mem::take(&mut self.notices))
    }

    /// As `plan`, when nobody asks what was decided.
    pub(crate) fn tick(&mut self) {
        drop(self.plan());
    }

    /// Plans, and stores the next record if it changed.
    pub(crate) fn plan(&mut self) -> Planned {
        let tick = self.brings();
        let planned =
            plan(&self.policy, &self.record, &self.view(), &tick, Timestamp::from_millis(self.now)).unwrap();
        if planned.changed {
            self.record = planned.next.clone();
        }
        planned
    }

    pub(crate) fn due(&self) -> Vec<Effect> {
        due(&self.policy, &self.record, &self.view())
    }

    pub(crate) fn settle(&mut self, outcomes: &[Outcome]) {
        let tick = self.brings();
        self.record = settle(&self.policy, &self.record, outcomes, &tick, Timestamp::from_millis(self.now));
    }

    /// Performs what is due in a world where everything works at once, and settles it.
    pub(crate) fn perform(&mut self) -> Vec<Order> {
        let mut outcomes = Vec::new();
        for effect in self.due() {
            let answer = self.obey(&effect.order);
            outcomes.push(Outcome::new(effect, answer));
        }
        self.settle(&outcomes);
        outcomes.into_iter().map(|outcome| outcome.effect.order).collect()
    }

    /// Settles what is due, each with the same answer, in a world where nothing happens.
    pub(crate) fn answer(&mut self, answer: &Answer) -> Vec<Order> {
        let outcomes: Vec<_> =
            self.due().into_iter().map(|effect| Outcome::new(effect, answer.clone())).collect();
        self.settle(&outcomes);
        outcomes.into_iter().map(|outcome| outcome.effect.order).collect()
    }

    /// As [`perform`](Self::perform), but of some orders nobody hears again.
    pub(crate) fn perform_but(&mut self, lost: impl Fn(&Order) -> bool) {
        let mut outcomes = Vec::new();
        for effect in self.due() {
            let answer = match lost(&effect.order) {
                true => Answer::Unclear { why: "lost".to_owned() },
                false => self.obey(&effect.order),
            };
            outcomes.push(Outcome::new(effect, answer));
        }
        self.settle(&outcomes);
    }

    pub(crate) fn node_is_open(&self, id: &InstanceId) -> bool {
        let name = format!("n-{id}");
        self.cluster.nodes.iter().any(|node| node.name.as_str() == name && !node.unschedulable)
    }

    fn obey(&mut self, order: &Order) -> Answer {
        match order {
            Order::Launch(order) => {
                let id = format!("i-{}", order.token);
                let id = self.joined(&id, order.offering.zone.as_str(), order.offering.purchase, self.now);
                self.instance(&id).token = Some(order.token.clone());
                Answer::Launched(Launched::new(id))
            }
            Order::Terminate(order) => {
                self.instance(&order.instance).phase = Phase::Terminated;
                self.node_of(&order.instance.clone()).ready = Ready::No;
                Answer::Terminating
            }
            Order::Cordon(order) => {
                let node = self.cluster.nodes.iter_mut().find(|node| node.uid == order.node_uid).unwrap();
                (node.unschedulable, node.cordon, node.stamp) =
                    (true, Some(order.mark.clone()), Some(order.stamp));
                Answer::Cordoned(Cordoned::Done)
            }
            Order::Uncordon(order) => {
                let node = self.cluster.nodes.iter_mut().find(|node| node.uid == order.node_uid).unwrap();
                (node.unschedulable, node.cordon, node.stamp) = (false, None, Some(order.stamp));
                Answer::Cordoned(Cordoned::Done)
            }
            Order::Evict(order) => {
                let mut pass = EvictPass::default();
                pass.accepted = order.pods.iter().map(|pod| pod.uid.clone()).collect();
                self.cluster.pods.retain(|pod| !pass.accepted.contains(&pod.uid));
                Answer::Evicted(pass)
            }
            Order::Forget(order) => {
                self.cluster.nodes.retain(|node| node.uid != order.node_uid);
                Answer::Forgotten
            }
            other => panic!("an order that the lab does not know: {other:?}"),
        }
    }

    /// Ticks until nothing is due, at most ten rounds. Returns every order.
    pub(crate) fn run(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        for _ in 0..10 {
            self.tick();
            let done = self.perform();
            if done.is_empty() && self.record.open_action().is_none() {
                break;
            }
            orders.extend(done);
        }
        orders
    }

    pub(crate) fn remove_state(&self, id: &InstanceId) -> Option<RemoveState> {
        self.record.op_on(id).and_then(|op| match &op.kind {
            OpKind::Remove(remove) => Some(remove.state.clone()),
            _ => None,
        })
    }
}

pub(crate) fn pool() -> PoolName {
    PoolName::new("web").unwrap()
}

pub(crate) fn report(planned: &Planned) -> &PoolReport {
    &planned.explanation.pools[0]
}

pub(crate) fn holds(planned: &Planned) -> Vec<Hold> {
    match &report(planned).verdict {
        Verdict::Hold(holds) => {
            for hold in holds {
                let json = serde_json::to_string(hold).unwrap();
                assert_eq!(json.split('"').nth(1), Some(hold.code()), "a code is the name in JSON");
            }
            holds.clone()
        }
        other => panic!("expected to hold, not {other}"),
    }
}

/// Zone and purchase of every launch decided.
pub(crate) fn launches(planned: &Planned) -> Vec<String> {
    let launch = |action: &Action| match action {
        Action::Launch { offering, .. } => Some(format!("{}/{}", offering.zone, offering.purchase)),
        _ => None,
    };
    planned.explanation.actions.iter().filter_map(launch).collect()
}

/// Every instance whose removal was decided.
pub(crate) fn removals(planned: &Planned) -> Vec<String> {
    let removal = |action: &Action| match action {
        Action::Remove { instance, .. } => Some(instance.to_string()),
        _ => None,
    };
    planned.explanation.actions.iter().filter_map(removal).collect()
}
