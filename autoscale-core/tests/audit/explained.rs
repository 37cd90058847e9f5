//! A log is asked in one call, wherever it is kept.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::audit::{Broken, FULL_EVERY, Head, Line};
use autoscale_core::driver::{Auditor, ExplainFailed, explain};
use autoscale_core::logic::{Explainer, NoAnswer, Question};
use autoscale_core::memory::{AuditMemory, block_on};
use autoscale_core::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};

use super::common::{World, all, name, read};

/// These lines, three on a page, until the page that does not come.
#[derive(Debug)]
struct Pages(Vec<Vec<u8>>, Option<usize>);

#[async_trait]
impl AuditLog for Pages {
    async fn append(&self, _: &Line) -> Result<Appended> {
        Err(Error::new(ErrorKind::Invalid, "append: only to be read"))
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        let page: usize = range.after.as_ref().map_or(0, |after| after.parse().unwrap());
        if Some(page) == self.1 {
            return Err(Error::new(ErrorKind::Unavailable, format!("read page {page}")));
        }
        let lines: Vec<_> = self.0.iter().skip(page * 3).take(3).cloned().collect();
        let next = (self.0.len() > (page + 1) * 3).then(|| (page + 1).to_string());
        Ok(AuditPage::new(lines, next))
    }

    async fn newest(&self) -> Result<Option<Head>> {
        Ok(None)
    }
}

/// The lines of ticks with an entry each, and a full one again before the last.
fn lines() -> Vec<Vec<u8>> {
    let mut world = World::new();
    let log = Arc::new(AuditMemory::new());
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    for _ in 0..FULL_EVERY + 10 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    read(&*log)
}

fn ask(lines: Vec<Vec<u8>>, question: Question) -> std::result::Result<String, ExplainFailed> {
    block_on(explain(&Pages(lines, None), question)).map(|answer| answer.to_string())
}

#[test]
fn the_answer_is_that_of_all_entries() {
    let lines = lines();
    for acted in [false, true] {
        let mut question = Question::default();
        question.acted = acted;
        let mut explainer = Explainer::new(question.clone());
        all(&lines).unwrap().into_iter().for_each(|(head, entry)| explainer.see(head, entry));
        let answer = explainer.answer().unwrap().to_string();
        assert_eq!(ask(lines.clone(), question).unwrap(), answer);
    }
}

#[test]
fn a_log_that_cannot_be_read_to_its_end_has_no_answer() {
    let lines = lines();
    let failed = block_on(explain(&Pages(lines.clone(), Some(4)), Question::default())).unwrap_err();
    assert!(matches!(&failed, ExplainFailed::Store(error) if *error.kind() == ErrorKind::Unavailable));
    assert!(failed.to_string().contains("read page 4"), "{failed}");

    let mut fewer = lines.clone();
    drop(fewer.remove(10));
    let failed = ask(fewer, Question::default()).unwrap_err();
    assert!(matches!(failed, ExplainFailed::Broken(Broken::Chain { .. })), "{failed}");

    let mut gone = lines;
    gone[12] = Line::missing(&"the object of entry 13 is gone");
    let failed = ask(gone, Question::default()).unwrap_err();
    assert_eq!(failed.to_string(), "no entry: the object of entry 13 is gone");
}

#[test]
fn what_is_there_answers_where_all_lines_of_a_writer_are_gone() {
    let (mut world, log) = (World::new(), Arc::new(AuditMemory::new()));
    for writer in ["a", "b", "c"] {
        let mut auditor = Auditor::new(log.clone(), name(writer)).with_everything();
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let mut lines = read(&*log);
    drop(lines.remove(1));
    assert!(matches!(all(&lines), Err((2, Broken::Chain { .. }))), "c began behind a line of b");
    assert!(ask(lines, Question::default()).unwrap().contains("pool web: "));
}

#[test]
fn a_log_may_have_lost_its_beginning_and_may_be_empty() {
    let mut newest = lines();
    drop(newest.drain(..5));
    assert!(ask(newest, Question::default()).unwrap().contains("pool web: "));
    let failed = ask(Vec::new(), Question::default()).unwrap_err();
    assert!(matches!(failed, ExplainFailed::NoAnswer(NoAnswer::Empty)), "{failed}");
}
