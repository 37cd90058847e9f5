//! Each invariant can break: a bad sequence for each, fed past any driver.

use std::sync::Arc;

use super::*;
use crate::data::order::{CordonOrder, EvictOrder, LaunchOrder, Offering, TerminateOrder};
use crate::data::policy::Purchase;
use crate::data::record::{
    Attempt, Fingerprint, Launch, LaunchState, Op, OpKind, Pause, Record, Remove, RemoveState,
};
use crate::data::view::{CordonMark, Scope};
use crate::driver::{Ended, Report as TickReport, seal};
use crate::memory::{Rng, Workload, World};
use crate::ports::{Expected, Swapped, Version};
use crate::sim::call::{Call, Reply};
use crate::sim::clocks::ProcessClock;
use crate::sim::faults::{Chaos, Rates};
use crate::sim::net::{Item, Net};
use crate::sim::process::Process;
use crate::sim::scenario;
use crate::words::{Deadline, Elapsed, Inc, Span, Ver};

/// A net with so many full workers, and one process, number 1.
fn net(workers: u32) -> Net {
    let policy = scenario::policy();
    let (mut world, _) = scenario::world(&policy, 1, 1);
    let pool = policy.pools().values().next().unwrap();
    for zone in pool.zones.iter().cycle().take(workers as usize) {
        world.add_worker(zone, Purchase::Spot, &pool.first_shape().name);
    }
    let truth = Truth::new(policy, "again".to_owned());
    let mut net = Net::new(world, truth, Chaos::new(Rates::default(), Rng::new(1)), Rng::new(2));
    net.processes.insert(1, Process::new(ProcessClock::right(net.world.now()), false));
    net.truth.on_start(1);
    net.current = 1;
    let settled = net.world.now().after(Span::from_mins(2));
    net.world.advance_to(settled);
    net.truth.tick_to(settled);
    net.truth.on_start(1);
    net
}

/// Sends a call and lets it land.
fn send(net: &mut Net, call: Call) {
    net.send(call).unwrap();
    let end = net.world.now().after(Span::from_secs(1));
    net.world.advance_to(end);
    while let Some(item) = net.due() {
        if let Item::Arrive(id) = item {
            net.arrive(id);
        }
    }
}

fn broken(net: &Net, name: &str) -> u64 {
    net.truth.checked[name].broken
}

fn never() -> Deadline {
    Deadline::from_millis(u64::MAX)
}

fn inc() -> Inc {
    Inc::new("abcd").unwrap()
}

fn launch(slot: u32, attempt: u32) -> LaunchOrder {
    let policy = scenario::policy();
    let pool = policy.pools().values().next().unwrap();
    LaunchOrder {
        cluster: policy.cluster().clone(),
        pool: pool.name.clone(),
        offering: Offering::new(pool.zones[0].clone(), Purchase::Spot, pool.first_shape().name.clone()),
        token: Token::of(&inc(), 1, slot, attempt),
        pinned: String::new(),
        not_after: never(),
    }
}

fn terminate(instance: &InstanceId) -> Call {
    let cluster = scenario::policy().cluster().clone();
    Call::Terminate(TerminateOrder { cluster, instance: instance.clone(), not_after: never() })
}

/// The record after `old`, with these operations.
fn record(old: Option<&Record>, ops: Vec<Op>) -> Record {
    let policy = scenario::policy();
    let ver = old.map_or(Ver::ZERO, |old| old.ver).next();
    let id = WriteId::new(format!("w-{ver}")).unwrap();
    let mut next = Record::founding(Fingerprint::of(policy.cluster(), ""), inc(), id, Timestamp::default());
    next.ver = ver;
    next.next_seq = 10;
    next.ops = ops;
    next
}

fn removal(seq: u64, instance: &InstanceId) -> Op {
    let remove = Remove {
        instance: instance.clone(),
        node: None,
        why: RemoveWhy::Idle,
        deadline: Elapsed::ZERO,
        displaced: Vec::new(),
        state: RemoveState::Planned,
    };
    op(seq, OpKind::Remove(remove))
}

