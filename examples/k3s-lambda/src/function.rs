//! One invocation: an event comes in, a tick runs, what it did is told.
//!
//! An event is acknowledged only when its notices are in the record. A plain invocation fails otherwise, and Lambda delivers the
//! event again. Of a batch from a queue those messages fail whose notices are not stored: with `QUEUE_PARTIAL_FAILURES=true` they
//! are named in the answer, which the queue's mapping must have been told to look at (`ReportBatchItemFailures`); otherwise the
//! whole invocation fails, and all of them come again, which does no harm.

use std::sync::Arc;

use autoscale_aws::events;
use autoscale_core::data::record::IncomingNotice;
use autoscale_core::driver::{Auditor, Driver, Ended, Report, Trigger};
use autoscale_core::ports::{Clock, Ids};
use autoscale_core::words::Span;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::setup::Setup;
use crate::telemetry::{Series, Telemetry};

/// What is left of an invocation's time for the audit log and metrics.
const AFTER: Span = Span::from_secs(8);
/// Before its end a tick still has to store what it knows.
const STORE: Span = Span::from_secs(5);
/// One call of the audit log.
const CALL: Span = Span::from_secs(4);
/// How much of an invocation's time must be left for a tick to be begun at all.
const LEAST: Span = Span::from_secs(2);

/// What an invocation answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Answer {
    /// How the tick ended: `done`, `busy`.
    pub ended: &'static str,
    /// How many rounds it took.
    pub rounds: usize,
    /// How many orders were sent.
    pub orders: usize,
    /// What somebody should look at.
    pub alarms: Vec<String>,
    /// Messages of a batch that must come again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batch_item_failures: Vec<BatchItem>,
}

/// A message of a queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchItem {
    /// Its id.
    pub item_identifier: String,
}

/// An invocation that failed: it is repeated, and counted as an error.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failed {
    /// The payload is none.
    #[error("the event cannot be read: {0}")]
    Event(String),
    /// The event would be lost.
    #[error("notices are not stored, deliver the event again: {0}")]
    NotStored(String),
    /// A person has to look.
    #[error("halted: {0}")]
    Halted(String),
    /// The record could not be reached.
    #[error("the record could not be reached: {0}")]
    NoAuthority(String),
    /// There was no time for it.
    #[error("the time was over; what was begun goes on with the next invocation")]
    Late,
}

/// The function. It lives as long as its process and takes one invocation after the other.
#[derive(Debug)]
pub struct Function {
    setup: Setup,
    driver: Driver,
    rest: Mutex<Rest>,
}

/// What changes from one invocation to the next.
#[derive(Debug)]
struct Rest {
    auditor: Auditor,
    telemetry: Telemetry,
}

/// What an event says: notices, and which message brought them.
#[derive(Debug, Default)]
struct Read {
    notices: Vec<IncomingNotice>,
    /// Of a queue: the messages that brought notices.
    messages: Vec<String>,
    is_batch: bool,
}

impl Function {
    /// A function over ports that have been put together.
    pub fn new(setup: Setup, ids: &dyn Ids) -> Self {
        let auditor =
            Auditor::new(setup.log.clone(), ids.holder()).with_limit(setup.ports.clock.clone(), CALL);
        let telemetry = Telemetry::new(&setup.policy, setup.settings.emf.clone());
        let driver = setup.driver();
        Self { setup, driver, rest: Mutex::new(Rest { auditor, telemetry }) }
    }

    /// What it works with.
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Takes an event. `left` is how much time there is until the process is stopped; none: as much as it takes.
    ///
    /// Besides the answer it gives the lines for CloudWatch, one JSON object each, also when it failed.
    ///
    /// # Errors
    /// [`Failed`]: the event is to be delivered again.
    pub async fn invoke(&self, payload: &[u8], left: Option<Span>) -> (Result<Answer, Failed>, Vec<String>) {
        let end = left.map(|left| self.clock().boot().after(left));
        let read = match self.read(payload) {
            Ok(read) => read,
            Err(failed) => return (Err(failed), Vec::new()),
        };
        let trigger = match read.notices.is_empty() {
            true => Trigger::Schedule,
            false => Trigger::Notices(read.notices.clone()),
        };
        let Some(report) = self.tick(&trigger, left).await else { return (Err(Failed::Late), Vec::new()) };
        let lines = self.told(&report, end.map(|end| end.since(self.clock().boot()))).await;
        (self.answer(&report, read), lines)
    }

    /// Adds what was counted since the last time, as to a Pushgateway, for whoever keeps series by himself.
    pub async fn add_to(&self, series: &mut Vec<Series>) {
        let telemetry = &self.rest.lock().await.telemetry;
        *series = telemetry.continued(series);
        telemetry.pushed();
    }

    fn clock(&self) -> &Arc<dyn Clock> {
        &self.setup.ports.clock
    }

