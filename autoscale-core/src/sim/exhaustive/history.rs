//! The histories: a small world, what happens in it, and how it is to end.

use std::sync::Arc;

use crate::data::order::Offering;
use crate::data::policy::{Policy, PoolPolicy, Purchase, When};
use crate::memory::{Keep, Settings, Workload, World};
use crate::sim::net::Net;
use crate::words::{Fixed, SignalName, Span, Zone};

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// So many seconds after the start.
    Start(u64),
    /// So many seconds after a node was first cordoned by us.
    Cordon(u64),
    /// So many seconds after the first instance was bought.
    Bought(u64),
    /// When so many calls have been sent.
    Calls(usize),
}

/// What happens to the world.
type Happens = fn(&mut Net);

/// A short run with one driver at a time.
#[derive(Debug)]
pub(super) struct History {
    pub(super) name: &'static str,
    min: u32,
    workers: u32,
    /// Pods on each worker, and how many seconds they take to stop and to start.
    pods: (u32, u64, u64),
    /// The load in percent.
    cpu: i64,
    pub(super) events: &'static [(At, Happens)],
    /// How many instances there are to be in the end: at least and at most.
    pub(super) nodes: (u32, u32),
    /// How many may have been bought: in the run without faults, and at most.
    pub(super) bought: (u32, u32),
    /// It is not over before so many ticks.
    pub(super) ticks: u32,
}

/// Every history.
pub(super) const ALL: [History; 14] = [
    History {
        name: "launch",
        min: 2,
        workers: 2,
        pods: (1, 20, 2),
        cpu: 50,
        events: &[(At::Start(30), rush)],
        nodes: (3, 3),
        bought: (1, 1),
        ticks: 5,
    },
    History {
        name: "no-capacity",
        min: 2,
        workers: 2,
        pods: (1, 20, 2),
        cpu: 50,
        events: &[(At::Start(1), no_spot), (At::Start(30), rush)],
        nodes: (3, 3),
        bought: (1, 1),
        ticks: 5,
    },
    History {
        name: "removal",
        min: 2,
        workers: 3,
        pods: (1, 20, 2),
        cpu: 10,
        events: &[],
        nodes: (2, 2),
        bought: (0, 0),
        ticks: 8,
    },
    History {
        name: "blocked",
        min: 2,
        workers: 3,
        pods: (2, 20, 3_600),
        cpu: 10,
        events: &[(At::Cordon(60), busy)],
        nodes: (3, 3),
        bought: (0, 0),
        ticks: 8,
    },
    History {
        name: "recall",
        min: 2,
        workers: 3,
        pods: (1, 200, 2),
        cpu: 10,
        events: &[(At::Cordon(10), rush)],
        // Where an old view began a second removal, the pods fit on no three nodes.
        nodes: (3, 4),
        bought: (0, 1),
        ticks: 8,
    },
    History {
        name: "replacement",
        min: 3,
        workers: 3,
        pods: (1, 20, 2),
        cpu: 50,
        events: &[(At::Start(30), interrupt)],
        nodes: (3, 3),
        bought: (1, 1),
        ticks: 7,
    },
    History {
        name: "rebuild",
        min: 2,
        workers: 3,
        pods: (1, 100, 2),
        cpu: 10,
        events: &[(At::Cordon(10), delete_record)],
        nodes: (2, 2),
        bought: (0, 0),
        ticks: 8,
    },
    History {
        name: "reopened",
        min: 2,
        workers: 3,
        pods: (1, 20, 2),
        cpu: 10,
        events: &[(At::Cordon(75), reopen)],
        nodes: (3, 3),
        bought: (1, 2),
        ticks: 9,
    },
    History {
        name: "protected",
        min: 2,
        workers: 3,
        pods: (1, 20, 2),
        cpu: 10,
        events: &[(At::Start(1), protect)],
        nodes: (2, 2),
        bought: (0, 0),
        ticks: 8,
    },
    History {
        name: "lagging",
        min: 2,
        workers: 3,
        pods: (1, 20, 2),
        cpu: 50,
        events: &[(At::Start(1), lag), (At::Start(30), crowd), (At::Bought(40), interrupt)],
        nodes: (4, 4),
        bought: (2, 2),
        ticks: 8,
    },
    History {
        name: "rebalance",
        min: 2,
        workers: 2,
        pods: (1, 20, 2),
        cpu: 50,
        events: &[(At::Start(30), recommend)],
        // A drain that runs out of time is not begun again: the node stays until the pool shrinks.
        nodes: (2, 3),
        bought: (1, 1),
        ticks: 9,
    },
    History {
        name: "paused",
        min: 2,
        workers: 3,
        pods: (1, 20, 2),
        cpu: 10,
        events: &[(At::Calls(13), pause)],
        nodes: (2, 2),
        bought: (0, 0),
        ticks: 12,
    },
    History {
        name: "hang",
        min: 2,
        workers: 2,
        pods: (1, 20, 2),
        cpu: 50,
        events: &[(At::Start(1), hang), (At::Start(30), rush), (At::Bought(5), no_hang)],
        nodes: (3, 3),
        bought: (2, 2),
        ticks: 8,
    },
    History {
        name: "floor",
        min: 2,
        workers: 2,
        pods: (1, 20, 2),
        cpu: 10,
        events: &[],
        nodes: (2, 2),
        bought: (0, 0),
        ticks: 8,
    },
];

