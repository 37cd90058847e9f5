//! One tick: load, claim, then rounds of observe, plan, store, perform, settle, store.

use super::observe::observe;
use super::perform::perform;
use super::store::{Written, load, only_notices_added, swap, workers};
use super::{Driver, Ended, Report, Round, Trigger, tell};
use crate::data::order::{Answer, Effect, Outcome, Refusal};
use crate::data::record::{Fingerprint, IncomingNotice, LaunchState, OpKind, Record, RemoveState, RemoveWhy};
use crate::data::view::View;
use crate::logic::{Claim, Planned, Tick, append_notices, claim, due, plan, released, settle, wanted};
use crate::mutant::{self, Mutant};
use crate::ports::{Expected, Version};
use crate::words::{Deadline, HolderId, Span};

/// Effects stop so long before the limit of a tick.
const STOP_BEFORE: Span = Span::from_secs(8);

/// The longest time that one call may take.
const CALL: Span = Span::from_secs(5);

/// Between two rounds in which nothing moved.
const PAUSE: Span = Span::from_secs(3);

/// Most rounds of a tick, most in a row in which nothing moves, and most fresh starts.
const MAX_ROUNDS: usize = 12;
const MAX_IDLE_ROUNDS: u32 = 2;
const MAX_STARTS: u32 = 4;

/// What a step leads to.
enum Step {
    /// The tick is over.
    End(Ended),
    /// The record has changed under our feet, or nobody knows: load it again.
    StartOver,
}

pub(super) struct Ticking<'a> {
    driver: &'a Driver,
    me: HolderId,
    began: Deadline,
    /// Notices of the trigger that are not in a stored record yet.
    notices: Vec<IncomingNotice>,
    /// After an unknown answer the next step is a swap, whatever else there is to do.
    must_write: bool,
    /// Rounds in a row in which nothing moved.
    idle: u32,
    report: Report,
}

impl<'a> Ticking<'a> {
    pub(super) fn new(driver: &'a Driver, trigger: &Trigger) -> Self {
        let clock = &driver.ports.clock;
        let notices = match trigger {
            Trigger::Schedule => Vec::new(),
            Trigger::Notices(notices) => notices.clone(),
        };
        let mut report = Report::new(clock.now(), driver.policy.clone(), Ended::Done);
        report.notices_stored = notices.is_empty();
        Self {
            driver,
            me: driver.ports.ids.holder(),
            began: clock.boot(),
            notices,
            must_write: false,
            idle: 0,
            report,
        }
    }

    /// The tick, told as one.
    pub(super) fn told(self, trigger: &Trigger) -> impl Future<Output = Report> {
        let (cluster, policy) = (self.driver.policy.cluster().clone(), self.driver.policy.hash().clone());
        tell::in_tick((cluster, policy, self.me.clone()), trigger, self.run())
    }

    async fn run(mut self) -> Report {
        let mut starts = 0;
        self.report.ended = loop {
            match self.attempt().await {
                Ok(ended) | Err(Step::End(ended)) => break ended,
                Err(Step::StartOver) if starts >= MAX_STARTS || self.left() == Span::ZERO => {
                    break Ended::NoAuthority {
                        why: "others kept writing, or the store's answers got lost".to_owned(),
                    };
                }
                Err(Step::StartOver) => starts += 1,
            }
        };
        if let Ended::Halted { why } = self.report.ended.clone() {
            self.alarm(why);
        }
        self.report.took = self.driver.ports.clock.boot().since(self.began);
        self.report
    }

    /// Somebody should look at this; told once, however many rounds find it.
    fn alarm(&mut self, text: String) {
        if !self.report.alarms.contains(&text) {
            self.report.alarms.push(text);
        }
    }

    /// The time that is left for effects.
    fn left(&self) -> Span {
        self.stop().since(self.driver.ports.clock.boot())
    }

    /// When effects stop.
    fn stop(&self) -> Deadline {
        self.began.after(self.driver.policy.tick().limit.minus(STOP_BEFORE))
    }

    /// How long the next call may take.
    fn call(&self) -> Span {
        let end = self.began.after(self.driver.policy.tick().limit);
        CALL.min(end.since(self.driver.ports.clock.boot()))
    }

    fn brings(&self) -> Tick {
        let write_id = self.driver.ports.ids.write_id();
        Tick::new(self.me.clone(), write_id, self.driver.launch_delay).with_notices(self.notices.clone())
    }

