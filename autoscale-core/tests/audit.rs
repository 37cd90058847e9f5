//! The audit log: what is written comes back, can be decided again, and no byte of it can change unnoticed.
#![cfg(all(feature = "audit", feature = "memory"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "audit/absent.rs"]
mod absent;
#[path = "audit/common.rs"]
mod common;
#[path = "audit/explained.rs"]
mod explained;
#[cfg(feature = "file")]
#[path = "audit/file.rs"]
mod file;
#[path = "audit/forged.rs"]
mod forged;
#[cfg(feature = "objects")]
#[path = "audit/objects.rs"]
mod objects;
#[cfg(feature = "sim")]
#[path = "audit/seeds.rs"]
mod seeds;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::audit::{Broken, Entry, FULL_EVERY, Head, Kind, Line, Read, Reader, TORN, Writer};
use autoscale_core::data::policy::Policy;
use autoscale_core::driver::{AuditFailed, Auditor, Recorded};
use autoscale_core::logic::{Explainer, NoAnswer, Question, replay};
use autoscale_core::memory::{AuditMemory, block_on};
use autoscale_core::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};
use autoscale_core::words::{HolderId, PoolName, Span};

use common::{World, all, name, read};

fn entries(log: &AuditMemory) -> Vec<(Head, Entry<'static>)> {
    all(&read(log)).unwrap()
}

#[test]
fn everything_comes_back_and_is_decided_again() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    let mut reports = Vec::new();
    for _ in 0..120 {
        let report = world.tick();
        assert_eq!(block_on(auditor.record(&report)).unwrap(), Recorded::Written);
        reports.push(report);
    }
    let entries = entries(&log);
    assert_eq!(entries.len(), reports.len());
    let (mut rounds, mut stored, mut effects) = (0, 0, 0);
    for ((head, entry), report) in entries.iter().zip(&reports) {
        assert_eq!(
            (head.at, &head.policy, entry.rounds.len()),
            (report.at, report.policy.hash(), report.rounds.len())
        );
        for (read, round) in entry.rounds.iter().zip(&report.rounds) {
            assert_eq!((&*read.before, &*read.view), (&round.before, &round.view));
            assert_eq!(
                (&*read.explanation, read.stored.as_deref()),
                (&round.explanation, round.stored.as_ref())
            );
        }
        let replayed = replay(entry).unwrap();
        rounds += replayed.rounds;
        stored += replayed.stored;
        effects += replayed.effects;
    }
    assert!(rounds >= 100 && stored > 10 && effects > 3, "{rounds} {stored} {effects}");
    let full = entries.iter().filter(|(head, _)| head.kind == Kind::Full).count();
    assert!(full >= 120 / (FULL_EVERY as usize + 1) && full < 10, "{full} full entries");
}

#[test]
fn only_what_says_something_new_is_written() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a"));
    let mut acts = 0;
    let ticks = 30 * 24;
    for _ in 0..ticks {
        let report = world.tick();
        let acted = report.rounds.iter().any(|round| !round.outcomes.is_empty());
        let recorded = block_on(auditor.record(&report)).unwrap();
        assert!(!acted || recorded == Recorded::Written);
        acts += usize::from(acted);
    }
    let entries = entries(&log);
    assert!(acts > 0 && entries.len() >= 24 && entries.len() < ticks / 4, "{} entries", entries.len());
    let longest = entries.windows(2).map(|pair| pair[1].0.at.since(pair[0].0.at)).max().unwrap();
    assert!(longest >= Span::from_mins(58) && longest <= Span::from_mins(62), "{longest}");
}

#[test]
fn a_process_for_each_tick_goes_on_where_the_last_one_ended() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut written = 0;
    for process in 0..90 {
        let mut auditor = Auditor::new(log.clone(), name(&format!("lambda.{process}")));
        written += usize::from(block_on(auditor.record(&world.tick())).unwrap() == Recorded::Written);
    }
    let entries = entries(&log);
    assert_eq!(entries.len(), written);
    assert!(written < 45, "{written}: the newest head tells that nothing has changed");
    assert!(entries.iter().all(|(head, entry)| head.kind == Kind::Full && replay(entry).is_ok()));
    let linked = entries.windows(2).all(|pair| pair[1].0.prev == Some(pair[0].0.sum));
    assert!(linked);
}

