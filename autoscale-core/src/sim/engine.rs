//! The engine: one thread, virtual time, and a poll loop of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use crate::data::policy::Policy;
use crate::data::record::{IncomingNotice, NoticeKind};
use crate::driver::{Driver, Ports, Report as TickReport, Trigger};
use crate::memory::{Rng, WorkloadId};
use crate::words::{NodeName, Span, Timestamp};

use super::blow::Change;
use super::config::{Config, Faults};
use super::faults::{Chaos, Rates};
use super::hpa::{EVERY, Hpa};
use super::load::Curve;
use super::misfortune;
use super::net::{Item, Net, Wire};
use super::news::Known;
use super::observer::Observer;
use super::pods::List;
use super::ports::ports;
use super::recorder::Recorder;
use super::report::Report;
use super::scenario;
use super::strike;
use super::truth::Truth;

/// How long a run under faults goes on without any, at its end.
fn calm(until: Span) -> Span {
    Span::from_mins(90).min(until.divided(3))
}

/// How long a run lasts at most. Ticks begin at least once an interval, and two seconds of jitter.
fn longest(config: &Config, policy: &Policy) -> Span {
    let interval = policy.tick().interval.plus(Span::from_secs(3));
    config.ticks.map_or(config.until, |ticks| interval.times(ticks).plus(Span::from_mins(24 * 60)))
}

/// How often people look after the cluster.
const EVERY_PATROL: Span = Span::from_mins(10);

/// Seconds.
const DAY: u64 = 24 * 60 * 60;

/// Runs one configuration to its end. `observer` hears of it while it goes on; `&mut ()` does not listen.
pub fn run(config: &Config, observer: &mut dyn Observer) -> Report {
    Engine::new(config).run(observer)
}

/// What wakes a process.
#[derive(Debug)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One tick under way.
pub(super) struct Task {
    id: u32,
    future: Pin<Box<dyn Future<Output = TickReport> + Send>>,
    flag: Arc<Flag>,
    notices: Vec<IncomingNotice>,
}

pub(super) struct Engine<'a> {
    pub(super) config: &'a Config,
    pub(super) policy: Arc<Policy>,
    pub(super) wire: Wire,
    pub(super) ports: Ports,
    pub(super) driver: Driver,
    /// Workloads whose pods hold nodes back.
    pub(super) awkward: Vec<WorkloadId>,
    /// Until when the load swings.
    pub(super) swing_until: Timestamp,
    controllers: Vec<Hpa>,
    curve: Curve,
    list: Option<List>,
    beginning: Timestamp,
    end: Timestamp,
    /// How many ticks are to come before faults cease, where the number of ticks decides that.
    ticks_left: Option<u64>,
    pub(super) tasks: Vec<Task>,
    next_task: u32,
    recorder: Recorder,
    /// What has happened and is told.
    known: Known,
}

