//! The world, piece by piece.

use crate::data::order::{
    CordonOrder, Cordoned, EvictOrder, ForgetOrder, LaunchOrder, Offering, PodRef, TerminateOrder,
};
use crate::data::policy::{Purchase, Shape};
use crate::data::view::{CordonMark, Node, Phase, Reading, Ready, Scope, SignalQuery};
use crate::ports::ErrorKind;
use crate::words::{
    ClusterId, Deadline, Fixed, Inc, InstanceId, PoolName, Resources, ShapeName, SignalName, Span, Token,
    Ver, Zone,
};

use super::{Keep, Settings, Workload, World};

fn settings() -> Settings {
    let shape = Shape::new(ShapeName::new("m").unwrap(), Resources::new(2_000, 8 << 30, 20));
    let zones = ["a", "b"].map(|zone| Zone::new(zone).unwrap()).to_vec();
    Settings::new(ClusterId::new("c").unwrap(), PoolName::new("w").unwrap(), zones, vec![shape])
}

fn offering(zone: &str) -> Offering {
    Offering::new(Zone::new(zone).unwrap(), Purchase::Spot, ShapeName::new("m").unwrap())
}

fn order(zone: &str, slot: u32) -> LaunchOrder {
    LaunchOrder {
        cluster: ClusterId::new("c").unwrap(),
        pool: PoolName::new("w").unwrap(),
        offering: offering(zone),
        token: Token::of(&Inc::new("abcd").unwrap(), 1, slot, 1),
        pinned: String::new(),
        not_after: Deadline::from_millis(u64::MAX),
    }
}

fn terminate(instance: &InstanceId) -> TerminateOrder {
    let cluster = ClusterId::new("c").unwrap();
    TerminateOrder { cluster, instance: instance.clone(), not_after: Deadline::from_millis(u64::MAX) }
}

fn pass(world: &mut World, span: Span) {
    let end = world.now().after(span);
    world.advance_to(end);
}

fn workers(world: &World) -> Vec<Node> {
    world.survey(&Scope::Pending).nodes.into_iter().filter(|node| !node.control_plane).collect()
}

/// A world with so many workers in zone a.
fn world(count: u32) -> World {
    let mut world = World::new(settings(), 7);
    for _ in 0..count {
        world.add_worker(&Zone::new("a").unwrap(), Purchase::Spot, &ShapeName::new("m").unwrap()).unwrap();
    }
    world
}

fn cordon(node: &Node, stamp: u64) -> CordonOrder {
    CordonOrder {
        node: node.name.clone(),
        node_uid: node.uid.clone(),
        stamp: Ver::new(stamp),
        mark: CordonMark::new(Inc::new("abcd").unwrap(), 1),
        not_after: Deadline::from_millis(u64::MAX),
    }
}

fn evict(world: &World, node: &Node) -> EvictOrder {
    let view = world.survey(&Scope::Nodes(vec![node.name.clone()]));
    let here = view.pods.into_iter().filter(|pod| pod.node.as_ref() == Some(&node.name) && !pod.is_daemon());
    let pods = here.map(|pod| PodRef::new(pod.uid, pod.namespace, pod.name)).collect();
    EvictOrder { node: node.name.clone(), pods, not_after: Deadline::from_millis(u64::MAX) }
}

#[test]
fn a_token_names_one_instance_for_ever() {
    let mut world = world(0);
    let bought = world.launch(&order("a", 0)).unwrap();
    assert_eq!(world.launch(&order("a", 0)).unwrap(), bought);
    assert_eq!(world.alive().len(), 1);
    let elsewhere = LaunchOrder { offering: offering("b"), ..order("a", 0) };
    assert_eq!(*world.launch(&elsewhere).unwrap_err().kind(), ErrorKind::TokenMismatch);
    pass(&mut world, Span::from_mins(3));
    assert_eq!(workers(&world).len(), 1);
    world.terminate(&terminate(&bought.instance)).unwrap();
    world.terminate(&terminate(&bought.instance)).unwrap();
    assert_eq!(*world.launch(&order("a", 0)).unwrap_err().kind(), ErrorKind::TokenSpent);
}

#[test]
fn a_refused_token_may_buy_later() {
    let mut world = world(0);
    world.set_capacity(offering("a"), Some(0));
    assert_eq!(
        *world.launch(&order("a", 0)).unwrap_err().kind(),
        ErrorKind::NoCapacity { offering: offering("a") }
    );
    world.set_capacity(offering("a"), None);
    assert!(world.launch(&order("a", 0)).is_ok());
    world.settings_mut().quota = Some(1);
    assert!(world.launch(&order("b", 1)).is_err());
}

