//! One history, played with one driver at a time under one case.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::history::{At, History};
use super::script::{Case, Kind, Script};
use crate::data::policy::Policy;
use crate::data::record::{IncomingNotice, Record};
use crate::driver::{Driver, Report as TickReport, Trigger};
use crate::memory::Rng;
use crate::sim::clocks::ProcessClock;
use crate::sim::faults::{Chaos, Rates};
use crate::sim::net::{Item, Net, Wire};
use crate::sim::ports::ports;
use crate::sim::process::Process;
use crate::sim::report::Violation;
use crate::sim::truth::Truth;
use crate::words::{Span, Timestamp};

/// A run that is not at its goal after so many ticks does not get there.
const MOST_TICKS: u32 = 60;

/// Copies of each notice come so much later: while it is acted on, and when all is over.
const COPIES: [Span; 3] = [Span::from_secs(2), Span::from_secs(70), Span::from_mins(5)];

/// What came of it.
pub(super) struct Played {
    /// Every call, in the order of sending.
    pub(super) calls: Vec<Kind>,
    /// Each view and an older one that showed something else.
    pub(super) older: Vec<(u32, u32)>,
    /// Whether every fault of the case happened.
    pub(super) all_met: bool,
    pub(super) ticks: u32,
    pub(super) bought: u32,
    pub(super) violations: Vec<Violation>,
    pub(super) log: Vec<String>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    id: u32,
    future: Pin<Box<dyn Future<Output = TickReport> + Send>>,
    flag: Arc<Flag>,
    notices: Vec<IncomingNotice>,
}

struct Player<'a> {
    history: &'a History,
    wire: Wire,
    driver: Driver,
    began: Timestamp,
    next_tick: Timestamp,
    task: Option<Task>,
    ticks: u32,
    /// The tick under way stands still.
    frozen: bool,
    /// Ticks in a row that found nothing to do.
    quiet: u32,
    happened: usize,
    cordoned: Option<Timestamp>,
    bought: Option<Timestamp>,
    /// Notices to deliver, and when.
    notices: Vec<(Timestamp, IncomingNotice)>,
    founders: usize,
}

/// Plays a history. `keeps` also finds out which views had older ones, and writes a log.
pub(super) fn play(history: &History, policy: &Arc<Policy>, case: &Case, keeps: bool) -> Played {
    let world = history.world(policy);
    let repeat = format!(
        "EXHAUSTIVE_CASE={}/{case} cargo test -p autoscale-core --all-features --lib exhaustive::one_case",
        history.name
    );
    let founders = world.cloud.machines.len();
    let mut net = Net::new(
        world,
        Truth::new(policy.clone(), repeat),
        Chaos::new(Rates::default(), Rng::new(1)),
        Rng::new(2),
    );
    net.script = Some(Script::new(case.clone(), keeps));
    net.log = keeps.then(Vec::new);
    let began = net.world.now();
    let wire = Wire::new(net);
    let driver =
        Driver::new(policy.clone(), ports(&wire, 1)).with_scope("sim").with_launch_delay(Span::from_mins(5));
    Player {
        history,
        wire,
        driver,
        began,
        next_tick: began.after(Span::from_secs(5)),
        task: None,
        ticks: 0,
        frozen: false,
        quiet: 0,
        happened: 0,
        cordoned: None,
        bought: None,
        notices: Vec::new(),
        founders,
    }
    .run()
}