impl<'a> Engine<'a> {
    fn new(config: &'a Config) -> Self {
        let policy = scenario::policy_for(config);
        let rng = Rng::new(config.seed);
        let faulty = config.faults != Faults::None;
        let (mut world, controllers) = match config.pods {
            Some(_) => (scenario::empty_world(&policy, config.seed), Vec::new()),
            None => scenario::world(&policy, config.seed, config.times()),
        };
        let until = longest(config, &policy);
        let quiet_from = if faulty { until.minus(calm(until)) } else { until };
        let curve =
            Curve::new(config.scenario, config.load.as_deref(), until, faulty, quiet_from, rng.fork(2));
        let rates = Rates::of(config.faults);
        world.settings_mut().list_lag = rates.list_lag;
        world.settings_mut().hang_per_million = rates.boot_hang;
        // Without faults a run begins in the middle of life, with the nodes that its load needs; with faults at `min`, so
        // that the first fill is a part of the trial.
        let asked = (!faulty && config.pods.is_none()).then(|| {
            let load = curve.at(Span::ZERO) * u64::from(config.times());
            controllers.iter().map(|hpa| hpa.settle(&mut world, load)).sum()
        });
        scenario::furnish(&mut world, &policy, asked);
        let awkward = if rates.hostile { strike::awkward(&mut world) } else { Vec::new() };
        let mut truth = Truth::new(policy.clone(), repeat(config));
        truth.seatable = config.pods.is_none();
        let beginning = world.now();
        let mut net = Net::new(world, truth, Chaos::new(rates, rng.fork(3)), rng.fork(4));
        net.log = config.log.then(Vec::new);
        if !controllers.is_empty() {
            net.plan(Span::ZERO, Item::Controllers);
        }
        let list = config.pods.as_ref().map(|pods| List::new(pods, &mut net));
        net.plan(Span::ZERO, Item::Point);
        net.plan(Span::from_secs(10), Item::Tick);
        net.plan(EVERY_PATROL, Item::Patrol);
        for (at, blow) in scenario::blows(config, until, &policy, rng.fork(5)) {
            if at < quiet_from {
                net.plan(at, Item::Blow(blow));
            }
        }
        if faulty {
            net.plan(quiet_from, Item::Cease);
            for (at, item) in misfortune::misfortunes(&net.chaos.rates, &policy, quiet_from, rng.fork(6)) {
                net.plan(at, item);
            }
        }
        for (at, blow) in &config.script {
            net.plan(*at, Item::Blow(blow.clone()));
        }
        let wire = Wire::new(net);
        let ports = ports(&wire, config.seed);
        let driver = Driver::new(policy.clone(), ports.clone()).with_scope("sim");
        Self {
            config,
            recorder: Recorder::new(&policy, until),
            policy,
            driver,
            ports,
            awkward,
            swing_until: beginning,
            wire,
            controllers,
            curve,
            list,
            beginning,
            end: beginning.after(until),
            ticks_left: config.ticks,
            tasks: Vec::new(),
            next_task: 0,
            known: Known::default(),
        }
    }

    fn run(mut self, observer: &mut dyn Observer) -> Report {
        loop {
            let mut net = self.wire.lock();
            let next = [net.world.next_event(), net.next_item()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= self.end) else { break };
            net.world.advance_to(at);
            net.truth.tick_to(at);
            let notices = net.world.take_notices();
            let item = net.due();
            drop(net);
            for notice in notices {
                self.announce(notice);
            }
            if let Some(item) = item {
                self.handle(item, observer);
                self.poll(observer);
            }
            self.tell(observer);
        }
        self.tasks.clear();
        let net = &mut *self.wire.lock();
        net.world.advance_to(self.end);
        net.truth.finish(&net.world, self.config.faults != Faults::None);
        self.recorder.finish(net, self.list.as_ref(), self.beginning)
    }

    /// Tells what has happened meanwhile.
    fn tell(&mut self, observer: &mut dyn Observer) {
        let mut net = self.wire.lock();
        let at = net.world.now().since(self.beginning);
        let news = net.news(&mut self.known);
        drop(net);
        news.iter().for_each(|what| observer.happened(at, what));
    }

    /// A notice of the cloud is on its way; sometimes twice, sometimes late.
    fn announce(&mut self, notice: IncomingNotice) {
        let net = &mut *self.wire.lock();
        let kind = match notice.kind {
            NoticeKind::Interruption => "spot-interruption",
            NoticeKind::Rebalance => "rebalance",
            NoticeKind::Withdrawn => "notice-withdrawn",
        };
        net.chaos.count_about(kind, Some(notice.instance.clone()));
        let number = net.keep(notice);
        let mut after = net.draw(Span::from_millis(200), Span::from_secs(4));
        let latest = if net.chaos.rates.hostile { Span::from_mins(360) } else { Span::from_mins(180) };
        if net.chaos.strikes("late-notice", net.chaos.rates.late_notice, 1) {
            after = net.chaos.rng.span(Span::from_mins(1), latest);
        }
        net.plan(after, Item::Notice(number));
        while net.chaos.strikes("duplicate-notice", net.chaos.rates.duplicate_notice, 1) {
            let many = if net.chaos.rates.hostile { 1 + net.chaos.rng.below(9) } else { 1 };
            for _ in 0..many {
                let again = net.chaos.rng.span(Span::ZERO, Span::from_mins(10));
                net.plan(after.plus(again), Item::Notice(number));
            }
        }
    }