    /// Each message of a queue by itself: a notice is its message's.
    fn read(&self, payload: &[u8]) -> Result<Read, Failed> {
        let now = self.clock().now();
        let one = |payload: &[u8]| {
            let events = events::read(payload, now).map_err(|error| Failed::Event(error.chain()))?;
            for what in &events.ignored {
                tracing::warn!(what, "an event is of no use");
            }
            Ok(events.notices)
        };
        let whole: Option<Value> = serde_json::from_slice(payload).ok();
        let records = whole.as_ref().and_then(|whole| whole.get("Records")).and_then(Value::as_array);
        let Some(records) = records else { return Ok(Read { notices: one(payload)?, ..Read::default() }) };
        let mut read = Read { is_batch: true, ..Read::default() };
        for record in records {
            let notices = one(serde_json::json!({"Records": [record]}).to_string().as_bytes())?;
            if !notices.is_empty() {
                let id = record.get("messageId").and_then(Value::as_str).unwrap_or_default();
                read.messages.push(id.to_owned());
            }
            read.notices.extend(notices);
        }
        Ok(read)
    }

    /// A tick within the time that is left. `None` if there is not enough of it, or it ran out.
    async fn tick(&self, trigger: &Trigger, left: Option<Span>) -> Option<Report> {
        let Some(left) = left else { return Some(Box::pin(self.driver.tick(trigger)).await) };
        if left < LEAST {
            return None;
        }
        let limit = self.driver.policy().tick().limit;
        if left >= limit.plus(AFTER) {
            return Some(Box::pin(self.driver.tick(trigger)).await);
        }
        // A driver of its own: one that is parked stays so.
        tracing::warn!(%left, %limit, "little time is left: give the function the tick's limit and 10 seconds more");
        let driver = self.setup.driver();
        let mut tick = std::pin::pin!(driver.tick(trigger));
        let early = self.clock().sleep(left.minus(AFTER.plus(STORE)));
        tokio::select! {
            report = &mut tick => return Some(report),
            () = early => driver.park(),
        }
        // Dropped at any point it is safe: the next tick takes over from the record.
        tokio::select! {
            report = &mut tick => Some(report),
            () = self.clock().sleep(STORE.plus(AFTER).min(left).minus(Span::from_secs(1))) => None,
        }
    }

    /// Writes the audit log, counts, and pushes. None of it stops anything.
    async fn told(&self, report: &Report, left: Option<Span>) -> Vec<String> {
        let mut rest = self.rest.lock().await;
        let Rest { auditor, telemetry } = &mut *rest;
        let enough = |least: Span| left.is_none_or(|left| left > least);
        if !enough(LEAST) {
            tracing::warn!("no time is left for the audit log: a report is not in it");
        } else if let Err(error) = auditor.record(report).await {
            tracing::warn!(error = error.to_string(), "a report is not in the audit log");
        }
        let lines = telemetry.observe(report);
        if let Some(push) = self.setup.push.as_ref().filter(|_| enough(AFTER))
            && let Err(why) = push.push(telemetry).await
        {
            tracing::warn!(why, "metrics are not pushed");
        }
        lines
    }

    fn answer(&self, report: &Report, read: Read) -> Result<Answer, Failed> {
        let orders = report.rounds.iter().map(|round| round.outcomes.len()).sum();
        for alarm in &report.alarms {
            tracing::error!(alarm, "somebody should look");
        }
        let mut answer = Answer {
            ended: report.ended.code(),
            rounds: report.rounds.len(),
            orders,
            alarms: report.alarms.clone(),
            batch_item_failures: Vec::new(),
        };
        tracing::info!(ended = answer.ended, rounds = answer.rounds, orders, took = %report.took, "a tick is over");
        if !report.notices_stored && !read.notices.is_empty() {
            let named = read.messages.iter().all(|id| !id.is_empty());
            if !(read.is_batch && self.setup.settings.partial_batches && named) {
                return Err(Failed::NotStored(why(&report.ended)));
            }
            let item = |item_identifier| BatchItem { item_identifier };
            answer.batch_item_failures = read.messages.into_iter().map(item).collect();
            return Ok(answer);
        }
        match &report.ended {
            Ended::Done | Ended::Busy { .. } => Ok(answer),
            Ended::Halted { why } => Err(Failed::Halted(why.clone())),
            Ended::NoAuthority { why } => Err(Failed::NoAuthority(why.clone())),
            other => Err(Failed::NoAuthority(format!("it ended as {}", other.code()))),
        }
    }
}

fn why(ended: &Ended) -> String {
    match ended {
        Ended::Halted { why } => format!("halted: {why}"),
        Ended::NoAuthority { why } => format!("the record could not be reached: {why}"),
        Ended::Busy { holder, until } => format!("{holder} is at work, until {until} at most"),
        other => format!("the tick ended as {}", other.code()),
    }
}