impl Player<'_> {
    fn run(mut self) -> Played {
        loop {
            self.poll();
            if self.task.is_none() && (self.is_over() || self.ticks >= MOST_TICKS) {
                break;
            }
            let mut net = self.wire.lock();
            let own = if self.task.is_none() { self.starts() } else { None };
            let event = self.event(net.script.as_ref().map_or(0, |script| script.calls.len()));
            let next = [net.world.next_event(), net.next_item(), own, event].into_iter().flatten().min();
            let Some(at) = next.map(|at| at.max(net.world.now())) else { break };
            net.world.advance_to(at);
            net.truth.tick_to(at);
            let now = net.world.now();
            if self.cordoned.is_none() && net.world.cluster.nodes.values().any(|node| node.mark.is_some()) {
                self.cordoned = Some(now);
            }
            if self.bought.is_none() && net.world.cloud.machines.len() > self.founders {
                self.bought = Some(now);
            }
            for notice in net.world.take_notices() {
                self.notices.extend(COPIES.map(|later| (now.after(later), notice.clone())));
            }
            if event.is_some_and(|at| at <= now)
                && let Some((_, happen)) = self.history.events.get(self.happened)
            {
                happen(&mut net);
                self.happened += 1;
                self.quiet = 0;
                continue;
            }
            let item = net.due();
            match item {
                Some(Item::Arrive(id)) => net.arrive(id),
                Some(Item::Answer(id)) => {
                    net.answer(id);
                    if net.script.as_mut().is_some_and(|script| script.freezes(id)) {
                        self.frozen = true;
                        net.plan(Span::from_mins(5), Item::Thaw(self.ticks));
                    }
                }
                Some(Item::Thaw(_)) => self.frozen = false,
                Some(Item::Wake(id)) => net.wake(id),
                Some(Item::Kill(id)) => {
                    drop(net);
                    self.kill(id);
                }
                Some(_) => {}
                None if own.is_some_and(|at| at <= now) => {
                    drop(net);
                    self.start(now);
                }
                None => {}
            }
        }
        self.finish()
    }

    /// When the next event of the history is due, once that is known.
    fn event(&self, sent: usize) -> Option<Timestamp> {
        let (at, _) = self.history.events.get(self.happened)?;
        match at {
            At::Start(secs) => Some(self.began.after(Span::from_secs(*secs))),
            At::Cordon(secs) => Some(self.cordoned?.after(Span::from_secs(*secs))),
            At::Bought(secs) => Some(self.bought?.after(Span::from_secs(*secs))),
            At::Calls(calls) => (sent >= *calls).then_some(self.began),
        }
    }

    fn starts(&self) -> Option<Timestamp> {
        self.notices.iter().map(|(at, _)| *at).chain([self.next_tick]).min()
    }

    fn start(&mut self, now: Timestamp) {
        let due = self.notices.extract_if(.., |(at, _)| *at <= now);
        let notices: Vec<IncomingNotice> = due.map(|(_, notice)| notice).collect();
        if self.next_tick <= now {
            self.next_tick = now.after(Span::from_secs(60));
        }
        self.ticks += 1;
        let id = self.ticks;
        {
            let mut net = self.wire.lock();
            let clock = ProcessClock::right(net.world.now());
            net.processes.insert(id, Process::new(clock, false));
            net.truth.on_start(id);
        }
        let driver = self.driver.clone();
        let trigger = if notices.is_empty() { Trigger::Schedule } else { Trigger::Notices(notices.clone()) };
        let future = Box::pin(async move { driver.tick(&trigger).await });
        self.task = Some(Task { id, future, flag: Arc::new(Flag(AtomicBool::new(true))), notices });
    }

    fn poll(&mut self) {
        while !self.frozen
            && let Some(task) = &mut self.task
            && task.flag.0.swap(false, Ordering::Relaxed)
        {
            let id = task.id;
            self.wire.lock().current = id;
            let waker = Waker::from(task.flag.clone());
            let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
            let crashed = self.wire.lock().processes.get(&id).is_some_and(|process| process.crashed);
            if crashed {
                self.kill(id);
            } else if let Poll::Ready(report) = polled {
                self.wire.lock().truth.on_report(id, &report);
                let nothing = |stored: &Record| stored.ops.is_empty();
                let idle = report
                    .rounds
                    .iter()
                    .all(|round| round.stored.as_ref().is_none_or(nothing) && round.outcomes.is_empty());
                self.quiet = if idle && report.notices_stored { self.quiet + 1 } else { 0 };
                self.end(id, report.notices_stored);
            }
        }
    }

    fn kill(&mut self, id: u32) {
        if self.task.as_ref().is_some_and(|task| task.id == id) {
            self.quiet = 0;
            self.end(id, false);
        }
    }

    /// Notices that are not stored are delivered again.
    fn end(&mut self, id: u32, stored: bool) {
        let Some(Task { future, notices, .. }) = self.task.take() else { return };
        // The wire must not be held here: dropping a call takes it.
        drop(future);
        let mut net = self.wire.lock();
        net.processes.remove(&id);
        net.truth.on_end(id);
        if !stored {
            let again = net.world.now().after(Span::from_secs(60));
            self.notices.extend(notices.into_iter().map(|notice| (again, notice)));
        }
    }

    /// Everything has happened, nothing is under way, and the end is the goal.
    fn is_over(&self) -> bool {
        if self.happened < self.history.events.len() || self.ticks < self.history.ticks || self.quiet < 2 {
            return false;
        }
        let net = self.wire.lock();
        let open = net.truth.current.as_ref().is_none_or(|record| {
            !record.ops.is_empty()
                || record.lease.is_some()
                || record.notices.iter().any(|notice| !notice.closed)
        });
        !open && self.notices.is_empty() && net.next_item().is_none() && self.astray(&net).is_none()
    }

    /// What is not as it is to be in the end.
    fn astray(&self, net: &Net) -> Option<String> {
        let world = &net.world;
        let alive = world.alive().len() as u32;
        let (least, most) = self.history.nodes;
        if alive < least || alive > most {
            return Some(format!("{alive} instances are alive, not {least} to {most}"));
        }
        let marked = world.cluster.nodes.values().find(|node| node.mark.is_some() || node.unschedulable);
        if let Some(node) = marked {
            return Some(format!("{} is still cordoned", node.name));
        }
        let serving = world.serving().len() as u32;
        if serving != alive {
            return Some(format!("{serving} of {alive} nodes serve"));
        }
        (world.pending_pods() > 0).then(|| format!("{} pods wait", world.pending_pods()))
    }

    fn finish(self) -> Played {
        let over = self.is_over();
        let mut net = self.wire.lock();
        let now = net.world.now();
        let net = &mut *net;
        let (astray, ticks) = (self.astray(net), self.ticks);
        let ops = net.truth.current.as_ref().map(|record| record.ops.clone());
        net.truth.check("L1", now, over, || format!("not over after {ticks} ticks: {astray:?}, {ops:?}"));
        let bought = (net.world.cloud.machines.len() - self.founders) as u32;
        let most = self.history.bought.1;
        net.truth.check("L1", now, bought <= most, || format!("{bought} instances were bought, not {most}"));
        net.truth.finish(&net.world, true);
        let script = net.script.take().unwrap_or_default();
        let all_met = script.all_met();
        Played {
            older: script.older(),
            calls: script.calls,
            all_met,
            ticks,
            bought,
            violations: std::mem::take(&mut net.truth.violations),
            log: net.log.take().unwrap_or_default(),
        }
    }
}