    fn handle(&mut self, item: Item, observer: &mut dyn Observer) {
        let wire = self.wire.clone();
        let mut net = wire.lock();
        let at = net.world.now().since(self.beginning);
        match item {
            Item::Arrive(id) => net.arrive(id),
            Item::Answer(id) => net.answer(id),
            Item::Wake(id) => net.wake(id),
            Item::Limit(task) => {
                if net.processes.get(&task).is_some_and(|process| !process.frozen) {
                    net.chaos.count("crash-c15-time-limit");
                    drop(net);
                    self.kill(task);
                }
            }
            Item::Kill(task) => {
                net.dies(task);
                let frozen = net.processes.get(&task).is_some_and(|process| process.frozen);
                drop(net);
                if !frozen {
                    self.kill(task);
                }
            }
            Item::Thaw(task) => {
                if let Some(process) = net.processes.get_mut(&task) {
                    process.frozen = false;
                    net.plan(Span::from_secs(20), Item::Limit(task));
                }
            }
            Item::Tick => {
                let jitter = net.draw(Span::ZERO, Span::from_secs(2));
                net.plan(self.policy.tick().interval.plus(jitter), Item::Tick);
                drop(net);
                self.start(Trigger::Schedule, Vec::new());
            }
            Item::Notice(number) => {
                let notice = net.notices.get(&number).cloned();
                drop(net);
                if let Some(notice) = notice {
                    self.start(Trigger::Notices(vec![notice.clone()]), vec![notice]);
                }
            }
            Item::Overlap => {
                if self.tasks.is_empty() {
                    net.plan(Span::from_secs(1), Item::Overlap);
                } else {
                    net.chaos.count("overlapping-ticks");
                    drop(net);
                    self.start(Trigger::Schedule, Vec::new());
                }
            }
            Item::Controllers => {
                let swings = net.world.now() < self.swing_until;
                let swing = if swings { 780 + at.as_millis() / 240_000 % 2 * 500 } else { 1_000 };
                let load = self.curve.at(at) * u64::from(self.config.times()) * swing / 1_000;
                for controller in &mut self.controllers {
                    controller.step(&mut net.world, load);
                }
                net.plan(EVERY, Item::Controllers);
            }
            Item::Point => {
                observer.counted(&self.recorder.point(&net, at));
                observer.reached(at);
                net.plan(self.recorder.every(), Item::Point);
            }
            Item::Blow(_) if self.ticks_left == Some(0) => {}
            Item::Blow(blow) => {
                drop(net);
                self.strike(blow);
            }
            Item::PodComes(number) => {
                if let Some(list) = &mut self.list {
                    list.comes(number, &mut net);
                }
            }
            Item::PodEnds(number) => {
                if let Some(list) = &self.list {
                    list.ends(number, &mut net.world);
                }
            }
            Item::PodsGo(workload) => net.world.set_replicas(WorkloadId(workload), 0),
            Item::Withdraw(instance) => net.world.withdraw(&instance),
            Item::Repair(since) => net.repair(since),
            Item::Uncordon(name) => {
                if let Ok(name) = NodeName::new(name)
                    && let Some(node) = net.world.cluster.node_by_name(&name)
                    && net.world.cluster.nodes.get(&node).is_some_and(|node| node.unschedulable)
                {
                    net.world.cordon_by_hand(&name, false);
                    net.chaos.count("human-uncordon");
                }
            }
            Item::Cease => {
                net.cease();
                for id in &self.awkward {
                    net.world.set_replicas(*id, 0);
                }
                drop(net);
                // Above a lowered max a pool shrinks only as far as its pods find room: that is no fault.
                if self.config.faults == Faults::Hostile {
                    self.change_policy(Change::Back);
                }
            }
            Item::Patrol => {
                let Net { world, truth, .. } = &mut *net;
                truth.patrol(world);
                net.look_aside();
                // Once a day somebody deletes the Node objects of machines that are gone, as a cloud's controller does at once.
                if at.as_secs() % DAY < EVERY_PATROL.as_secs() {
                    net.world.clear_dead_nodes();
                }
                net.plan(EVERY_PATROL, Item::Patrol);
            }
        }
    }

    pub(super) fn start(&mut self, trigger: Trigger, notices: Vec<IncomingNotice>) {
        self.start_by(self.driver.clone(), trigger, notices, false);
    }

