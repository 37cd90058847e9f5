//! A queue of SQS in memory, and what becomes of its messages.

use std::sync::{Arc, Mutex};

use autoscale_core::data::record::NoticeKind;
use autoscale_core::words::{Span, Timestamp};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use controller::notices::Inbox;
use controller::notices::queue::{Looked, Queue};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::common::{ServerClock, server};
use crate::kill::Fuse;
use crate::wire::{Answer, Fault, Service, Wire};

/// One queue. Its visibility timeouts go by the time it is told.
#[derive(Debug)]
pub(crate) struct Sqs(Mutex<State>);

#[derive(Debug)]
struct State {
    now: Timestamp,
    messages: Vec<Message>,
    given: u32,
}

#[derive(Debug)]
struct Message {
    handle: String,
    body: String,
    hidden: Timestamp,
}

impl Sqs {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { now: Timestamp::from_millis(0), messages: Vec::new(), given: 0 }))
    }

    pub(crate) fn now(&self, now: Timestamp) {
        self.0.lock().unwrap().now = now;
    }

    pub(crate) fn put(&self, body: impl Into<String>) {
        let mut state = self.0.lock().unwrap();
        let (handle, hidden) = (String::new(), Timestamp::from_millis(0));
        state.messages.push(Message { handle, body: body.into(), hidden });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().messages.is_empty()
    }

    /// How often a message was given.
    pub(crate) fn given(&self) -> u32 {
        self.0.lock().unwrap().given
    }

    fn bodies(&self) -> Vec<String> {
        self.0.lock().unwrap().messages.iter().map(|message| message.body.clone()).collect()
    }
}

impl Service for Sqs {
    fn operation(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap();
        target.trim_start_matches("AmazonSQS.").to_owned()
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        let (asked, mut state): (Value, _) = (serde_json::from_slice(body).unwrap(), self.0.lock().unwrap());
        assert_eq!(asked["QueueUrl"], "https://sqs.eu-central-1.amazonaws.com/111122223333/notices");
        match operation {
            "ReceiveMessage" => {
                assert!(asked["WaitTimeSeconds"].as_u64().unwrap() >= 1, "a busy loop");
                let hidden = state.now.after(Span::from_secs(asked["VisibilityTimeout"].as_u64().unwrap()));
                let most = usize::try_from(asked["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
                let (now, mut given) = (state.now, state.given);
                let visible = state.messages.iter_mut().filter(|message| message.hidden <= now).take(most);
                let messages: Vec<Value> = visible
                    .map(|message| {
                        given += 1;
                        (message.hidden, message.handle) = (hidden, format!("handle-{given}"));
                        json!({"MessageId": "m", "ReceiptHandle": message.handle, "Body": message.body})
                    })
                    .collect();
                state.given = given;
                Answer::ok(json!({ "Messages": messages }).to_string())
            }
            "DeleteMessageBatch" => {
                let (mut well, mut badly) = (Vec::new(), Vec::new());
                for entry in asked["Entries"].as_array().unwrap() {
                    let (id, before) = (&entry["Id"], state.messages.len());
                    state.messages.retain(|message| entry["ReceiptHandle"] != message.handle.as_str());
                    if state.messages.len() < before {
                        well.push(json!({"Id": id}));
                    } else {
                        badly.push(json!({"Id": id, "SenderFault": true, "Code": "ReceiptHandleIsInvalid"}));
                    }
                }
                Answer::ok(json!({"Successful": well, "Failed": badly}).to_string())
            }
            other => panic!("{other}"),
        }
    }

    fn error(&self, http: u16, code: &str, message: &str) -> Answer {
        let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message}).to_string();
        Answer { code: http, body }
    }
}

fn queue() -> (Wire<Sqs>, Queue, Inbox) {
    let (wire, server) = (Wire::new(Sqs::new()), server(1));
    let clock = Arc::new(ServerClock(server));
    let (inbox, client) = (Inbox::new(clock.clone()), Aws::sqs(&wire, &Fuse::new(0, false)));
    let url = "https://sqs.eu-central-1.amazonaws.com/111122223333/notices";
    (wire, Queue::new(client, url, inbox.clone(), clock), inbox)
}

fn event(kind: &str, id: &str) -> String {
    json!({"id": id, "source": "aws.ec2", "detail-type": kind, "time": "2026-01-01T00:00:00Z",
        "detail": {"instance-id": "i-00000000000000001", "state": "terminated"}})
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn messages_without_notices_go_and_what_cannot_be_read_stays() {
    let (wire, queue, inbox) = queue();
    let mut driver = inbox.open();
    wire.service.put(event("EC2 Instance State-change Notification", "1"));
    wire.service.put(event("EC2 Something New", "2"));
    wire.service.put("no JSON");
    let looked = queue.look().await.unwrap();
    assert_eq!((looked.messages, looked.notices, looked.deleted), (3, 0, 2));
    assert_eq!(wire.service.bodies(), ["no JSON"], "its redrive policy says what becomes of it");
    assert_eq!(driver.try_recv().unwrap(), [], "a reason to look");
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_nobody_stores_is_left_in_the_queue() {
    let (wire, queue, inbox) = queue();
    let mut driver = inbox.open();
    wire.service.put(event("EC2 Spot Instance Interruption Warning", "1"));
    let looked = queue.look().await.unwrap();
    assert_eq!((looked.messages, looked.notices, looked.deleted), (1, 1, 0));
    assert!(!wire.service.is_empty());
    let notices = driver.try_recv().unwrap();
    assert_eq!(notices.iter().map(|notice| notice.kind).collect::<Vec<_>>(), [NoticeKind::Interruption]);
    assert_eq!(inbox.waiting(), 1, "it is still on its way");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_says_what_is_missing() {
    let (wire, queue, _inbox) = queue();
    assert_eq!(queue.look().await.unwrap(), Looked::default());
    wire.plan("ReceiveMessage", Fault::Refused(403, "AccessDenied", "no"));
    let error = queue.look().await.unwrap_err();
    assert!(error.contains("sqs:ReceiveMessage"), "{error}");
    wire.service.put(event("EC2 Something New", "1"));
    wire.plan("DeleteMessageBatch", Fault::RequestLost);
    let error = queue.look().await.unwrap_err();
    assert!(error.contains("sqs:DeleteMessage"), "{error}");
    assert!(!wire.service.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_wait_is_not_asked_all_the_time() {
    let (wire, queue, _inbox) = queue();
    let asking = tokio::spawn(queue.run());
    tokio::time::sleep(Span::from_secs(60).into()).await;
    let asked = wire.sent("ReceiveMessage");
    assert!((50..=61).contains(&asked), "{asked} times in a minute");
    // Nor one that cannot be asked.
    (0..100).for_each(|_| wire.plan("ReceiveMessage", Fault::Gateway(502)));
    tokio::time::sleep(Span::from_mins(5).into()).await;
    let failed = wire.sent("ReceiveMessage") - asked;
    assert!((8..=12).contains(&failed), "{failed} times in five minutes");
    asking.abort();
}
