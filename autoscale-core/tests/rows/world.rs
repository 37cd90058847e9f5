//! A cluster on paper: what is seen, the record, and time.

use std::collections::BTreeMap;

use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::record::{Fingerprint, IncomingNotice, Pause, Record};
use autoscale_core::data::view::{
    Budget, ClusterView, Instance, Listing, Node, Owner, Ownership, Phase, Pod, PodPhase, Reading, Ready,
    Sample, Scope, Seen, SignalQuery, Spread, View,
};
use autoscale_core::logic::{Planned, Tick, plan, removable, sizing};
use autoscale_core::words::{
    Fixed, HolderId, Inc, InstanceId, NodeName, NodeUid, PodUid, PoolName, Resources, ShapeName, SignalName,
    Span, Timestamp, WriteId, Zone,
};

use super::read::{Cloud, NodeText, PodText, Scene, Signal, Signals, Step};
use super::seen::Answers;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// How old the nodes of a row are.
const AGE: Span = Span::from_mins(60);

pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) record: Record,
    pub(crate) instances: Vec<Instance>,
    pub(crate) cluster: ClusterView,
    pub(crate) samples: Vec<Sample>,
    notices: Vec<IncomingNotice>,
    pub(crate) now: Timestamp,
    writes: u64,
}

impl World {
    pub(crate) fn new(scene: &Scene) -> Self {
        let policy = scene.policy();
        let fingerprint = Fingerprint::of(policy.cluster(), "");
        let record =
            Record::founding(fingerprint, Inc::new("row0").unwrap(), WriteId::new("w0").unwrap(), START);
        let mut world = Self {
            policy,
            record,
            instances: Vec::new(),
            cluster: ClusterView::new(START, Scope::Everything),
            samples: Vec::new(),
            notices: Vec::new(),
            now: START,
            writes: 0,
        };
        let budgets = scene.budgets.iter().map(|(name, allowed)| {
            let (namespace, name) = name.split_once('/').unwrap();
            Budget::new(namespace, name, *allowed)
        });
        world.cluster.budgets = budgets.collect();
        for node in &scene.nodes {
            numbered(&node.name, node.count).for_each(|name| world.node(&name, node));
        }
        for pod in &scene.pods {
            numbered(&pod.name, pod.count).for_each(|name| world.pod(&name, pod));
        }
        world.signals(&scene.signals);
        world
    }

    fn node(&mut self, name: &str, text: &NodeText) {
        let first = self.policy.pools().values().next().unwrap();
        let named = |name: &String| self.policy.pool(&PoolName::new(name).unwrap()).unwrap();
        let pool = text.pool.as_ref().map_or(first, named).clone();
        let zone = text.zone.as_ref().map_or(pool.zones[0].clone(), |zone| Zone::new(zone).unwrap());
        let mut of = pool.shapes[0].allocatable;
        of.cpu_milli = text.cpu.unwrap_or(of.cpu_milli);
        of.memory = text.memory.unwrap_or(of.memory);
        let born = START.before(AGE);
        self.runs(name, &pool, &zone, born);
        let node = self.joins(name, &pool, &zone, born, of);
        node.keep = text.keep;
        node.ready = if text.unready { Ready::No } else { Ready::Yes };
    }

    /// An instance of ours.
    pub(crate) fn runs(
        &mut self,
        name: &str,
        pool: &PoolPolicy,
        zone: &Zone,
        at: Timestamp,
    ) -> &mut Instance {
        let mut instance = Instance::new(InstanceId::new(name).unwrap(), Ownership::Ours);
        instance.pool = Some(pool.name.clone());
        instance.zone = Some(zone.clone());
        instance.purchase = Some(pool.purchases[0]);
        instance.shape = Some(ShapeName::new(pool.shapes[0].name.as_str()).unwrap());
        instance.launched_at = Some(at);
        self.instances.push(instance);
        self.instances.last_mut().unwrap()
    }

    /// The node of an instance; both have one name.
    pub(crate) fn joins(
        &mut self,
        name: &str,
        pool: &PoolPolicy,
        zone: &Zone,
        at: Timestamp,
        of: Resources,
    ) -> &mut Node {
        let mut node = Node::new(NodeName::new(name).unwrap(), NodeUid::new(name).unwrap(), at, of);
        node.provider_id = Some(format!("rows:///{zone}/{name}"));
        (node.zone, node.pool) = (Some(zone.clone()), Some(pool.name.clone()));
        self.cluster.nodes.push(node);
        self.cluster.nodes.last_mut().unwrap()
    }

    fn pod(&mut self, name: &str, text: &PodText) {
        let asks = Resources::new(text.cpu.unwrap_or(100), text.memory.unwrap_or(64 << 20), 1);
        let mut pod = Pod::new(PodUid::new(name).unwrap(), &text.namespace, name, asks);
        pod.owner = text.owner.split_once('/').map(|(kind, name)| Owner::new(kind, name));
        pod.owner.iter_mut().for_each(|owner| owner.exists = Some(!text.owner_gone));
        (pod.mirror, pod.eviction, pod.storage) = (text.mirror, text.eviction, text.storage);
        pod.deleted_at = text.deleted_ago.map(|ago| START.before(ago));
        pod.deleted_at = text.deleted_in.map_or(pod.deleted_at, |left| Some(START.after(left)));
        match &text.on {
            Some(node) => {
                let phase = if text.finished { PodPhase::Finished } else { PodPhase::Running };
                (pod.node, pod.phase) = (Some(NodeName::new(node).unwrap()), phase);
            }
            None => pod.unschedulable_since = Some(START),
        }
        let place = |name: &String| {
            let known = |budget: &Budget| format!("{}/{}", budget.namespace, budget.name) == *name;
            self.cluster.budgets.iter().position(known).unwrap() as u32
        };
        pod.constraints.volume_zones = text
            .volume_zones
            .as_ref()
            .map(|zones| zones.iter().map(|zone| Zone::new(zone).unwrap()).collect());
        let group = |group: &String| Spread::OnePerNode { group: group.clone() };
        pod.constraints.spread = text.one_per_node.as_ref().map_or(Spread::Free, group);
        pod.budgets = text.budgets.iter().map(place).collect();
        self.cluster.pods.push(pod);
    }