const MIB: u64 = 1 << 20;

/// One more pod than there is room for.
fn rush(net: &mut Net) {
    busy(net);
    let pods = if net.world.alive().len() == 2 { 3 } else { 2 };
    net.world.add_workload(Workload::new("rush", pods, 1_000, 64 * MIB));
}

fn busy(net: &mut Net) {
    set_cpu(&mut net.world, 50);
}

fn no_spot(net: &mut Net) {
    for zone in zones() {
        net.world.set_capacity(Offering::new(zone, Purchase::Spot, shape()), Some(0));
    }
}

fn interrupt(net: &mut Net) {
    if let Some(instance) = net.world.alive().get(1) {
        net.world.interrupt(instance);
    }
}

/// A person opens the nodes that are to go, and pods come.
fn reopen(net: &mut Net) {
    let closed = net.world.cluster.nodes.values().filter(|node| node.unschedulable);
    for node in closed.map(|node| node.name.clone()).collect::<Vec<_>>() {
        net.world.cordon_by_hand(&node, false);
    }
    busy(net);
    net.world.add_workload(Workload::new("rush", 3, 700, 64 * MIB));
}

fn protect(net: &mut Net) {
    if let Some(instance) = net.world.alive().first() {
        net.world.set_protected(instance, true);
    }
}

fn lag(net: &mut Net) {
    net.world.settings.list_lag = Span::from_mins(8);
    net.world.settings.boot = (Span::from_secs(100), Span::from_secs(100));
}

fn crowd(net: &mut Net) {
    net.world.add_workload(Workload::new("rush", 4, 1_000, 64 * MIB));
}

fn recommend(net: &mut Net) {
    if let Some(instance) = net.world.alive().get(1) {
        net.world.recommend_rebalance(instance);
    }
}

fn pause(net: &mut Net) {
    net.pause(Span::from_mins(6));
}

fn hang(net: &mut Net) {
    net.world.settings.hang_per_million = 1_000_000;
}

fn no_hang(net: &mut Net) {
    net.world.settings.hang_per_million = 0;
}

fn delete_record(net: &mut Net) {
    net.world.store.erase();
    net.truth.current = None;
}

fn zones() -> [Zone; 2] {
    ["zone-a", "zone-b"].map(|name| Zone::new(name).unwrap())
}

fn shape() -> crate::words::ShapeName {
    crate::words::ShapeName::new("small").unwrap()
}

fn set_cpu(world: &mut World, percent: i64) {
    let (pool, signal) = (world.settings.pools[0].name.clone(), SignalName::new("cpu").unwrap());
    world.set_signal(&pool, &signal, Some(Fixed::from_micros(percent * 10_000)));
}

impl History {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        const { &ALL }.iter().find(|history| history.name == name)
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        let pool = PoolPolicy::builder("workers")
            .with_min(self.min)
            .with_max(4)
            .with_zones(zones())
            .with_shape("small", 2_000, 4_096 * MIB, 20)
            .with_up(When::above("cpu", "70%").lasting(Span::from_secs(60)))
            .with_down(When::below("cpu", "30%").lasting(Span::from_mins(3)))
            .with_pending(Span::from_secs(30))
            .with_join_timeout(Span::from_mins(5))
            .with_drain_timeout(Span::from_mins(4));
        let policy = Policy::builder("small")
            .with_interval(Span::from_secs(60))
            .with_limit(Span::from_secs(50))
            .with_pool(pool);
        Arc::new(policy.build().unwrap())
    }

    /// Workers with pods on each, an hour old.
    pub(super) fn world(&self, policy: &Policy) -> World {
        let pool = policy.pools().values().next().unwrap();
        let mut settings = Settings::for_pool(policy.cluster(), pool);
        let secs = |secs| (Span::from_secs(secs), Span::from_secs(secs));
        settings.boot = secs(5);
        settings.join = secs(5);
        settings.shutdown = secs(20);
        settings.pod_grace = secs(self.pods.1);
        settings.pod_start = secs(self.pods.2);
        settings.scrape = Span::from_mins(24 * 60);
        let mut world = World::new(settings, 1);
        for (number, zone) in (0..self.workers).zip(zones().iter().cycle()) {
            for node in world.serving() {
                world.cordon_by_hand(&node, true);
            }
            world.add_worker(zone, Purchase::Spot, &shape());
            let each = 600 / u64::from(self.pods.0);
            let pods = Workload::new(format!("app-{number}"), self.pods.0, each, 64 * MIB)
                .with_budget(Keep::MaxUnavailable(1));
            world.add_workload(pods);
        }
        for node in world.cluster.nodes.values_mut() {
            node.unschedulable = false;
        }
        world.outside_losses.clear();
        let settled = world.now().after(Span::from_mins(90));
        world.advance_to(settled);
        set_cpu(&mut world, self.cpu);
        world
    }
}