#[test]
fn the_list_lags_and_keeps_the_dead_for_an_hour() {
    let mut world = world(0);
    world.settings_mut().list_lag = Span::from_mins(10);
    let mut hidden = 0;
    let bought: Vec<_> = (0..10).map(|slot| world.launch(&order("a", slot)).unwrap().instance).collect();
    for _ in 0..20 {
        hidden += usize::from(world.list().instances.len() < 11);
        pass(&mut world, Span::from_mins(1));
    }
    assert!(hidden > 0);
    assert_eq!(world.list().instances.len(), 11);
    world.kill(&bought[0]);
    let phase = |world: &mut World| {
        world.list().instances.into_iter().find(|one| one.id == bought[0]).map(|one| one.phase)
    };
    assert_eq!(phase(&mut world), Some(Phase::Running));
    pass(&mut world, Span::from_mins(12));
    assert_eq!(phase(&mut world), Some(Phase::Terminated));
    pass(&mut world, Span::from_mins(60));
    assert_eq!(phase(&mut world), None);
}

#[test]
fn only_workers_without_protection_are_terminated() {
    let mut world = world(1);
    let master = world.list().instances[0].id.clone();
    let denied = |action: &str| ErrorKind::Denied { action: action.to_owned() };
    assert_eq!(*world.terminate(&terminate(&master)).unwrap_err().kind(), denied("TerminateInstances"));
    let worker = world.alive()[0].clone();
    world.set_protected(&worker, true);
    assert_eq!(*world.terminate(&terminate(&worker)).unwrap_err().kind(), denied("DisableApiTermination"));
    world.set_protected(&worker, false);
    let other = TerminateOrder { cluster: ClusterId::new("d").unwrap(), ..terminate(&worker) };
    assert!(world.terminate(&other).is_err());
    assert!(world.terminate(&terminate(&InstanceId::new("i-none").unwrap())).is_ok());
    assert!(world.terminate(&terminate(&worker)).is_ok() && world.alive().is_empty());
}

#[test]
fn pods_go_where_they_fit_and_come_again() {
    let mut world = world(2);
    world.add_workload(Workload::new("web", 5, 600, 1 << 20));
    // 1,900 of each node's 2,000 are left beside the DaemonSet's pod: three pods a node.
    assert_eq!(world.pending_pods(), 0);
    let nodes = workers(&world);
    let order = evict(&world, &nodes[0]);
    assert_eq!(order.pods.len(), 3);
    let id = world.add_workload(Workload::new("big", 1, 1_000, 1 << 20));
    assert_eq!(world.pending_pods(), 1);
    let waiting = world.survey(&Scope::Pending).pods;
    assert!(waiting.len() == 1 && waiting[0].unschedulable_since.is_some());
    world.set_replicas(id, 0);
    assert_eq!(world.pending_pods(), 0);
    pass(&mut world, Span::from_mins(1));
    // The first node dies: after 40 s it is NotReady, after 5 min its pods are made again, and only one fits.
    let first = world.alive()[0].clone();
    world.kill(&first);
    pass(&mut world, Span::from_secs(41));
    assert_eq!(workers(&world)[0].ready, Ready::No);
    assert_eq!(world.pending_pods(), 0);
    pass(&mut world, Span::from_mins(5));
    assert_eq!(world.pending_pods(), 2);
    let node = workers(&world)[0].clone();
    let forget =
        |uid| ForgetOrder { node: node.name.clone(), node_uid: uid, not_after: Deadline::from_millis(0) };
    world.forget(&forget(workers(&world)[1].uid.clone()));
    assert_eq!(workers(&world).len(), 2);
    world.forget(&forget(node.uid.clone()));
    pass(&mut world, Span::from_mins(5));
    assert_eq!(workers(&world).len(), 1);
}

#[test]
fn evictions_honour_budgets() {
    let mut world = world(2);
    world.add_workload(Workload::new("web", 3, 400, 1 << 20).with_budget(Keep::MinAvailable(2)));
    world.add_workload(
        Workload::new("two", 1, 100, 1 << 20)
            .with_budget(Keep::MinAvailable(0))
            .with_budget(Keep::MaxUnavailable(1)),
    );
    pass(&mut world, Span::from_mins(1));
    let node = workers(&world)[0].clone();
    assert_eq!(world.survey(&Scope::Everything).budgets[0].disruptions_allowed, 1);
    assert_eq!(world.cordon(&cordon(&node, 3)), Cordoned::Done);
    let order = evict(&world, &node);
    let answer = world.evict(&order);
    assert_eq!((answer.accepted.len(), answer.blocked.len()), (1, 3), "{answer:?}");
    // The next may go once the pod that was made again is up elsewhere.
    let again = world.evict(&order);
    assert_eq!((again.accepted.len(), again.blocked.len()), (1, 3), "{again:?}");
    pass(&mut world, Span::from_mins(1));
    let later = world.evict(&order);
    assert_eq!((later.accepted.len(), later.gone.len(), later.blocked.len()), (1, 1, 2), "{later:?}");
}