    async fn attempt(&mut self) -> Result<Ended, Step> {
        let Driver { policy, ports, scope, .. } = self.driver;
        let fingerprint = Fingerprint::of(policy.cluster(), scope);
        let known = self.driver.newest();
        let (mut expected, mut record) = match load(ports, self.call()).await.map_err(Step::End)? {
            Some((version, record)) => {
                self.report.record = Some(record.clone());
                (Expected::At(version), record)
            }
            None => {
                let founding = Record::founding(
                    fingerprint.clone(),
                    ports.ids.inc(),
                    ports.ids.write_id(),
                    ports.clock.now(),
                );
                (Expected::Absent, founding)
            }
        };
        match claim(policy, &fingerprint, &record, &self.me, ports.clock.now()) {
            Claim::Free => {}
            Claim::Halt { why } => return Ok(Ended::Halted { why }),
            Claim::Busy { holder, until } => {
                self.append(expected, &record).await?;
                return Ok(Ended::Busy { holder, until });
            }
        }
        if let Some((inc, ver)) = known.filter(|(inc, ver)| *inc == record.inc && record.ver < *ver) {
            let why = format!(
                "the store returned version {} of record {inc} after version {ver}: its reads are not consistent, or an \
                 older copy was restored. Delete the record to have it rebuilt from what is running",
                record.ver
            );
            return Ok(Ended::Halted { why });
        }
        self.driver.remember(&record);
        self.idle = 0;
        loop {
            let number = self.report.rounds.len() + 1;
            let (ver, round) = (record.ver, self.round(&mut expected, &mut record));
            if let Some(ended) = tell::in_round(number, ver, round).await? {
                return Ok(ended);
            }
            if self.idle > 0 {
                ports.clock.sleep(PAUSE.min(self.left())).await;
            }
        }
    }

    /// Looks, decides, acts. Gives how the tick ends, unless another round is worth it.
    async fn round(&mut self, expected: &mut Expected, record: &mut Record) -> Result<Option<Ended>, Step> {
        let Driver { policy, ports, .. } = self.driver;
        let mut scope = wanted(policy, record, ports.clock.now());
        loop {
            let view = observe(ports, policy, &scope, self.call()).await;
            let tick = self.brings();
            let planned = match plan(policy, record, &view, &tick, ports.clock.now()) {
                Ok(planned) => planned,
                Err(halt) => return self.halted(expected, halt.to_string()).await.map(Some),
            };
            if let Some(needs) =
                planned.needs.clone().filter(|needs| *needs != scope && self.left() > Span::ZERO)
            {
                scope = needs;
                continue;
            }
            return Ok(match self.act(expected, record, (view, tick), planned).await? {
                None => Some(Ended::Done),
                Some((version, more)) => {
                    *expected = Expected::At(version);
                    (!more).then_some(Ended::Done)
                }
            });
        }
    }

    /// The list is read after the record: another tick may have launched in between. Only if the record is still the
    /// same does the contradiction stand.
    async fn halted(&self, expected: &Expected, why: String) -> Result<Ended, Step> {
        let current = load(&self.driver.ports, self.call()).await.map_err(Step::End)?;
        let same = match (expected, &current) {
            (Expected::Absent, None) => true,
            (Expected::At(version), Some((stored, _))) => version == stored,
            (Expected::Absent, Some(_)) | (Expected::At(_), None) => false,
        };
        if same { Ok(Ended::Halted { why }) } else { Err(Step::StartOver) }
    }