    pub(super) fn start_by(
        &mut self,
        driver: Driver,
        trigger: Trigger,
        notices: Vec<IncomingNotice>,
        foreign: bool,
    ) {
        self.next_task += 1;
        let id = self.next_task;
        {
            let mut net = self.wire.lock();
            let process = self.process(&mut net, foreign);
            net.processes.insert(id, process);
            net.truth.on_start(id);
            if foreign {
                net.truth.on_foreign(id);
            }
            net.plan(self.policy.tick().limit, Item::Limit(id));
        }
        self.recorder.ticks += 1;
        if let Some(left) = self.ticks_left.as_mut().filter(|left| **left > 0) {
            *left -= 1;
            if *left == 0 {
                self.wind_down();
            }
        }
        let future = Box::pin(async move { driver.tick(&trigger).await });
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        self.tasks.push(Task { id, future, flag, notices });
    }

    /// The ticks that were asked for are done: no more faults, and a calm before the end.
    fn wind_down(&mut self) {
        let net = &mut *self.wire.lock();
        let now = net.world.now();
        self.curve.hold_from(now.since(self.beginning));
        self.end = now.after(calm(Span::from_mins(24 * 60))).min(self.end);
        if self.config.faults != Faults::None {
            net.plan(Span::ZERO, Item::Cease);
        }
    }

    fn kill(&mut self, id: u32) {
        if let Some(at) = self.tasks.iter().position(|task| task.id == id) {
            let task = self.tasks.swap_remove(at);
            self.end(id, &task.notices, false);
            // Its requests stay under way. The wire must not be held here: dropping a call takes it.
            drop(task);
        }
    }

    /// Notices that are not stored are delivered again.
    fn end(&mut self, id: u32, notices: &[IncomingNotice], stored: bool) {
        let mut net = self.wire.lock();
        net.processes.remove(&id);
        net.truth.on_end(id);
        if stored {
            return;
        }
        for notice in notices {
            let after = net.draw(Span::from_secs(60), Span::from_secs(120));
            net.post(notice.clone(), after);
        }
    }

    /// Polls whoever was woken, until nobody is.
    fn poll(&mut self, observer: &mut dyn Observer) {
        let mut at = 0;
        while let Some(task) = self.tasks.get_mut(at) {
            let id = task.id;
            {
                let mut net = self.wire.lock();
                let frozen = net.processes.get(&id).is_some_and(|process| process.frozen);
                if frozen || !task.flag.0.swap(false, Ordering::Relaxed) {
                    drop(net);
                    at += 1;
                    continue;
                }
                net.current = id;
            }
            let waker = Waker::from(task.flag.clone());
            let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
            let crashed = self.wire.lock().processes.get(&id).is_some_and(|process| process.crashed);
            if crashed {
                self.kill(id);
            } else if let std::task::Poll::Ready(report) = polled {
                let task = self.tasks.swap_remove(at);
                let mut net = self.wire.lock();
                net.truth.on_report(id, &report);
                let at = net.world.now().since(self.beginning);
                drop(net);
                self.recorder.tick(&report);
                observer.reached(at);
                observer.ticked(&report);
                self.end(id, &task.notices, report.notices_stored);
            }
            at = 0;
        }
    }
}

fn repeat(config: &Config) -> String {
    let faults = match config.faults {
        Faults::None => "none",
        Faults::Mild => "mild",
        Faults::Hostile => "hostile",
    };
    let scale = if config.scale == 1 { String::new() } else { format!(" --scale {}", config.scale) };
    let load = match config {
        Config { pods: Some(_), .. } => "--pods FILE --shapes FILE".to_owned(),
        Config { load: Some(_), .. } => "--trace FILE".to_owned(),
        Config { scenario, .. } => format!("--scenario {scenario}"),
    };
    let policy = if config.policy.is_some() && config.pods.is_none() { " --policy FILE" } else { "" };
    let length = config.ticks.map_or_else(|| format!("--until {}", config.until), |n| format!("--ticks {n}"));
    format!(
        "cargo run --release -p simulate -- {load} --seed {} --faults {faults} {length}{scale}{policy}",
        config.seed
    )
}