fn op(seq: u64, kind: OpKind) -> Op {
    let pool = scenario::policy().pools().keys().next().unwrap().clone();
    Op { seq, slot: 0, cause: Cause::Scale, pool, started: Elapsed::ZERO, kind }
}

fn launching(number: u32) -> Op {
    let order = launch(0, number);
    let attempt = Attempt {
        number,
        offering: order.offering,
        token: order.token,
        armed: Ver::new(1),
        sender: None,
        sent_at: None,
        sent_wall: None,
        first_sent: None,
        asks: 0,
    };
    let launch = Launch { pinned: String::new(), attempt, earlier: Vec::new(), state: LaunchState::Sent };
    op(1, OpKind::Launch(launch))
}

/// Stores records one after the other, as process 1 would.
fn store(net: &mut Net, records: &[Record]) {
    for record in records {
        let expected = net.world.load().map_or(Expected::Absent, |loaded| Expected::At(loaded.version));
        send(net, Call::Swap(expected, seal(record).unwrap()));
    }
}

#[test]
fn i1_two_scaling_actions_and_two_operations_on_one_instance() {
    let mut net = net(3);
    let alive = net.world.alive();
    let first = record(None, vec![removal(1, &alive[0]), removal(2, &alive[1])]);
    let second = record(Some(&first), vec![removal(1, &alive[0]), removal(1, &alive[0])]);
    let third = Record { next_seq: 1, ..record(Some(&second), Vec::new()) };
    store(&mut net, &[first, second, third]);
    assert_eq!(broken(&net, "I1"), 3);
}

#[test]
fn i2_a_gap_and_a_write_id_used_twice() {
    let mut net = net(2);
    let first = record(None, Vec::new());
    let mut gap = record(Some(&first), Vec::new());
    gap.ver = Ver::new(7);
    let mut twin = record(Some(&gap), Vec::new());
    twin.write_id = gap.write_id.clone();
    store(&mut net, &[first, gap, twin]);
    assert_eq!(broken(&net, "I2"), 2);
}

#[test]
fn i3_effects_without_authority_and_after_an_unclear_swap() {
    let mut net = net(2);
    send(&mut net, Call::Launch(launch(0, 1)));
    assert_eq!(broken(&net, "I3"), 1);
    let sealed = seal(&record(None, vec![launching(1)])).unwrap();
    net.truth.on_swap_answer(1, &sealed, &Ok(Swapped::Applied(Version::new("1"))));
    send(&mut net, Call::Launch(launch(0, 1)));
    assert_eq!(broken(&net, "I3"), 1);
    net.truth.on_swap_answer(1, &sealed, &Ok(Swapped::Unknown { why: String::new() }));
    send(&mut net, Call::Launch(launch(0, 1)));
    assert_eq!(broken(&net, "I3"), 2);
    net.truth.on_swap_answer(1, &sealed, &Ok(Swapped::Applied(Version::new("1"))));
    net.truth.on_freeze(1);
    send(&mut net, Call::Launch(launch(0, 2)));
    assert_eq!((broken(&net, "I3"), broken(&net, "I13")), (3, 1));
}

#[test]
fn i13_an_order_leaves_after_the_end_of_its_tick() {
    let mut net = net(2);
    let sealed = seal(&record(None, vec![launching(1)])).unwrap();
    net.truth.on_swap_answer(1, &sealed, &Ok(Swapped::Applied(Version::new("1"))));
    let late = net.world.now().after(Span::from_mins(10));
    net.world.advance_to(late);
    net.truth.tick_to(late);
    send(&mut net, Call::Launch(launch(0, 1)));
    assert_eq!((broken(&net, "I3"), broken(&net, "I13")), (0, 1));
}

#[test]
fn i4_two_instances_of_one_slot() {
    let mut net = net(2);
    send(&mut net, Call::Launch(launch(0, 1)));
    assert_eq!(broken(&net, "I4"), 0);
    send(&mut net, Call::Launch(launch(0, 2)));
    assert_eq!(broken(&net, "I4"), 1);
}

#[test]
fn i5_one_more_than_max() {
    let mut net = net(19);
    send(&mut net, Call::Launch(launch(0, 1)));
    assert_eq!(broken(&net, "I5"), 0);
    send(&mut net, Call::Launch(launch(1, 1)));
    assert_eq!(broken(&net, "I5"), 1);
}

