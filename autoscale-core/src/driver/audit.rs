//! From reports to the audit log.

use std::sync::Arc;

use super::observe::within;
use super::{Report, Round};
use crate::data::audit::{Broken, Brought, Decided, Entry, Head, Line, Writer};
use crate::ports::{Appended, AuditLog, Clock, Error, ErrorKind};
use crate::words::{ContentHash, HolderId, Span, Timestamp};

/// An entry is written after so long, whether or not anything changed.
const HOURLY: Span = Span::from_mins(60);

/// What became of a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Recorded {
    /// It is an entry of the log.
    Written,
    /// It says nothing that the newest entry does not say.
    Unchanged,
}

/// A report that did not get into the log. The tick is over all the same; the next report begins anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFailed {
    /// The store did not take it.
    #[error("the audit log did not take an entry: {}", .0.chain())]
    Store(Error),
    /// It cannot be written as an entry.
    #[error("no entry of the audit log")]
    Entry(#[source] Broken),
}

/// Writes what ticks report to an [`AuditLog`].
///
/// An entry is written when the verdict has changed since the last one, when a tick sent something or changed operations, notices
/// or a pause in the record, and otherwise once an hour. The first time, and after a failure, the newest entry in the log is
/// looked at: it tells what was the verdict, and is what the first line names. That is all a process needs that lives for one
/// tick. Keeps the last round as JSON.
///
/// Hand it every report, and do not let a failure stop the ticks. Dropping the future of [`record`](Self::record) is safe.
#[derive(Debug)]
pub struct Auditor {
    log: Arc<dyn AuditLog>,
    name: HolderId,
    /// Under the how many-th name lines are written: each failure makes a new one.
    names: u32,
    writer: Option<Writer>,
    last: Option<(ContentHash, Timestamp)>,
    everything: bool,
    limit: Option<(Arc<dyn Clock>, Span)>,
}

impl Auditor {
    /// An auditor whose lines carry a name that nobody else has or had: a fresh [`Ids::holder`](crate::ports::Ids::holder).
    pub fn new(log: Arc<dyn AuditLog>, name: HolderId) -> Self {
        Self { log, name, names: 0, writer: None, last: None, everything: false, limit: None }
    }

    /// Writes an entry for every report.
    #[must_use]
    pub const fn with_everything(mut self) -> Self {
        self.everything = true;
        self
    }

    /// Gives the log so long for each call.
    #[must_use]
    pub fn with_limit(mut self, clock: Arc<dyn Clock>, limit: Span) -> Self {
        self.limit = Some((clock, limit));
        self
    }

    /// Writes an entry, if there is something to say.
    ///
    /// # Errors
    /// [`AuditFailed`]; the report is lost for the log, and nothing else is.
    pub async fn record(&mut self, report: &Report) -> Result<Recorded, AuditFailed> {
        // Whatever ends this call early, the next one finds no writer and begins anew.
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin().await?,
        };
        let entry = entry(report);
        let verdict = Writer::verdict(&entry);
        let same = self
            .last
            .as_ref()
            .is_some_and(|(last, at)| *last == verdict && *at <= report.at && report.at.since(*at) < HOURLY);
        if same && !entry.is_act() && !self.everything {
            self.writer = Some(writer);
            return Ok(Recorded::Unchanged);
        }
        let line = writer.line(&entry, false).map_err(AuditFailed::Entry)?;
        if self.append(&line).await? == Appended::NeedsFull {
            let line = writer.line(&entry, true).map_err(AuditFailed::Entry)?;
            if self.append(&line).await? == Appended::NeedsFull {
                let error =
                    Error::new(ErrorKind::Invalid, "append a full entry: another full one was asked for");
                return Err(AuditFailed::Store(error));
            }
        }
        writer.stored();
        self.writer = Some(writer);
        self.last = Some((verdict, report.at));
        Ok(Recorded::Written)
    }

    /// A writer that goes on behind the newest line.
    async fn begin(&mut self) -> Result<Writer, AuditFailed> {
        let newest: Option<Head> = self.call(self.log.newest(), "read the newest entry").await?;
        self.names = self.names.saturating_add(1);
        let name = match self.names {
            1 => self.name.clone(),
            names => HolderId::new(format!("{}.{names}", self.name)).unwrap_or_else(|_| self.name.clone()),
        };
        let sum = newest.as_ref().map(|head| head.sum);
        self.last = newest.map(|head| (head.verdict, head.at));
        Ok(Writer::new(name, sum))
    }

    async fn append(&self, line: &Line) -> Result<Appended, AuditFailed> {
        self.call(self.log.append(line), "append an entry").await
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
        what: &str,
    ) -> Result<T, AuditFailed> {
        let answer = match &self.limit {
            None => call.await,
            Some((clock, limit)) => within(&**clock, *limit, call).await.unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Unclear, format!("{what}, no answer within {limit}")))
            }),
        };
        answer.map_err(AuditFailed::Store)
    }
}

fn entry(report: &Report) -> Entry<'_> {
    let Report { at, policy, ended, rounds, notices_stored, wake_in, alarms, took: _, record: _ } = report;
    let mut entry = Entry::new(*at, policy, ended.clone());
    entry.rounds = rounds.iter().map(decided).collect();
    (entry.notices_stored, entry.wake_in) = (*notices_stored, *wake_in);
    entry.alarms.clone_from(alarms);
    entry
}

fn decided(round: &Round) -> Decided<'_> {
    let Round { before, view, tick, explanation, stored, outcomes } = round;
    let (holder, write_id) = (tick.holder.clone(), tick.write_id.clone());
    let brought = Brought::new(holder, write_id, tick.launch_delay, tick.notices.clone());
    Decided::new(before, view, brought, explanation, stored.as_ref(), outcomes)
}
