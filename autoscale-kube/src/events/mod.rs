//! What was decided and done, as events of `events.k8s.io` on the objects that people look at.
//!
//! | reason | on | when |
//! |---|---|---|
//! | `TriggeredScaleUp` | pod that waits | nodes are bought for pods that wait, and as far as is known it may be on one of them |
//! | `NotTriggerScaleUp` | pod that waits | none is bought that it may be on: why, for each pool |
//! | `ScaledUpGroup` | the pools' object | an instance was launched |
//! | `FailedToScaleUpGroup` | the pools' object | a launch was refused |
//! | `ScaleDown` | node; the pools' object; pod | it was chosen, with pods on it; its instance is ended; the pod was evicted |
//! | `ScaleDownEmpty` | node | it was chosen, with no pod that has to leave |
//! | `ScaleDownFailed` | node | it stays, or could not be drained or ended: why |
//!
//! Failures are of the type `Warning`. The reasons are those of Cluster Autoscaler, whom people know; the pools' object is the Lease
//! of the record, or any other that [`EventConfig`] names.
//!
//! Events are for people: best effort, and never a part of a decision. [`Events::tell`] returns at once. What comes too fast, too
//! often or while the API server does not answer is dropped and counted ([`Events::counts`]), and so is what could be told of more than
//! 1,000 pods that wait; the same event again is counted as a series. One that the API server does not have any more is written anew.
//!
//! This crate does not see the driver's report; its rounds are handed over field by field:
//!
//! ```
//! use autoscale_core::driver::Report;
//! use autoscale_kube::events::{Events, RoundFacts};
//!
//! fn observe(report: &Report, events: &Events) {
//!     for round in &report.rounds {
//!         events.tell(&RoundFacts::new(&round.view, &round.explanation, round.stored.as_ref(), &round.outcomes));
//!     }
//! }
//! ```
//!
//! Its permissions are in `rbac/events-role.yaml`: `create` and `patch`.

mod book;
mod config;
mod request;
mod told;
mod waiting;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use autoscale_core::ports::{Clock, Error};
use futures_util::future::{Either, select};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::Connection;
use crate::connection::Answer;
use book::{ANSWER, Book, Write};
pub use config::EventConfig;
pub use told::RoundFacts;

/// Writes that wait to be sent: beyond that they are dropped.
const WAITING: usize = 256;

/// What became of events since the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct EventCounts {
    /// Written as new events.
    pub created: u64,
    /// Written as one more of a series.
    pub repeated: u64,
    /// Not told: too many.
    pub dropped: u64,
    /// Refused, or without an answer.
    pub failed: u64,
}

/// Writes events, from a task of its own. Dropping it ends the task; what is not sent yet is lost.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Write>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    config: EventConfig,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    counts: watch::Sender<(EventCounts, u64)>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Events {
    /// Begins to write.
    ///
    /// # Errors
    /// `Invalid`: the configuration holds what the API server would refuse; all of it is named.
    ///
    /// # Panics
    /// Outside a runtime of tokio: the writer is a task of the runtime that it is called in.
    pub fn spawn(connection: Connection, config: EventConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        config.check()?;
        let book = Mutex::new(Book::new(config.clone(), clock.boot()));
        let counts = watch::Sender::new((EventCounts::default(), 0));
        let shared = Arc::new(Shared { connection, config, clock, book, counts });
        let (queue, writes) = mpsc::channel(WAITING);
        let task = tokio::spawn(write_all(Arc::clone(&shared), writes)).abort_handle();
        Ok(Self { shared, queue, task })
    }

    /// Tells of one round. It waits for nothing and cannot fail.
    pub fn tell(&self, facts: &RoundFacts<'_>) {
        let mut book = self.shared.book.lock().unwrap_or_else(PoisonError::into_inner);
        let (round, beyond) = told::of_round(facts);
        let (writes, mut dropped) = book.take(round, self.shared.clock.boot());
        dropped += beyond;
        for write in writes {
            // Counted before it is in the queue: `idle` must not miss it.
            self.shared.counts.send_modify(|(_, waiting)| *waiting += 1);
            if let Err(refused) = self.queue.try_send(write) {
                self.shared.counts.send_modify(|(_, waiting)| *waiting -= 1);
                let (Write::New { told, .. } | Write::Again { told, .. }) = refused.into_inner();
                book.forget(&told);
                dropped += 1;
            }
        }
        self.shared.counts.send_modify(|(counts, _)| counts.dropped += dropped);
    }

    /// What became of events so far.
    pub fn counts(&self) -> EventCounts {
        self.shared.counts.borrow().0
    }

    /// Waits until everything that was told is sent or has failed, such as before a program ends.
    pub async fn idle(&self) {
        let mut counts = self.shared.counts.subscribe();
        // It ends only with this value, which sends the counts.
        let _ = counts.wait_for(|(_, waiting)| *waiting == 0).await;
    }
}

async fn write_all(shared: Arc<Shared>, mut writes: mpsc::Receiver<Write>) {
    while let Some(write) = writes.recv().await {
        let done = shared.write(write).await;
        shared.counts.send_modify(|(counts, waiting)| {
            *waiting -= 1;
            match done {
                Done::Created => counts.created += 1,
                Done::Repeated => counts.repeated += 1,
                Done::Failed => counts.failed += 1,
            }
        });
    }
}

enum Done {
    Created,
    Repeated,
    Failed,
}

impl Shared {
    async fn write(&self, write: Write) -> Done {
        let at = self.clock.now();
        let told = match write {
            Write::New { name, told } => {
                let namespace = self.book().namespace(&told);
                let request = request::create(&namespace, &name, &told, &self.config, at);
                match self.answered(self.connection.send(request)).await {
                    // There already: its answer was lost on the way, or a copy of it came twice.
                    Some(answer) if answer.failure().is_none_or(|failure| failure.code == 409) => {
                        return Done::Created;
                    }
                    _ => told,
                }
            }
            Write::Again { name, namespace, count, told } => {
                // The API server takes no series of one.
                let request = request::again(&namespace, &name, count.max(2), at);
                match self.answered(self.connection.send(request)).await {
                    Some(answer) if answer.failure().is_none() => return Done::Repeated,
                    _ => told,
                }
            }
        };
        self.book().forget(&told);
        Done::Failed
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answered<E>(&self, sent: impl Future<Output = Result<Answer, E>>) -> Option<Answer> {
        match select(pin!(sent), pin!(self.clock.sleep(ANSWER))).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(((), _)) => None,
        }
    }
}