#[test]
fn i5_what_a_list_omits_counts_while_it_has_a_node() {
    for (node_is_there, expected) in [(true, 1), (false, 0)] {
        let mut net = net(20);
        let omitted = net.world.alive()[0].clone();
        let index = net.world.cloud.index_of(&omitted).unwrap();
        net.truth.on_omitted(omitted);
        if !node_is_there {
            net.world.cluster.nodes.remove(&index);
        }
        send(&mut net, Call::Launch(launch(0, 1)));
        assert_eq!(broken(&net, "I5"), expected);
    }
}

#[test]
fn i6_what_was_announced_to_end_does_not_serve() {
    let mut net = net(2);
    let victim = net.world.alive()[0].clone();
    net.truth.on_false_notice(victim.clone());
    send(&mut net, terminate(&victim));
    assert_eq!(broken(&net, "I6"), 0);
}

#[test]
fn i6_and_i8_a_full_node_of_the_last_two_is_terminated() {
    let mut net = net(2);
    let victim = net.world.alive()[0].clone();
    send(&mut net, terminate(&victim));
    assert_eq!((broken(&net, "I6"), broken(&net, "I8")), (1, 1));
}

#[test]
fn i7_the_control_plane_is_touched() {
    let mut net = net(2);
    let master = net.world.survey(&Scope::Pending).nodes[0].clone();
    assert!(master.control_plane);
    let mark = CordonMark::new(inc(), 1);
    let (node, node_uid) = (master.name.clone(), master.uid);
    let order = CordonOrder { node, node_uid, stamp: Ver::new(1), mark, not_after: never() };
    send(&mut net, Call::Cordon(order));
    send(&mut net, Call::Evict(EvictOrder { node: master.name, pods: Vec::new(), not_after: never() }));
    let instance = net.world.list().instances[0].id.clone();
    send(&mut net, terminate(&instance));
    let worker = net.world.alive()[0].clone();
    net.world.set_protected(&worker, true);
    send(&mut net, terminate(&worker));
    assert_eq!(broken(&net, "I7"), 4);
}

#[test]
fn i9_a_world_that_takes_a_lower_stamp() {
    let mut net = net(2);
    let node = net.world.survey(&Scope::Pending).nodes[1].clone();
    let mark = CordonMark::new(inc(), 1);
    let order = CordonOrder {
        node: node.name.clone(),
        node_uid: node.uid,
        stamp: Ver::new(5),
        mark,
        not_after: never(),
    };
    let call = Call::Cordon(order.clone());
    send(&mut net, call.clone());
    send(&mut net, Call::Cordon(CordonOrder { stamp: Ver::new(3), ..order.clone() }));
    assert_eq!(broken(&net, "I9"), 0);
    // The world itself refuses lower stamps; one that does not is played by hand.
    let id = net.send(call).unwrap();
    let request = net.request(id).unwrap();
    let before = net.truth.before(&net.world, &request);
    let index = net.world.cluster.node_by_name(&node.name).unwrap();
    net.world.cluster.nodes.get_mut(&index).unwrap().stamp = Some(Ver::new(4));
    net.truth.served(&net.world, &request, before, &Reply::Unit(Ok(())));
    assert_eq!(broken(&net, "I9"), 1);
}

#[test]
fn i10_the_next_attempt_without_a_refusal() {
    let mut net = net(2);
    let first = record(None, vec![launching(1)]);
    let second = record(Some(&first), vec![launching(2)]);
    store(&mut net, &[first, second]);
    assert_eq!(broken(&net, "I10"), 1);
}

#[test]
fn i11_and_l1_a_forgotten_instance_and_an_operation_that_hangs() {
    let mut net = net(2);
    net.world.settings_mut().hang_per_million = 1_000_000;
    send(&mut net, Call::Launch(launch(0, 1)));
    let hangs = record(None, vec![launching(1)]);
    store(&mut net, std::slice::from_ref(&hangs));
    let end = net.world.now().after(Span::from_mins(60));
    net.world.advance_to(end);
    let World { now, .. } = net.world;
    assert!(hangs.elapsed_at(now) < Elapsed::ZERO.after(Span::from_mins(20)));
    let mut older = record(Some(&hangs), vec![launching(1)]);
    older.time.elapsed = Elapsed::ZERO.after(Span::from_mins(60));
    store(&mut net, &[older]);
    net.truth.finish(&net.world, true);
    assert_eq!((broken(&net, "I11"), broken(&net, "L1")), (1, 1));
}

