//! The audit log in an object store, over those of the `object_store` crate: in memory and in a local folder.
#![cfg(all(feature = "audit", feature = "conformance", feature = "objects"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod objects;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_core::conformance::{self, AuditStage};
use autoscale_core::data::audit::{Line as Entry, MAX_LINE};
use autoscale_core::objects::{AuditObjects, Fetched, LargeLines, ObjectsStore};
use autoscale_core::ports::{Appended, AuditLog, AuditRange, ErrorKind};
use autoscale_core::words::{HolderId, Timestamp};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use objects::{Fault, Line};

const PREFIX: &str = "clusters/shop.audit";
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// A store on a line; in a folder of its own, which is removed at the end.
struct Stage {
    line: Arc<Line>,
    folder: Option<PathBuf>,
}

impl Stage {
    fn memory() -> Self {
        Self { line: Line::new(InMemory::new()), folder: None }
    }

    fn folder() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("objects-audit-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let store = LocalFileSystem::new_with_prefix(&folder).unwrap();
        Self { line: Line::new(store), folder: Some(folder) }
    }

    fn objects(&self) -> AuditObjects {
        AuditObjects::new(self.line.clone(), PREFIX).unwrap()
    }

    async fn put(&self, name: &str, text: &str) {
        let path = Path::from(format!("{PREFIX}/{name}"));
        self.line.store.put(&path, text.to_owned().into()).await.unwrap();
    }

    /// All objects below the prefix, by name.
    async fn names(&self) -> Vec<String> {
        use futures_util::stream::TryStreamExt;
        let found: Vec<_> = self.line.store.list(Some(&Path::from(PREFIX))).try_collect().await.unwrap();
        let mut names: Vec<String> = found
            .iter()
            .map(|meta| meta.location.as_ref().strip_prefix(PREFIX).unwrap()[1..].to_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

#[async_trait]
impl AuditStage for Stage {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.objects())
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.log()
    }

    async fn lose_answer(&self) -> bool {
        self.line.plan(Fault::AnswerLost);
        true
    }

    async fn leave_a_part(&self, line: &Entry) -> bool {
        // No store keeps half of an object; somebody who copies objects may leave one behind.
        let half = &line.text[..line.text.len() / 2];
        self.put("2026-11-22/001795384288999-001795384288999.jsonl", half).await;
        true
    }

    async fn spoil(&self) -> bool {
        self.put("2026-11-22/001795384288500-001795384288500.jsonl", "nothing of ours\n").await;
        true
    }
}

#[tokio::test]
async fn the_contract_is_kept_in_memory() {
    let verdicts = conformance::audit(async || Stage::memory()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), Vec::<&str>::new());
}

/// A local folder can create under a condition, which is all that a log needs.
#[tokio::test]
async fn the_contract_is_kept_in_a_folder() {
    let verdicts = conformance::audit(async || Stage::folder()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), Vec::<&str>::new());
}

fn by(writer: &str, n: u64, ms: i64) -> Entry {
    conformance::audit_line(&HolderId::new(writer).unwrap(), n, Timestamp::from_millis(ms))
}

fn pages_of(most: usize) -> AuditRange {
    let mut range = AuditRange::all();
    range.most = most;
    range
}

/// Which entries these are.
fn numbers(lines: &[Vec<u8>]) -> Vec<u64> {
    lines.iter().map(|line| Entry::read(line).unwrap().head.n).collect()
}

#[tokio::test]
async fn the_objects_one_behind_the_other_are_a_log() {
    let stage = Stage::memory();
    let (log, now) = (stage.objects(), stage.now().as_millis());
    let lines = [by("w", 1, now), by("w", 2, now - 5_000), by("w", 3, now + DAY)];
    for line in &lines {
        assert_eq!(log.append(line).await.unwrap(), Appended::Stored);
    }
    let names = stage.names().await;
    assert_eq!(
        names,
        [
            "2026-11-22/001795384288042-001795384288042.jsonl",
            "2026-11-22/001795384288043-001795384283042.jsonl",
            "2026-11-23/001795470688042-001795470688042.jsonl",
        ]
    );
    let mut whole = Vec::new();
    for name in &names {
        let path = Path::from(format!("{PREFIX}/{name}"));
        whole.extend(stage.line.store.get(&path).await.unwrap().bytes().await.unwrap());
    }
    let wanted: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    assert_eq!(String::from_utf8(whole).unwrap(), wanted);
}

