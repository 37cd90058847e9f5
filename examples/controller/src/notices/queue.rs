//! Notices from an SQS queue, into which EventBridge puts what it hears of EC2.
//!
//! A message goes when its notices are stored, or when it has none. One that is not stored in time, and one that cannot be
//! read, is left: the queue gives it again, and its redrive policy says how often. Copies change nothing.

use std::sync::Arc;
use std::time::Duration;

use autoscale_aws::events;
use autoscale_core::ports::Clock;
use autoscale_core::words::{Span, truncated};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use futures_util::future::{Either, select};

use super::{Inbox, Pause};

/// How long a request waits for a message, the most that SQS allows.
const WAIT: i32 = 20;
/// For so long nobody else gets a message that is under way here.
const HIDDEN: i32 = 120;
/// So long is waited until notices are stored: shorter, so that a message is not given to two at a time.
const PATIENCE: Span = Span::from_secs(100);
/// The least time between two requests that find nothing.
const LEAST: Span = Span::from_secs(1);
/// How long one request may take: longer than it waits.
pub(crate) const REQUEST: Duration = Duration::from_secs(30);

/// A queue of notices.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    inbox: Inbox,
    clock: Arc<dyn Clock>,
}

/// What one look did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Looked {
    /// Messages that came.
    pub messages: usize,
    /// Notices in them.
    pub notices: usize,
    /// Messages that were deleted.
    pub deleted: usize,
}

/// Why a look failed, in words.
type Failed = String;

impl Queue {
    /// A queue by its URL. What comes goes into the inbox.
    pub fn new(client: Client, url: impl Into<String>, inbox: Inbox, clock: Arc<dyn Clock>) -> Self {
        Self { client, url: url.into(), inbox, clock }
    }

    /// Looks again and again. It ends when it is dropped.
    pub async fn run(self) {
        let mut pause = Pause::default();
        loop {
            let begun = self.clock.boot();
            match self.look().await {
                Ok(looked) => {
                    pause.over();
                    // One that does not wait, whatever it was asked.
                    if looked.messages == 0 && self.clock.boot().since(begun) < LEAST {
                        self.clock.sleep(LEAST).await;
                    }
                }
                Err(error) => {
                    metrics::counter!("controller_notice_failures_total", "source" => "queue").increment(1);
                    tracing::warn!(error, "the queue of notices");
                    self.clock.sleep(pause.next()).await;
                }
            }
        }
    }

    /// Looks once: waits for messages, hands their notices on, and deletes what is done.
    ///
    /// # Errors
    /// The queue could not be asked, or a message that is done could not be deleted: it comes again.
    pub async fn look(&self) -> Result<Looked, Failed> {
        let asked = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let asked = asked.wait_time_seconds(WAIT).visibility_timeout(HIDDEN).send().await;
        let answer = asked.map_err(|error| failed("ask for messages", "sqs:ReceiveMessage", error))?;
        let messages = answer.messages();
        let mut looked = Looked { messages: messages.len(), ..Looked::default() };
        if messages.is_empty() {
            return Ok(looked);
        }
        let (mut notices, mut idle, mut bringing) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            match self.read(message) {
                Some(events) if events.must_be_stored() => {
                    notices.extend(events.notices);
                    bringing.push(message);
                }
                Some(_) => idle.push(message),
                None => {}
            }
        }
        looked.notices = notices.len();
        metrics::counter!("controller_notices_total", "source" => "queue").increment(notices.len() as u64);
        if bringing.is_empty() {
            // Something happened to an instance: a reason to look, and nothing to wait for.
            let _ = futures_util::FutureExt::now_or_never(self.inbox.tell(Vec::new()));
        } else {
            let told = std::pin::pin!(self.inbox.tell(notices));
            match select(told, self.clock.sleep(PATIENCE)).await {
                Either::Left(_) => idle.extend(bringing),
                Either::Right(_) => {
                    tracing::warn!("notices are not stored yet: the queue will give them again");
                }
            }
        }
        looked.deleted = self.delete(&idle).await?;
        Ok(looked)
    }

    /// What is in a message; nothing, if it cannot be read.
    fn read(&self, message: &Message) -> Option<events::Events> {
        let body = message.body().unwrap_or_default();
        match events::read(body.as_bytes(), self.clock.now()) {
            Ok(events) => {
                for why in &events.ignored {
                    tracing::info!(why, "a message of the queue of notices is of no use");
                }
                Some(events)
            }
            Err(error) => {
                metrics::counter!("controller_notice_failures_total", "source" => "queue").increment(1);
                tracing::warn!(error = error.chain(), "a message of the queue of notices is left there");
                None
            }
        }
    }

    async fn delete(&self, messages: &[&Message]) -> Result<usize, Failed> {
        let mut batch = self.client.delete_message_batch().queue_url(&self.url);
        let mut count = 0;
        for handle in messages.iter().filter_map(|message| message.receipt_handle()) {
            let entry =
                DeleteMessageBatchRequestEntry::builder().id(count.to_string()).receipt_handle(handle);
            // Both of its fields are there.
            let Ok(entry) = entry.build() else { continue };
            batch = batch.entries(entry);
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let answer = batch.send().await;
        let answer = answer.map_err(|error| failed("delete messages", "sqs:DeleteMessage", error))?;
        match answer.failed() {
            [] => Ok(count),
            [first, ..] => Err(format!("delete messages: {}", truncated(first.code(), 100))),
        }
    }
}

/// An error and its causes, and the permission that the request needs.
fn failed(attempted: &str, action: &str, error: impl std::error::Error) -> Failed {
    let (mut text, mut cause) = (format!("{attempted} ({action}): {error}"), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    truncated(&text, 400)
}