    /// Stores a decision, performs what it authorises, stores what became of it.
    ///
    /// `None` when nothing was due. Else the new version, and whether another round is worth it.
    async fn act(
        &mut self,
        expected: &Expected,
        record: &mut Record,
        (view, tick): (View, Tick),
        planned: Planned,
    ) -> Result<Option<(Version, bool)>, Step> {
        let Driver { policy, ports, .. } = self.driver;
        let Planned { next, changed, storable, notices_taken, explanation, wake_in, .. } = planned;
        self.report.wake_in = wake_in;
        explanation.alarms.iter().for_each(|text| self.alarm(text.clone()));
        tell::decided(&view, &explanation);
        let before = std::mem::replace(record, next);
        self.report.rounds.push(Round {
            before,
            view,
            tick,
            explanation,
            stored: None,
            outcomes: Vec::new(),
        });
        if mutant::on(Mutant::ActBeforeStoring) {
            let early = due(policy, record, &self.last().view);
            drop(perform(ports, early, self.stop(), self.call()).await);
        }
        if mutant::on(Mutant::ReadIsAuthority) {
            let read = due(policy, &self.last().before.clone(), &self.last().view.clone());
            drop(perform(ports, read, self.stop(), self.call()).await);
        }
        if !storable || (!changed && !self.must_write) {
            self.report.notices_stored |= notices_taken;
            return Ok(None);
        }
        let mut version = self.write(expected, record).await?.map_err(|_| Step::StartOver)?;
        self.must_write = false;
        if notices_taken {
            self.report.notices_stored = true;
            self.notices.clear();
        }
        tell::stored(record, &self.last().explanation);
        let effects = due(policy, record, &self.last().view);
        let late = self.left() == Span::ZERO && !mutant::on(Mutant::IgnoreNotAfter);
        self.last().stored = Some(record.clone());
        if effects.is_empty() {
            return Ok(None);
        }
        if self.driver.is_parked() || late {
            // What is due stays in the record, launches as not sent; the lease is given back.
            let why = if late { "no time was left in the tick" } else { "the driver is parked" };
            let outcomes = effects.into_iter().map(|effect| not_sent(effect, why)).collect::<Vec<_>>();
            if late {
                self.alarm(format!(
                    "{} effects were due, and {why}: is its limit too short?",
                    outcomes.len()
                ));
            }
            let settled = settle(policy, record, &outcomes, &self.brings(), ports.clock.now());
            let _ = self.write(&Expected::At(version), &released(settled)).await?;
            return Ok(None);
        }
        let outcomes = perform(ports, effects, self.stop(), self.call()).await;
        for outcome in &outcomes {
            if let Answer::Refused(Refusal::Denied { action }) = &outcome.answer {
                self.alarm(format!("operation {}: {action} is denied", outcome.effect.op));
            }
        }
        self.last().outcomes.clone_from(&outcomes);
        let mut settled = settle(policy, record, &outcomes, &self.brings(), ports.clock.now());
        self.idle = if settled.ops == record.ops { self.idle + 1 } else { 0 };
        // The last round of a tick gives the lease back, whatever ends it.
        let patient = self.idle <= MAX_IDLE_ROUNDS;
        let worth = patient
            && self.left() > PAUSE
            && self.report.rounds.len() < MAX_ROUNDS
            && !self.driver.is_parked();
        let more = worth && settled.ops.iter().any(is_pressing);
        if !more {
            settled = released(settled);
        }
        version = match self.write(&Expected::At(version), &settled).await? {
            Ok(version) => version,
            // Somebody appended notices meanwhile: put the outcomes onto that, once.
            Err(Some((version, theirs))) if only_notices_added(record, &theirs) => {
                settled = settle(policy, &theirs, &outcomes, &self.brings(), ports.clock.now());
                if !more {
                    settled = released(settled);
                }
                self.write(&Expected::At(version), &settled).await?.map_err(|_| Step::StartOver)?
            }
            Err(_) => return Err(Step::StartOver),
        };
        *record = settled;
        Ok(Some((version, more)))
    }

    fn last(&mut self) -> &mut Round {
        self.report.rounds.last_mut().expect("the round that is under way was pushed at its start")
    }

    /// One swap. An unknown answer starts the tick over, with a duty to write before anything else.
    async fn write(
        &mut self,
        expected: &Expected,
        record: &Record,
    ) -> Result<Result<Version, Option<(Version, Box<Record>)>>, Step> {
        let workers = self.report.rounds.last().and_then(|round| workers(&round.view));
        match swap(&self.driver.ports, expected, record, workers, self.call()).await.map_err(Step::End)? {
            Written::Applied(version) => {
                self.driver.remember(record);
                self.report.record = Some(record.clone());
                Ok(Ok(version))
            }
            Written::Lost(current) => Ok(Err(current)),
            Written::Unknown => {
                self.must_write = true;
                Err(Step::StartOver)
            }
        }
    }

    /// Another tick works on the record: only the notices are stored.
    async fn append(&mut self, expected: Expected, record: &Record) -> Result<(), Step> {
        if !self.notices.is_empty() {
            let now = self.driver.ports.clock.now();
            let (next, all) = append_notices(record, &self.notices, &self.brings(), now);
            if let Some(next) = next {
                self.write(&expected, &next).await?.map_err(|_| Step::StartOver)?;
            }
            self.report.notices_stored = all;
        }
        Ok(())
    }
}

fn not_sent(effect: Effect, why: &str) -> Outcome {
    Outcome::new(effect, Answer::NotSent { why: why.to_owned() })
}

/// Whether an operation has something to do that need not wait for the next tick.
fn is_pressing(op: &crate::data::record::Op) -> bool {
    match &op.kind {
        OpKind::Launch(launch) => {
            matches!(launch.state, LaunchState::Planned | LaunchState::Sent | LaunchState::Refused { .. })
        }
        OpKind::Remove(remove) => match &remove.state {
            RemoveState::Planned | RemoveState::Gone => true,
            RemoveState::Cordoned => remove.why != RemoveWhy::CordonOnly,
            RemoveState::Terminating { accepted, .. } => !accepted,
            RemoveState::RollingBack { tries, .. } => *tries < 2,
            RemoveState::Parked { .. } => false,
        },
    }
}