#[test]
fn writers_side_by_side_have_a_chain_each() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditors = ["a", "b"].map(|who| Auditor::new(log.clone(), name(who)).with_everything());
    for turn in 0..40 {
        let report = world.tick();
        block_on(auditors[usize::from(turn % 3 == 0)].record(&report)).unwrap();
    }
    let lines = read(&*log);
    assert_eq!(all(&lines).unwrap().len(), 40);
    // Whatever is taken out, doubled or turned round between two others is noticed; also in the middle of either writer.
    for at in 0..38 {
        let mut missing = lines.clone();
        missing.remove(at);
        let error = all(&missing);
        assert!(
            matches!(error, Err((_, Broken::Chain { .. }))) || error.is_ok_and(|rest| rest.len() < 39),
            "{at}"
        );
        let mut twice = lines.clone();
        twice.insert(at, lines[at].clone());
        assert!(matches!(all(&twice), Err((_, Broken::Chain { .. }))), "{at}");
    }
    let mut turned = lines.clone();
    turned.swap(4, 5);
    assert!(all(&turned).is_err());
}

#[test]
fn no_flipped_byte_goes_unnoticed() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    for _ in 0..4 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let lines = read(&*log);
    let sizes: usize = lines.iter().map(Vec::len).sum();
    for at in (0..sizes).step_by(29) {
        for bit in [0, 5] {
            let (mut flipped, mut at) = (lines.clone(), at);
            let line = flipped.iter_mut().find(|line| {
                let here = at < line.len();
                at -= if here { 0 } else { line.len() };
                here
            });
            line.unwrap()[at] ^= 1 << bit;
            assert!(all(&flipped).is_err(), "{at}");
        }
    }
}

#[test]
fn another_policy_record_or_view_is_not_decided_alike() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    for _ in 0..30 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let entries = entries(&log);
    let (_, entry) = entries.iter().find(|(head, _)| !head.actions.is_empty()).unwrap();
    let mut other = entry.clone();
    let text = serde_json::to_string(&entry.policy).unwrap().replace("\"max\":10", "\"max\":9");
    other.policy = Cow::Owned(Policy::from_json(&text).unwrap());
    let differs = replay(&other).unwrap_err();
    assert!(differs.path.starts_with("explanation/p"), "{differs}");
    let mut other = entry.clone();
    other.rounds[0].before.to_mut().next_seq += 1;
    assert!(
        replay(&other).unwrap_err().to_string().contains("explanation/actions/0/launch/op/seq: recorded")
    );
    let mut other = entry.clone();
    other.rounds[0].explanation.to_mut().alarms.push("x".to_owned());
    assert_eq!(replay(&other).unwrap_err().path, "explanation/alarms/0");
    let mut other = entry.clone();
    let outcomes = other.rounds[0].outcomes.to_mut();
    outcomes.pop();
    outcomes.is_empty().then(|| outcomes.extend(entry.rounds[0].outcomes.iter().cycle().take(2).cloned()));
    assert!(replay(&other).unwrap_err().path.starts_with("effects"));
}

#[test]
fn torn_lines_are_told_from_damage() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    for _ in 0..2 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let lines = read(&*log);
    let mut reader = Reader::new();
    assert!(matches!(reader.line(&lines[0]), Ok(Read::Entry(_))));
    for cut in [1, 20, 300, lines[1].len() - 76, lines[1].len() - 2] {
        let torn = &lines[1][..cut];
        assert_eq!(reader.clone().tail(torn), Ok(Read::Torn), "{cut}");
        let marked = [torn, TORN.as_bytes()].concat();
        assert_eq!(reader.clone().line(&marked), Ok(Read::Torn), "{cut}");
        assert!(reader.clone().line(torn).is_err(), "{cut}: with a line break behind it, it is damage");
    }
    assert!(matches!(reader.clone().tail(&lines[1]), Ok(Read::Entry(_))), "only the line break is missing");
    assert!(reader.clone().tail(&[&lines[1][..], b"\x0b"].concat()).is_err());
    assert!(
        reader.line(&[&lines[1][..], TORN.as_bytes()].concat()).is_err(),
        "a whole line is not hidden so"
    );
}