#[tokio::test]
async fn a_first_copy_that_arrived_is_recognised() {
    let stage = Stage::memory();
    let log = stage.objects();
    stage.line.plan(Fault::Repeated);
    let one = by("w", 1, stage.now().as_millis());
    assert_eq!(log.append(&one).await.unwrap(), Appended::Stored);
    assert_eq!(stage.names().await.len(), 1);
    // Another one is under way, and nothing is there: the next try.
    stage.line.plan(Fault::Conflict);
    assert_eq!(log.append(&by("w", 2, stage.now().as_millis())).await.unwrap(), Appended::Stored);
    let page = log.read(&AuditRange::all()).await.unwrap();
    assert_eq!(numbers(&page.lines), [1, 2]);
}

#[tokio::test]
async fn refusals_are_told_from_silence() {
    let unclear = |kind: &ErrorKind| *kind == ErrorKind::Unclear;
    let denied = |kind: &ErrorKind| matches!(kind, ErrorKind::Denied { action } if action.contains("put"));
    for fault in [Fault::AnswerLost, Fault::RequestLost, Fault::Denied] {
        let stage = Stage::memory();
        stage.line.plan(fault);
        let error = stage.objects().append(&by("w", 1, stage.now().as_millis())).await.unwrap_err();
        let right = if fault == Fault::Denied { denied(error.kind()) } else { unclear(error.kind()) };
        assert!(right, "{fault:?}: {error}");
        let puts = stage.line.sent().iter().filter(|sent| **sent == "put").count();
        assert_eq!(puts, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn writers_in_the_same_moment_do_not_replace_each_other() {
    let stage = Stage::memory();
    let now = stage.now().as_millis();
    let (one, two) = (stage.objects(), stage.objects());
    for n in 1..=10 {
        let (mine, theirs) = (by("one", n, now), by("two", n, now));
        let (mine, theirs) = futures_util::future::join(one.append(&mine), two.append(&theirs)).await;
        assert_eq!((mine.unwrap(), theirs.unwrap()), (Appended::Stored, Appended::Stored));
    }
    let page = one.read(&AuditRange::all()).await.unwrap();
    let heads: Vec<_> = page.lines.iter().map(|line| Entry::read(line).unwrap().head).collect();
    for writer in ["one", "two"] {
        let of = heads.iter().filter(|head| head.writer.as_str() == writer).map(|head| head.n);
        assert_eq!(of.collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_place_that_is_taken_is_not_replaced() {
    let stage = Stage::memory();
    let now = stage.now().as_millis();
    // Its listing does not show yet what another process has put: as of a store whose listings lag.
    let behind = Stage { line: Line::blind(&stage.line), folder: None };
    assert_eq!(stage.objects().append(&by("one", 1, now)).await.unwrap(), Appended::Stored);
    let error = behind.objects().append(&by("two", 1, now)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Throttled { .. }), "{error}");
    let page = stage.objects().read(&AuditRange::all()).await.unwrap();
    assert_eq!(Entry::read(&page.lines[0]).unwrap().head.writer.as_str(), "one");
}

#[tokio::test]
async fn a_writer_keeps_its_order_where_listings_lag() {
    let stage = Stage::memory();
    let behind = Stage { line: Line::blind(&stage.line), folder: None };
    let (log, now) = (behind.objects(), stage.now().as_millis());
    // Its clock goes back, and no listing shows its entries.
    for (n, after) in [(1, 0), (2, 0), (3, -5_000)] {
        assert_eq!(log.append(&by("w", n, now + after)).await.unwrap(), Appended::Stored);
    }
    let page = stage.objects().read(&AuditRange::all()).await.unwrap();
    assert_eq!(numbers(&page.lines), [1, 2, 3]);
}

#[tokio::test]
async fn differences_are_of_one_writer_and_one_day() {
    let stage = Stage::memory();
    let (log, now) = (stage.objects(), stage.now().as_millis());
    let full = by("w", 1, now);
    assert_eq!(log.append(&full).await.unwrap(), Appended::Stored);
    let difference = |writer: &str, n: u64, ms: i64| {
        let mut line = by(writer, n, ms);
        line.head.kind = autoscale_core::data::audit::Kind::Delta;
        line
    };
    let same_day = difference("w", 2, now + 1);
    assert_eq!(log.append(&same_day).await.unwrap(), Appended::Stored);
    assert_eq!(log.append(&difference("w", 3, now + DAY)).await.unwrap(), Appended::NeedsFull);
    assert_eq!(log.append(&difference("other", 1, now + 2)).await.unwrap(), Appended::NeedsFull);
    // Somebody else has begun the next day already: this one's next entry is of that day too.
    assert_eq!(stage.objects().append(&by("other", 1, now + DAY)).await.unwrap(), Appended::Stored);
    assert_eq!(log.append(&difference("w", 3, now + 2)).await.unwrap(), Appended::NeedsFull);
}

#[tokio::test]
async fn a_range_gets_only_what_is_in_it() {
    let stage = Stage::memory();
    let (log, now) = (stage.objects(), stage.now().as_millis());
    for n in 1..=20_i64 {
        let line = by("w", n.unsigned_abs(), now + n * DAY);
        assert_eq!(log.append(&line).await.unwrap(), Appended::Stored);
    }
    stage.line.sent();
    let at = |n: i64| Some(Timestamp::from_millis(now + n * DAY));
    let mut range = AuditRange::all();
    (range.from, range.until) = (at(18), at(19));
    assert_eq!(numbers(&log.read(&range).await.unwrap().lines), [18, 19]);
    let sent = stage.line.sent();
    let count = |what: &str| sent.iter().filter(|sent| **sent == what).count();
    assert_eq!((count("folders"), count("list"), count("get")), (1, 3, 2), "{sent:?}");
    // Appending looks at the newest day alone, behind what was written there.
    let _ = log.append(&by("w", 21, now + 20 * DAY + 1)).await.unwrap();
    assert_eq!(stage.line.sent(), ["folders", "list behind", "put"]);
    let _ = log.newest().await.unwrap();
    assert_eq!(stage.line.sent(), ["folders", "list", "get"]);
}

#[tokio::test]
async fn what_is_no_entry_is_named_and_left_alone() {
    let stage = Stage::memory();
    let (log, now) = (stage.objects(), stage.now().as_millis());
    let _ = log.append(&by("w", 1, now)).await.unwrap();
    for name in ["2026-11-22/001-1.jsonl", "2026-11-22/zzz/notes.txt", "notes.txt", "old/notes.txt"] {
        stage.put(name, "somebody's").await;
    }
    // Beside the log, not in it.
    stage.line.store.put(&Path::from("clusters/shop.auditor"), "theirs".into()).await.unwrap();
    let _ = log.append(&by("w", 2, now + 1)).await.unwrap();
    let mut told = Vec::new();
    for most in [1, 2, 100] {
        let (mut range, mut lines) = (pages_of(most), Vec::new());
        loop {
            let page = log.read(&range).await.unwrap();
            assert!(page.lines.len() <= most);
            lines.extend(page.lines);
            match page.next {
                None => break,
                next => range.after = next,
            }
        }
        let text = |line: &Vec<u8>| match Entry::read(line) {
            Ok(line) => line.head.n.to_string(),
            Err(_) => String::from_utf8(line.clone()).unwrap(),
        };
        told = lines.iter().map(text).collect();
        let none = |name: &str| format!("no entry: the object {PREFIX}/{name}: it is none of an audit log");
        let wanted = [
            none("2026-11-22/001-1.jsonl"),
            "1".to_owned(),
            "2".to_owned(),
            none("2026-11-22/zzz/notes.txt"),
            none("notes.txt"),
            none("old"),
        ];
        assert_eq!(told, wanted, "{most} on a page");
    }
    assert_eq!(log.newest().await.unwrap().unwrap().n, 2, "{told:?}");
    assert_eq!(stage.names().await.len(), 6);
    let theirs = Stage::memory();
    theirs.put("notes.txt", "somebody's").await;
    let error = theirs.objects().newest().await.unwrap_err();
    assert!(*error.kind() == ErrorKind::Invalid && error.to_string().contains("notes.txt"), "{error}");
}

#[tokio::test]
async fn a_damaged_entry_is_told_and_is_not_the_newest() {
    let stage = Stage::memory();
    let (log, now) = (stage.objects(), stage.now().as_millis());
    let _ = log.append(&by("w", 1, now)).await.unwrap();
    // More than are looked at together.
    for n in 2..=20_u64 {
        let line = by("w", n, now + n as i64);
        let _ = log.append(&line).await.unwrap();
        let changed = line.text.replace("of w", "of W");
        let name = stage.names().await.pop().unwrap();
        stage.put(&name, &changed).await;
    }
    stage.put("2026-11-22/001795384299000-001795384299000.jsonl", &"x".repeat(MAX_LINE + 2)).await;
    assert_eq!(log.newest().await.unwrap().unwrap().n, 1);
    let page = log.read(&AuditRange::all()).await.unwrap();
    let told: Vec<String> = page
        .lines
        .iter()
        .skip(1)
        .map(|line| Entry::read(line).map(|_| ()).unwrap_err().to_string())
        .collect();
    assert!(told.len() == 20 && told[0].starts_with("the line was changed"), "{told:?}");
    let large = String::from_utf8_lossy(page.lines.last().unwrap());
    assert!(large.contains("67108866 bytes") && large.contains("001795384299000"), "{large}");
}

#[tokio::test]
async fn old_days_go_and_the_newest_stays() {
    let stages: [fn() -> Stage; 2] = [Stage::memory, Stage::folder];
    for stage in stages {
        let stage = stage();
        let (log, now) = (stage.objects(), stage.now().as_millis());
        for n in 0..300_i64 {
            let line = by("w", n.unsigned_abs() + 1, now + if n < 290 { n } else { (n - 289) * DAY });
            let _ = log.append(&line).await.unwrap();
        }
        stage.put("2026-11-22/notes.txt", "somebody's").await;
        let day = |n: i64| Timestamp::from_millis(now + n * DAY);
        assert_eq!(log.prune(day(0)).await.unwrap(), 0, "the day has not ended");
        assert_eq!(log.prune(day(2)).await.unwrap(), 291);
        let page = log.read(&pages_of(1_000)).await.unwrap();
        let kept: Vec<_> = page.lines.iter().filter_map(|line| Entry::read(line).ok()).collect();
        assert_eq!(kept.iter().map(|line| line.head.n).collect::<Vec<_>>(), (292..=300).collect::<Vec<_>>());
        assert!(stage.names().await.contains(&"2026-11-22/notes.txt".to_owned()));
        assert_eq!(log.prune(day(1_000)).await.unwrap(), 8);
        assert_eq!(log.newest().await.unwrap().unwrap().n, 300);
        // And another process goes on behind it.
        let other = stage.objects();
        assert_eq!(other.append(&by("other", 1, now)).await.unwrap(), Appended::Stored);
        assert_eq!(log.newest().await.unwrap().unwrap().writer.as_str(), "other");
    }
}

#[tokio::test]
async fn large_entries_are_found_by_their_digest() {
    let stage = Stage::memory();
    let large = LargeLines::new(stage.line.clone(), "clusters/shop.large").unwrap();
    let one = by("w", 1, stage.now().as_millis());
    let (at, sum) = (one.head.at, one.head.sum);
    assert_eq!(large.get(at, sum).await.unwrap(), Fetched::Gone);
    large.put(&one).await.unwrap();
    large.put(&one).await.unwrap();
    assert_eq!(large.get(at, sum).await.unwrap(), Fetched::Whole(Box::new(one.clone())));
    let path = large.path(at, sum);
    assert_eq!(path, format!("clusters/shop.large/2026-11-22/{sum}.jsonl"));
    // Another entry, whole, where this one was; and a changed one.
    for text in [by("w", 2, 5).text, one.text.replace("of w", "of W")] {
        stage.line.store.put(&Path::from(path.clone()), text.into()).await.unwrap();
        let found = large.get(at, sum).await.unwrap();
        assert!(matches!(found, Fetched::Damaged(_)), "{found:?}");
    }
    stage.line.plan(Fault::AnswerLost);
    assert_eq!(*large.put(&one).await.unwrap_err().kind(), ErrorKind::Unavailable);
    stage.line.plan(Fault::Denied);
    assert!(matches!(large.put(&one).await.unwrap_err().kind(), ErrorKind::Denied { .. }));
}

#[test]
fn a_prefix_is_a_path() {
    for prefix in ["", "/", "a/../b", "a//b"] {
        let error = AuditObjects::new(Line::new(InMemory::new()), prefix).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{prefix}");
        let error = LargeLines::new(Line::new(InMemory::new()), prefix).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{prefix}");
    }
}

#[test]
fn nothing_of_the_client_is_shown() {
    let line = Line::new(InMemory::new());
    assert!(format!("{line:?}").contains("faults"));
    let shown = [
        format!("{:?}", AuditObjects::new(line.clone(), PREFIX).unwrap()),
        format!("{:?}", LargeLines::new(line.clone(), PREFIX).unwrap()),
        format!("{:?}", ObjectsStore::new(line, PREFIX).unwrap()),
    ];
    for shown in shown {
        assert!(shown.contains("InMemory") && shown.contains(PREFIX), "{shown}");
        assert!(!shown.contains("faults"), "{shown}");
    }
}