#[test]
fn stamps_never_decrease_and_uids_are_tested() {
    let mut world = world(1);
    let node = workers(&world)[0].clone();
    assert_eq!(world.cordon(&cordon(&node, 5)), Cordoned::Done);
    assert_eq!(world.uncordon(&cordon(&node, 4)), Cordoned::Superseded);
    let seen = workers(&world)[0].clone();
    assert!(seen.unschedulable && seen.cordon.is_some() && seen.stamp == Some(Ver::new(5)));
    assert_eq!(world.uncordon(&cordon(&node, 6)), Cordoned::Done);
    let seen = workers(&world)[0].clone();
    assert!(!seen.unschedulable && seen.cordon.is_none() && seen.stamp == Some(Ver::new(6)));
    let control_plane = world.survey(&Scope::Pending).nodes[0].clone();
    let stranger = CordonOrder { node_uid: control_plane.uid, ..cordon(&node, 9) };
    assert_eq!(world.cordon(&stranger), Cordoned::Gone);
}

#[test]
fn interruptions_are_announced_two_minutes_ahead() {
    let mut world = world(2);
    let victim = world.alive()[0].clone();
    world.interrupt(&victim);
    world.interrupt(&victim);
    let notices = world.take_notices();
    assert_eq!((notices.len(), notices[0].time_left), (1, Span::from_mins(2)));
    pass(&mut world, Span::from_secs(119));
    assert_eq!(world.alive().len(), 2);
    pass(&mut world, Span::from_secs(2));
    assert_eq!(world.alive().len(), 1);
}

#[test]
fn a_zone_fails_and_comes_back() {
    let mut world = world(2);
    world.add_workload(Workload::new("web", 2, 600, 1 << 20));
    pass(&mut world, Span::from_mins(1));
    world.fail_zone(&Zone::new("a").unwrap(), Span::from_mins(20));
    assert_eq!((world.serving().len(), world.alive().len()), (0, 2));
    assert!(world.launch(&order("a", 0)).is_err());
    pass(&mut world, Span::from_mins(19));
    assert_eq!(world.pending_pods(), 2);
    pass(&mut world, Span::from_mins(2));
    assert_eq!((world.serving().len(), world.pending_pods()), (2, 0));
}

#[test]
fn metrics_are_measured_missed_and_silent() {
    let mut world = world(1);
    let id = world.add_workload(Workload::new("web", 2, 500, 1 << 30));
    world.set_usage(id, 800);
    pass(&mut world, Span::from_secs(64));
    let query = |name: &str| SignalQuery::new(PoolName::new("w").unwrap(), SignalName::new(name).unwrap());
    let wanted = [query("cpu"), query("queue")];
    let samples = world.sample(&wanted);
    // 800 of the pods and 50 of the DaemonSet's pod, of 2,000, measured 4 s ago.
    let value = Fixed::from_micros(425_000);
    assert_eq!(samples[0].reading, Reading::Value { value, age: Span::from_secs(4) });
    assert!(matches!(samples[1].reading, Reading::Missing { .. }));
    world.set_signal(&wanted[1].pool, &wanted[1].signal, Some(Fixed::from_int(3)));
    assert!(matches!(world.sample(&wanted)[1].reading, Reading::Value { .. }));
    world.silence_metrics(Span::from_secs(30));
    assert!(world.sample(&wanted).iter().all(|sample| matches!(sample.reading, Reading::Failed { .. })));
}

#[test]
fn a_hung_boot_never_joins_and_the_same_seed_is_the_same_world() {
    let mut world = world(0);
    world.settings_mut().hang_per_million = 1_000_000;
    world.launch(&order("a", 0)).unwrap();
    pass(&mut world, Span::from_mins(30));
    assert_eq!((workers(&world).len(), world.alive().len()), (0, 1));
    let run = |seed| {
        let mut world = World::new(settings(), seed);
        (0..5).for_each(|slot| drop(world.launch(&order("a", slot))));
        pass(&mut world, Span::from_secs(70));
        world.list()
    };
    assert_eq!(run(3), run(3));
}
