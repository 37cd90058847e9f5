//! The contract of an [`AuditLog`].

mod append;
mod newest;
mod read;

use std::sync::Arc;

use async_trait::async_trait;

use super::check::{Stop, ensure, tests, verdicts};
use super::verdict::Verdicts;
use crate::data::audit::{Head, Kind, Line, Sum, VERSION};
use crate::ports::{Appended, AuditLog, AuditRange};
use crate::words::{ClusterId, ContentHash, HolderId, Timestamp};

/// One new place to write in, where nothing is written yet.
#[async_trait]
pub trait AuditStage: Send + Sync + 'static {
    /// A value of the log under test, as one writer has it.
    fn log(&self) -> Arc<dyn AuditLog>;

    /// The same place as another process has it: a second value, without anything in common.
    fn other(&self) -> Arc<dyn AuditLog>;

    /// When entries are of, which are not to be removed soon.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_384_288_042)
    }

    /// The next append through [`log`](Self::log) is carried out, and its answer is lost. `false`: the stage cannot do that.
    async fn lose_answer(&self) -> bool {
        false
    }

    /// Leaves the beginning of a line behind, as a writer that was ended in the midst of it. `false`: it cannot.
    async fn leave_a_part(&self, line: &Line) -> bool {
        let _ = line;
        false
    }

    /// Puts something where a line should be that is none. `false`: it cannot.
    async fn spoil(&self) -> bool {
        false
    }
}

tests! { dyn AuditStage:
    append::a_stored_line_comes_back = "A line that is `Stored` comes back byte for byte.";
    append::a_large_line_comes_back = "A store with a limit below the longest line cuts it, or puts it elsewhere.";
    append::a_full_line_is_taken = "`NeedsFull` is never the answer to a full line.";
    append::what_was_refused_is_not_there = "`NeedsFull`: it is not stored.";
    append::a_body_is_not_looked_into = "It looks into nothing but the head.";
    append::a_lost_answer_is_unclear = "`Unclear` if it may be stored.";
    read::lines_of_a_writer_keep_their_order = "Lines of one writer come back in the order of their numbers.";
    read::the_oldest_is_first = "Others may stand between them. Oldest first.";
    read::another_process_reads_them = "A line that is `Stored` stays.";
    read::pages_make_up_the_whole = "Reads lines a page at a time, at most so many on each.";
    read::a_range_has_what_began_in_it = "Of ticks that began then or later, and then or earlier.";
    read::what_is_no_line_is_read = "Also what should be a line and is none.";
    read::an_unknown_place_is_refused = "`Invalid` for an `after` that is not from here.";
    newest::there_is_none_at_first = "The head of the newest line; `None` if there is none.";
    newest::it_is_the_one_stored_last = "`newest` is the head of a line that was stored last.";
    newest::it_is_by_whomever = "`newest` is the head of a line that was stored last, by whomever.";
    newest::a_part_of_a_line_is_none = "A line that is only partly there is not one.";
}

/// Puts an audit log to every test; `fresh` makes a new place for each.
pub async fn audit<S: AuditStage>(fresh: impl AsyncFn() -> S) -> Verdicts {
    let mut found = Vec::with_capacity(TESTS.len());
    for test in TESTS {
        found.push(test.verdict(&fresh().await).await);
    }
    verdicts("AuditLog", found)
}

/// A line of a writer: the `n`-th, of a tick that began so many milliseconds after the stage's time.
fn line(stage: &dyn AuditStage, writer: &str, n: u64, after: i64, body: &[u8]) -> Result<Line, Stop> {
    let line = Line::make(head(stage, writer, n, after, body), body);
    line.map_err(|broken| Stop::Failed(format!("no line can be made: {broken}")))
}

/// A line to store, for tests of your own: the `n`-th of a writer, full, of a tick that began then. Its body is no entry.
pub fn audit_line(writer: &HolderId, n: u64, at: Timestamp) -> Line {
    Line::make(head_at(writer.clone(), n, at, b"{}"), b"{}").expect("a short line")
}

fn head(stage: &dyn AuditStage, writer: &str, n: u64, after: i64, body: &[u8]) -> Head {
    let at = Timestamp::from_millis(stage.now().as_millis().saturating_add(after));
    head_at(HolderId::new(writer).expect("lower-case letters"), n, at, body)
}

fn head_at(writer: HolderId, n: u64, at: Timestamp, body: &[u8]) -> Head {
    let sum = Sum::parse(&"0".repeat(64)).expect("64 digits");
    Head {
        v: VERSION,
        actions: vec![format!("the {n}. of {writer}")],
        writer,
        n,
        prev: (n > 1).then_some(sum),
        kind: Kind::Full,
        at,
        time: String::new(),
        cluster: ClusterId::new("conf").expect("four lower-case letters"),
        policy: ContentHash::of(b"policy"),
        holder: None,
        ended: "done".to_owned(),
        verdict: ContentHash::of(b"verdict"),
        bytes: body.len() as u64,
        sum,
    }
}

/// Stores a line where nothing stands in the way.
async fn stored(log: &dyn AuditLog, line: &Line) -> Result<(), Stop> {
    let appended = log.append(line).await?;
    ensure!(appended == Appended::Stored, "a line that stands for itself was not stored: {appended:?}");
    Ok(())
}

/// Every line there is.
async fn all(log: &dyn AuditLog) -> Result<Vec<Vec<u8>>, Stop> {
    pages(log, AuditRange { most: 1_000, ..AuditRange::all() }).await.map(|pages| pages.concat())
}

/// The pages of a range.
async fn pages(log: &dyn AuditLog, mut range: AuditRange) -> Result<Vec<Vec<Vec<u8>>>, Stop> {
    let mut pages = Vec::new();
    for _ in 0..100 {
        let page = log.read(&range).await?;
        pages.push(page.lines);
        match page.next {
            None => return Ok(pages),
            next => range.after = next,
        }
    }
    Err(Stop::Failed("a range of some lines has no end after 100 pages".to_owned()))
}

/// Fails unless these lines are there, in this order.
async fn expect(log: &dyn AuditLog, lines: &[&Line]) -> Result<(), Stop> {
    let found = all(log).await?;
    let wanted: Vec<&[u8]> = lines.iter().map(|line| line.text.as_bytes()).collect();
    ensure!(found == wanted, "stored {:?}, read {:?}", names(&wanted), names(&found));
    Ok(())
}

/// Which lines these are, for an error.
fn names<T: AsRef<[u8]>>(lines: &[T]) -> Vec<String> {
    let name = |bytes: &T| match Line::read(bytes.as_ref()) {
        Ok(Line { head, .. }) => format!("{} {}", head.writer, head.n),
        Err(broken) => format!("{} bytes: {broken}", bytes.as_ref().len()),
    };
    lines.iter().map(name).collect()
}