    pub(crate) fn signals(&mut self, signals: &Signals) {
        self.samples.clear();
        for pool in self.policy.pools().keys() {
            for (name, signal) in signals {
                let query = SignalQuery::new(pool.clone(), SignalName::new(name).unwrap());
                self.samples.push(Sample::new(query, reading(signal)));
            }
        }
    }

    /// How many instances are alive in each zone.
    fn population(&self) -> BTreeMap<String, u32> {
        let mut zones = BTreeMap::new();
        let alive = self.instances.iter().filter(|instance| instance.phase == Phase::Running);
        for zone in alive.filter_map(|instance| instance.zone.as_ref()) {
            *zones.entry(zone.to_string()).or_default() += 1;
        }
        zones
    }

    pub(crate) fn wait(&mut self, span: Span) {
        self.now = self.now.after(span);
    }

    pub(crate) fn view(&self) -> View {
        let mut cluster = self.cluster.clone();
        cluster.at = self.now;
        let listing = Listing::new(self.now, self.instances.clone());
        View::new(self.now, Seen::Known(listing), Seen::Known(cluster), self.samples.clone())
    }

    pub(crate) fn brings(&mut self) -> Tick {
        self.writes += 1;
        let write_id = WriteId::new(format!("w{}", self.writes)).unwrap();
        Tick::new(HolderId::new("me").unwrap(), write_id, Span::ZERO)
            .with_notices(std::mem::take(&mut self.notices))
    }

    /// Decides, and stores the next record if it changed.
    pub(crate) fn tick(&mut self) -> Planned {
        let tick = self.brings();
        let planned = plan(&self.policy, &self.record, &self.view(), &tick, self.now).unwrap();
        if planned.changed {
            self.record = planned.next.clone();
        }
        planned
    }

    /// Lives through a step of a row.
    pub(crate) fn step(&mut self, step: &Step) -> Answers {
        let mut orders = Vec::new();
        let mut waited = Span::ZERO;
        while let Some(every) = step.every.filter(|every| waited.plus(*every) < step.wait) {
            self.wait(every);
            waited = waited.plus(every);
            drop(self.tick());
            orders.extend(self.rounds(step.cloud));
        }
        self.wait(step.wait.minus(waited));
        if let Some(signals) = &step.signals {
            self.signals(signals);
        }
        let pause = || serde_json::from_str::<Pause>(r#"{"who": "ann", "why": "upgrade", "until": null}"#);
        self.record.paused = step.paused.then(|| pause().unwrap());
        self.notices = step
            .notices
            .iter()
            .map(|notice| {
                let instance = InstanceId::new(&notice.node).unwrap();
                IncomingNotice::new(&notice.id, instance, notice.kind, notice.left)
            })
            .collect();
        let (tick, view) =
            (Tick::new(HolderId::new("asks").unwrap(), WriteId::new("q").unwrap(), Span::ZERO), self.view());
        let (policy, record, now) = (&self.policy, &self.record, self.now);
        let asked =
            |pool: &PoolName| (pool.clone(), removable(policy, record, &view, &tick, now, (pool, 1_000)));
        let removable = policy.pools().keys().map(asked).collect();
        let sizing = sizing(policy, record, &view, &tick, now, 1_000);
        let planned = self.tick();
        let population = self.population();
        orders.extend(self.rounds(step.cloud));
        Answers { removable, sizing, planned, population, orders }
    }

    /// Carries out what is due and decides again, as a driver does, until nothing is.
    fn rounds(&mut self, cloud: Cloud) -> Vec<String> {
        let mut orders = Vec::new();
        for _ in 0..10 {
            let sent = self.perform(cloud);
            if sent.is_empty() {
                break;
            }
            // A refused eviction is tried again in the next tick, not at once.
            let refused = cloud == Cloud::KeepsPods && sent.iter().any(|order| order.starts_with("evict"));
            orders.extend(sent);
            drop(self.tick());
            if refused {
                break;
            }
        }
        orders
    }
}

fn reading(signal: &Signal) -> Reading {
    let number = match signal {
        Signal::Number(number) => *number,
        Signal::Percent(text) => text.strip_suffix('%').unwrap().parse::<f64>().unwrap() / 100.0,
        Signal::None { fails } => return Reading::Failed { why: fails.clone() },
    };
    Reading::Value { value: Fixed::from_f64(number).unwrap(), age: Span::from_secs(15) }
}

/// `n` for one, `n-1` to `n-5` for five.
fn numbered(name: &str, count: u32) -> impl Iterator<Item = String> {
    (1..=count).map(move |at| if count == 1 { name.to_owned() } else { format!("{name}-{at}") })
}
