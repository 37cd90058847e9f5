//! Several metrics sources as one: the contract of a source, and what becomes of sources that misbehave.
#![cfg(all(feature = "driver", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_core::conformance::{self, MetricsStage};
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::driver::{Answers, JoinedMetrics};
use autoscale_core::ports::{Clock, MetricsSource};
use autoscale_core::words::{Deadline, Fixed, PoolName, SignalName, Span, Timestamp};

/// Numbers on a board, and what is wrong with whoever reads them out.
#[derive(Debug, Default)]
struct Board {
    numbers: Mutex<BTreeMap<SignalQuery, (Fixed, Span)>>,
    silent: AtomicBool,
    hangs: bool,
    drops_first: bool,
    asked: AtomicU32,
}

#[async_trait]
impl MetricsSource for Board {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let reading = |query: &SignalQuery| match self.numbers.lock().unwrap().get(query) {
            _ if self.silent.load(Ordering::Relaxed) => Reading::Failed { why: "silent".to_owned() },
            Some((value, age)) => Reading::Value { value: *value, age: *age },
            None => Reading::Missing { why: "not on the board".to_owned() },
        };
        let samples = wanted.iter().map(|query| Sample::new(query.clone(), reading(query)));
        samples.skip(usize::from(self.drops_first)).collect()
    }
}

/// Whoever sleeps has waited long enough as soon as all others have had their turn.
#[derive(Debug)]
struct Hurried;

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn boot(&self) -> Deadline {
        Deadline::from_millis(0)
    }
    async fn sleep(&self, _: Span) {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
}

fn signal(name: &str) -> SignalName {
    SignalName::new(name).unwrap()
}

fn query(pool: &str, name: &str) -> SignalQuery {
    SignalQuery::new(PoolName::new(pool).unwrap(), signal(name))
}

fn board(numbers: &[(&str, &str, i64)]) -> Board {
    let board = Board::default();
    for (pool, name, number) in numbers {
        board.numbers.lock().unwrap().insert(query(pool, name), (Fixed::from_int(*number), Span::ZERO));
    }
    board
}

struct Stage {
    boards: [Arc<Board>; 2],
    joined: Arc<JoinedMetrics>,
}

impl Stage {
    fn new() -> Self {
        let boards = [Arc::new(Board::default()), Arc::new(Board::default())];
        let joined = JoinedMetrics::builder(Arc::new(Hurried))
            .with_source("one", boards[0].clone(), Answers::signals([signal("cpu"), signal("queue")]))
            .with_source("two", boards[1].clone(), Answers::rest())
            .build();
        Self { boards, joined: Arc::new(joined.unwrap()) }
    }
}

#[async_trait]
impl MetricsStage for Stage {
    fn source(&self) -> Arc<dyn MetricsSource> {
        self.joined.clone()
    }

    fn queries(&self) -> [SignalQuery; 3] {
        ["queue", "errors", "cpu"].map(|name| query("web", name))
    }

    async fn set(&self, query: &SignalQuery, number: Option<(Fixed, Span)>) {
        let index = usize::from(query.signal.as_str() == "errors");
        let mut numbers = self.boards[index].numbers.lock().unwrap();
        match number {
            Some(number) => numbers.insert(query.clone(), number),
            None => numbers.remove(query),
        };
    }

    async fn silence(&self) -> bool {
        self.boards.iter().for_each(|board| board.silent.store(true, Ordering::Relaxed));
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    conformance::metrics(async || Stage::new()).await.assert_all();
}

fn text(samples: Vec<Sample>) -> Vec<String> {
    let show = |sample: Sample| match sample.reading {
        Reading::Value { value, .. } => format!("{}.{} {value}", sample.query.pool, sample.query.signal),
        Reading::Missing { why } => format!("missing: {why}"),
        Reading::Failed { why } => format!("failed: {why}"),
        other => format!("{other:?}"),
    };
    samples.into_iter().map(show).collect()
}

#[tokio::test]
async fn each_source_is_asked_once_and_only_for_its_own() {
    let of_web = Arc::new(board(&[("web", "cpu", 1)]));
    let cpu = Arc::new(board(&[("web", "cpu", 9), ("db", "cpu", 2)]));
    let rest = Arc::new(board(&[("web", "queue", 3), ("db", "cpu", 9)]));
    let unused = Arc::new(board(&[]));
    let joined = JoinedMetrics::builder(Arc::new(Hurried))
        .with_source("cpu", cpu.clone(), Answers::signals([signal("cpu")]))
        .with_source("rest", rest.clone(), Answers::rest())
        .with_source(
            "web's",
            of_web.clone(),
            Answers::signals_of(&PoolName::new("web").unwrap(), [signal("cpu")]),
        )
        .with_source("unused", unused.clone(), Answers::signals([signal("disk")]))
        .build()
        .unwrap();
    let wanted = [("web", "queue"), ("db", "cpu"), ("web", "cpu"), ("db", "cpu"), ("web", "hole")];
    let samples = joined.sample(&wanted.map(|(pool, name)| query(pool, name))).await;
    let hole = "missing: not on the board";
    assert_eq!(text(samples), ["web.queue 3", "db.cpu 2", "web.cpu 1", "db.cpu 2", hole]);
    let asked = [of_web, cpu, rest, unused].map(|board| board.asked.load(Ordering::Relaxed));
    assert_eq!(asked, [1, 1, 1, 0]);
}

#[tokio::test]
async fn what_nobody_answers_is_missing_and_says_so() {
    let joined = JoinedMetrics::builder(Arc::new(Hurried))
        .with_source("cpu", Arc::new(board(&[("web", "cpu", 1)])), Answers::signals([signal("cpu")]))
        .build()
        .unwrap();
    let samples = joined.sample(&[query("web", "queue"), query("web", "cpu")]).await;
    assert_eq!(text(samples), ["missing: no source answers the signal queue of pool web", "web.cpu 1"]);
}

#[tokio::test]
async fn a_source_that_hangs_or_leaves_out_fails_for_its_own_signals_only() {
    let hanging = Arc::new(Board { hangs: true, ..board(&[("web", "cpu", 1)]) });
    let short = Arc::new(Board { drops_first: true, ..board(&[("web", "queue", 2), ("web", "errors", 3)]) });
    let joined = JoinedMetrics::builder(Arc::new(Hurried))
        .with_limit(Span::from_secs(3))
        .with_source("slow", hanging, Answers::signals([signal("cpu")]))
        .with_source("short", short, Answers::signals([signal("queue"), signal("errors")]))
        .with_source("good", Arc::new(board(&[("web", "memory", 4)])), Answers::rest())
        .build()
        .unwrap();
    let wanted = ["queue", "memory", "cpu", "errors"].map(|name| query("web", name));
    let samples = joined.sample(&wanted).await;
    assert_eq!(
        text(samples),
        [
            "failed: short gave 1 samples for 2 queries, and none for this one",
            "web.memory 4",
            "failed: slow did not answer within 3s",
            "web.errors 3",
        ]
    );
}