#[test]
fn what_is_no_line_is_refused_in_one_sentence() {
    let deep = format!("{{\"v\":1,\"x\":{}", "[".repeat(100_000));
    for (bytes, why) in [
        (b"".as_slice(), "not a line of an audit log"),
        (b"\xff\x00\x01", "not UTF-8"),
        (b"{}", "missing field `v`"),
        (br#"{"v":2}"#, "version 2"),
        (br#"{"v":18446744073709551615}"#, "run a newer version"),
        (br#"{"v":1}"#, "does not end with its sum"),
        (deep.as_bytes(), "EOF"),
    ] {
        let error = Reader::new().line(bytes).unwrap_err();
        assert!(error.to_string().contains(why) && error.is_foreign(), "{error}");
    }
    // What a log says of an entry that it cannot give is told as it is, on one line.
    let error = Reader::new().line(&Line::missing(&"entry 7 is gone\n\u{1b}[31m")).unwrap_err();
    assert_eq!(error.to_string(), "no entry: entry 7 is gone\\u{a}\\u{1b}[31m");
    assert!(!error.is_foreign(), "the log is one, and an entry of it is missing");
}

/// Fails now and then, sometimes after it has stored the line.
#[derive(Debug)]
struct Shaky(AuditMemory, std::sync::Mutex<u32>);

#[async_trait]
impl AuditLog for Shaky {
    async fn append(&self, line: &Line) -> Result<Appended> {
        let turn = {
            let mut turn = self.1.lock().unwrap();
            *turn += 1;
            *turn
        };
        match turn % 7 {
            3 => Err(Error::new(ErrorKind::Unavailable, "append")),
            5 => {
                let _ = self.0.append(line).await?;
                Err(Error::new(ErrorKind::Unclear, "append"))
            }
            6 if line.head.kind == Kind::Delta => Ok(Appended::NeedsFull),
            _ => self.0.append(line).await,
        }
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        self.0.read(range).await
    }

    async fn newest(&self) -> Result<Option<Head>> {
        self.0.newest().await
    }
}

#[test]
fn a_failure_costs_an_entry_and_never_the_chain() {
    let mut world = World::new();
    let log = Arc::new(Shaky(AuditMemory::new(), std::sync::Mutex::default()));
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    let mut failed = 0;
    for _ in 0..60 {
        match block_on(auditor.record(&world.tick())) {
            Ok(_) => {}
            Err(AuditFailed::Store(_)) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failed > 10, "{failed}");
    let entries = entries(&log.0);
    assert!(entries.len() >= 60 - failed && entries.iter().all(|(_, entry)| replay(entry).is_ok()));
}

#[test]
fn pages_have_every_line_once() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    for _ in 0..25 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    common::pages(&*log, 25);
}

#[test]
fn questions_are_answered_from_entries_alone() {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a"));
    for _ in 0..200 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let entries = entries(&log);
    let ask = |question: &Question| {
        let mut explainer = Explainer::new(question.clone());
        entries.iter().for_each(|(head, entry)| explainer.see(head.clone(), entry.clone()));
        explainer.answer()
    };
    let mut question = Question::default();
    let newest = ask(&question).unwrap().to_string();
    assert!(
        newest.contains("nothing was decided to be done") && newest.contains("pool web: hold: "),
        "{newest}"
    );
    question.acted = true;
    let acted = ask(&question).unwrap();
    assert!(acted.to_string().contains("it decided to ") && !acted.sent.is_empty(), "{acted}");
    question.acted = false;
    question.node =
        entries.last().unwrap().1.rounds[0].view.cluster().known().map(|c| c.nodes()[0].name.to_string());
    let node = ask(&question).unwrap();
    assert!(node.to_string().contains("  node "), "{node}");
    question.node = Some("nobody\u{202e}".to_owned());
    assert!(matches!(ask(&question), Err(NoAnswer::NoNode { node, .. }) if node == "nobody\\u{202e}"));
    question = Question::default();
    question.pool = Some(PoolName::new("gpu").unwrap());
    assert!(ask(&question).unwrap_err().to_string().contains("it has web"));
    question = Question::default();
    question.at = Some(entries[0].0.at.before(Span::from_secs(1)));
    assert!(matches!(ask(&question), Err(NoAnswer::TooEarly(_))));
    assert_eq!(Explainer::new(question).answer(), Err(NoAnswer::Empty));
}

#[test]
fn a_writer_begins_with_a_full_entry_and_at_one() {
    let report = World::new().tick();
    let entry = Entry::new(report.at, &report.policy, autoscale_core::data::Ended::Done);
    let mut writer = Writer::new(HolderId::new("w").unwrap(), None);
    for n in 1..=FULL_EVERY + 2 {
        let line = writer.line(&entry, false).unwrap();
        assert_eq!(
            line,
            writer.line(&entry, false).unwrap(),
            "the same entry is the same line until it is stored"
        );
        writer.stored();
        assert_eq!(line.head.n, n);
        assert_eq!(line.head.kind == Kind::Full, n == 1 || n == FULL_EVERY + 2, "{n}");
    }
}
