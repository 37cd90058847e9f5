//! What becomes of reports beside the ticks: the audit log, and events. Whatever hangs there stops nothing.

use std::path::Path;
use std::sync::Arc;

use autoscale_core::driver::{Auditor, Report, Round};
use autoscale_core::file::AuditFile;
use autoscale_core::ports::{Clock, Ids};
use autoscale_core::words::Span;
use autoscale_kube::events::{Events, RoundFacts};
use tokio::sync::mpsc;

use crate::bad::Bad;

/// So many reports may wait; a report has a whole view in it.
const WAITING: usize = 4;
/// How long one call of the log may take.
const CALL: Span = Span::from_secs(10);

/// Takes reports, and hands them on: to the audit log, in a task of its own, and to events.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    log: Option<mpsc::Sender<Report>>,
    events: Option<Arc<Events>>,
}

impl Recorder {
    /// To a file. The task ends when all clones of the recorder are gone and every report is written.
    ///
    /// # Errors
    /// The folder is not there, or may not be written.
    pub fn open(
        path: &Path,
        ids: &dyn Ids,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), Bad> {
        let log = AuditFile::open(path);
        let log = log.map_err(|error| Bad::of(format!("--audit: {}", error.chain())))?;
        let mut auditor = Auditor::new(Arc::new(log), ids.holder()).with_limit(clock, CALL);
        let (to, mut reports) = mpsc::channel::<Report>(WAITING);
        let task = async move {
            while let Some(report) = reports.recv().await {
                if let Err(error) = auditor.record(&report).await {
                    metrics::counter!("controller_audit_failures_total").increment(1);
                    tracing::warn!(error = error.to_string(), "a report is not in the audit log");
                }
            }
        };
        Ok((Self { log: Some(to), events: None }, task))
    }

    /// Also to events, which are written from a task of their own.
    #[must_use]
    pub fn with_events(mut self, events: Arc<Events>) -> Self {
        self.events = Some(events);
        self
    }

    /// Takes a report. One that there is no room for is lost for the log, and said to be.
    pub fn take(&self, report: &Report) {
        for round in self.events.iter().flat_map(|_| &report.rounds) {
            let Round { view, explanation, stored, outcomes, .. } = round;
            let facts = RoundFacts::new(view, explanation, stored.as_ref(), outcomes);
            self.events.iter().for_each(|events| events.tell(&facts));
        }
        if let Some(to) = &self.log
            && to.try_send(report.clone()).is_err()
        {
            metrics::counter!("controller_audit_failures_total").increment(1);
            tracing::warn!("the audit log does not keep up: a report is not in it");
        }
    }
}