#[test]
fn i14_a_removal_for_lack_of_load_without_numbers() {
    let mut net = net(3);
    let alive = net.world.alive();
    store(&mut net, &[record(None, vec![removal(1, &alive[0])])]);
    assert_eq!(broken(&net, "I14"), 1);
}

#[test]
fn i15_a_scaling_action_while_paused() {
    let mut net = net(3);
    let alive = net.world.alive();
    let pause = Some(Pause { who: "me".to_owned(), why: "so".to_owned(), until: None });
    let mut first = record(None, Vec::new());
    first.paused.clone_from(&pause);
    let mut second = record(Some(&first), vec![removal(1, &alive[0])]);
    second.paused = pause;
    store(&mut net, &[first, second]);
    assert_eq!(broken(&net, "I15"), 1);
}

#[test]
fn l2_a_tick_halts() {
    let mut net = net(2);
    let halted = Ended::Halted { why: "corrupt".to_owned() };
    net.truth.on_report(1, &TickReport::new(Timestamp::default(), scenario::policy(), halted));
    assert_eq!(broken(&net, "L2"), 1);
}

#[test]
fn l3_a_cordon_is_forgotten_and_told_once() {
    let mut net = net(3);
    let node = net.world.survey(&Scope::Pending).nodes[1].clone();
    let mark = CordonMark::new(inc(), 1);
    let order =
        CordonOrder { node: node.name, node_uid: node.uid, stamp: Ver::new(5), mark, not_after: never() };
    send(&mut net, Call::Cordon(order));
    for _ in 0..3 {
        let end = net.world.now().after(Span::from_mins(30));
        net.world.advance_to(end);
        net.truth.patrol(&net.world);
    }
    assert_eq!(broken(&net, "L3"), 1);
}

#[test]
fn l4_pods_wait_and_nothing_is_asked_for() {
    let mut net = net(1);
    net.world.add_workload(Workload::new("many", 50, 1_000, 1 << 30));
    let patrol = |net: &mut Net, hours: u64| {
        for _ in 0..hours {
            let end = net.world.now().after(Span::from_mins(60));
            net.world.advance_to(end);
            net.truth.patrol(&net.world);
        }
    };
    patrol(&mut net, 10);
    send(&mut net, Call::Launch(launch(0, 1)));
    patrol(&mut net, 12);
    assert_eq!(broken(&net, "L4"), 0);
    patrol(&mut net, 3);
    assert_eq!(broken(&net, "L4"), 1);
}

#[test]
fn r12_two_replacements_for_one_loss() {
    let mut net = net(3);
    let victim = net.world.alive()[0].clone();
    net.world.interrupt(&victim);
    for slot in 0..2 {
        let order = launch(slot, 1);
        net.truth.causes.insert(order.token.clone(), Cause::Replace);
        send(&mut net, Call::Launch(order));
    }
    assert_eq!((net.truth.replacements, broken(&net, "R12")), (2, 1));
}

#[test]
fn i12_a_decision_that_is_not_the_planners() {
    let policy = scenario::policy();
    let shared = crate::memory::quick(&policy, 3).unwrap();
    let driver = crate::driver::Driver::new(Arc::clone(&policy), shared.ports());
    let trigger = crate::driver::Trigger::Schedule;
    let mut report = futures_util::FutureExt::now_or_never(driver.tick(&trigger)).unwrap();
    let mut truth = Truth::new(policy, "again".to_owned());
    (0..5).for_each(|_| truth.replay(&report));
    assert_eq!((truth.checked["I12"].checked, truth.checked["I12"].broken), (report.rounds.len() as u64, 0));
    report.rounds[0].explanation.elapsed = Elapsed::from_millis(1);
    (0..5).for_each(|_| truth.replay(&report));
    assert_eq!(truth.checked["I12"].broken, 1);
}
