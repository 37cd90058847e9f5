//! The loop: ticks under the newest policy, until told to stop.
//!
//! All replicas run it. The lease in the record decides who acts; the others see that and wait.

use std::sync::Arc;

use autoscale_core::data::order::Effect;
use autoscale_core::data::policy::Policy;
use autoscale_core::driver::{Driver, MetricsObserver, Report, RunOptions, run};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use serde_json::Value;
use tokio::sync::watch;

use crate::board::Board;
use crate::dry::Dry;
use crate::notices::Inbox;
use crate::recorder::Recorder;
use crate::setup::Maker;

/// One replica.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replica {
    /// Makes its drivers.
    pub maker: Maker,
    /// The policy that counts.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// What it tells of itself.
    pub board: Arc<Board>,
    /// Where reports go beside.
    pub recorder: Recorder,
    /// In a dry run.
    pub dry: Option<Dry>,
    /// Where notices come from. Not in a dry run, which stores none.
    pub inbox: Option<Inbox>,
}

impl Replica {
    /// A replica that changes things.
    pub fn new(maker: Maker, policy: watch::Receiver<Arc<Policy>>, board: Arc<Board>) -> Self {
        Self { maker, policy, board, recorder: Recorder::default(), dry: None, inbox: None }
    }

    /// Ticks until `stop`. A tick under way then sends nothing more, stores what it knows and gives its lease back; so it is
    /// when a new version of the policy comes, under which the next tick begins at once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop.fuse());
        let mut stopped = false;
        let mut measures = MetricsObserver::new(self.policy.borrow().cluster());
        while !stopped {
            let driver = self.driver();
            measures.begin(driver.policy());
            let (board, recorder, dry) = (self.board.clone(), self.recorder.clone(), self.dry.clone());
            let other = async {
                let changed = std::pin::pin!(self.policy.changed());
                match select(&mut stop, changed).await {
                    Either::Left(((), _)) => {
                        stopped = true;
                        board.is_stopping();
                    }
                    Either::Right((Ok(()), _)) => {}
                    // Nobody is left who could bring another policy.
                    Either::Right((Err(_), stop)) => {
                        stop.await;
                        stopped = true;
                        board.is_stopping();
                    }
                }
            };
            let (mut options, inbox) = (RunOptions::new(), self.inbox.clone());
            options.notices = inbox.as_ref().map(Inbox::open);
            run(&driver, options, other, |report| {
                measures.observe(report);
                inbox.iter().for_each(|inbox| inbox.observe(report));
                observe(report, &board, &recorder, dry.as_ref());
            })
            .await;
        }
    }

    /// A driver under the newest policy.
    fn driver(&mut self) -> Driver {
        let policy = self.policy.borrow_and_update().clone();
        let driver = self.maker.driver(policy);
        if self.dry.is_some() {
            driver.park();
        }
        driver
    }
}

/// Tells a report to everybody.
pub(crate) fn observe(report: &Report, board: &Board, recorder: &Recorder, dry: Option<&Dry>) -> Vec<Effect> {
    let withheld = dry.map(|dry| dry.withheld(report)).unwrap_or_default();
    for effect in &withheld {
        let would = serde_json::to_string(&effect.order).unwrap_or_default();
        tracing::info!(op = effect.op.to_string(), would, "dry run: not sent");
    }
    let told: Vec<Value> = withheld.iter().filter_map(|effect| serde_json::to_value(effect).ok()).collect();
    board.ticked(report, &told);
    recorder.take(report);
    withheld
}
