use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::audit::{AuditStage, TESTS, audit};
use super::{Once, Row, each_test_bites, shared};
use crate::data::audit::{Head, Kind, Line};
use crate::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};
use crate::words::{HolderId, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    KeepsAsciiOnly,
    CutsAtOneMiB,
    WantsAnotherMonth,
    StoresWhatItRefuses,
    ReadsBodies,
    LostAnswerIsUnavailable,
    SortsByTime,
    SortsByWriter,
    OtherProcessCaches,
    LosesOneBetweenPages,
    EndIsNotInARange,
    HidesWhatItCannotRead,
    BeginsAnew,
    EmptyHasALine,
    RemembersItsFirst,
    KnowsOnlyItsOwn,
    StumblesOverParts,
}

use Fault::*;

const ROWS: &[Row<Fault>] = &[
    (KeepsAsciiOnly, "a_stored_line_comes_back"),
    (CutsAtOneMiB, "a_large_line_comes_back"),
    (WantsAnotherMonth, "a_full_line_is_taken"),
    (StoresWhatItRefuses, "what_was_refused_is_not_there"),
    (ReadsBodies, "a_body_is_not_looked_into"),
    (LostAnswerIsUnavailable, "a_lost_answer_is_unclear"),
    (SortsByTime, "lines_of_a_writer_keep_their_order"),
    (SortsByWriter, "the_oldest_is_first"),
    (OtherProcessCaches, "another_process_reads_them"),
    (LosesOneBetweenPages, "pages_make_up_the_whole"),
    (EndIsNotInARange, "a_range_has_what_began_in_it"),
    (HidesWhatItCannotRead, "what_is_no_line_is_read"),
    (BeginsAnew, "an_unknown_place_is_refused"),
    (EmptyHasALine, "there_is_none_at_first"),
    (RemembersItsFirst, "it_is_the_one_stored_last"),
    (KnowsOnlyItsOwn, "it_is_by_whomever"),
    (StumblesOverParts, "a_part_of_a_line_is_none"),
];

/// What all processes of one place share.
#[derive(Debug, Default)]
struct Place {
    lines: Mutex<Vec<Vec<u8>>>,
    losing: Once,
    first_page: Mutex<Option<AuditPage>>,
}

#[derive(Debug)]
struct Client {
    fault: Option<Fault>,
    place: Arc<Place>,
    is_other: bool,
    wrote: Mutex<Option<HolderId>>,
    told: Mutex<Option<Head>>,
}

impl Client {
    fn new(fault: Option<Fault>, place: &Arc<Place>, is_other: bool) -> Self {
        Self { fault, place: place.clone(), is_other, wrote: Mutex::default(), told: Mutex::default() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn heads(&self) -> Vec<Head> {
        let lines = self.place.lines.lock().unwrap();
        lines.iter().filter_map(|line| Line::read(line).ok()).map(|line| line.head).collect()
    }
}

/// Whether the body of a line is JSON.
fn is_json(line: &Line) -> bool {
    let whole: serde_json::Value = serde_json::from_str(&line.text).unwrap();
    let packed = STANDARD.decode(whole["body"].as_str().unwrap()).unwrap();
    let body = miniz_oxide::inflate::decompress_to_vec(&packed).unwrap();
    serde_json::from_slice::<serde_json::Value>(&body).is_ok()
}

fn error<T>(kind: ErrorKind) -> Result<T> {
    Err(Error::new(kind, "append"))
}

#[async_trait]
impl AuditLog for Client {
    async fn append(&self, line: &Line) -> Result<Appended> {
        let mut text = line.text.clone().into_bytes();
        let mut refused =
            line.head.kind == Kind::Delta && self.wrote.lock().unwrap().as_ref() != Some(&line.head.writer);
        if self.is(KeepsAsciiOnly) {
            text.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
        if self.is(CutsAtOneMiB) {
            text.truncate(1 << 20);
        }
        if self.is(WantsAnotherMonth) {
            refused |= self.heads().first().is_some_and(|first| {
                first.at > line.head.at && first.at.since(line.head.at).as_secs() > 30 * 24 * 3_600
            });
        }
        if self.is(ReadsBodies) && !is_json(line) {
            return error(ErrorKind::Invalid);
        }
        if !refused || self.is(StoresWhatItRefuses) {
            self.place.lines.lock().unwrap().push(text);
        }
        if refused {
            return Ok(Appended::NeedsFull);
        }
        *self.wrote.lock().unwrap() = Some(line.head.writer.clone());
        if !self.is_other && self.place.losing.take() {
            return error(if self.is(LostAnswerIsUnavailable) {
                ErrorKind::Unavailable
            } else {
                ErrorKind::Unclear
            });
        }
        Ok(Appended::Stored)
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        let skip = match range.after.as_deref().map(str::parse::<usize>) {
            Some(Err(_)) if !self.is(BeginsAnew) => return error(ErrorKind::Invalid),
            Some(Ok(skip)) => skip,
            Some(Err(_)) | None => 0,
        };
        let mut lines = self.place.lines.lock().unwrap().clone();
        let head = |line: &Vec<u8>| Line::read(line).ok().map(|line| line.head);
        if self.is(SortsByTime) {
            lines.sort_by_key(|line| head(line).map(|head| head.at));
        }
        if self.is(SortsByWriter) {
            lines.sort_by_key(|line| head(line).map(|head| head.writer));
        }
        let ends = |until: Timestamp, at| if self.is(EndIsNotInARange) { at < until } else { at <= until };
        lines.retain(|line| match head(line) {
            None => !self.is(HidesWhatItCannotRead),
            Some(head) => {
                range.from.is_none_or(|from| head.at >= from)
                    && range.until.is_none_or(|until| ends(until, head.at))
            }
        });
        let mut next = skip + range.most;
        let page: Vec<_> = lines.iter().skip(skip).take(range.most).cloned().collect();
        let is_more = lines.len() > next;
        if self.is(LosesOneBetweenPages) && range.from.is_none() && range.until.is_none() {
            next += 1;
        }
        let page = AuditPage::new(page, is_more.then(|| next.to_string()));
        if self.is(OtherProcessCaches) && self.is_other {
            return Ok(self.place.first_page.lock().unwrap().get_or_insert(page).clone());
        }
        Ok(page)
    }

    async fn newest(&self) -> Result<Option<Head>> {
        let mut newest = self.heads().pop();
        let wrote = self.wrote.lock().unwrap().clone();
        let is_own = |head: &Head| Some(&head.writer) == wrote.as_ref();
        match self.fault {
            Some(EmptyHasALine) if newest.is_none() => {
                let nothing = serde_json::json!({
                    "v": 1, "writer": "w", "n": 0, "prev": null, "kind": "full", "at": 0, "time": "", "cluster": "c",
                    "policy": "0", "holder": null, "ended": "", "actions": [], "verdict": "0", "bytes": 0,
                    "sum": "0".repeat(64),
                });
                newest = Some(serde_json::from_value(nothing).unwrap());
            }
            Some(RemembersItsFirst) if newest.as_ref().is_some_and(is_own) => {
                newest = newest.map(|newest| self.told.lock().unwrap().get_or_insert(newest).clone());
            }
            Some(KnowsOnlyItsOwn) if wrote.is_some() => {
                newest = self.heads().into_iter().rev().find(is_own);
            }
            Some(StumblesOverParts) => {
                let last = self.place.lines.lock().unwrap().last().cloned();
                if last.is_some_and(|last| !Line::is_whole(&last)) {
                    return error(ErrorKind::Invalid);
                }
            }
            _ => {}
        }
        Ok(newest)
    }
}

struct Stage(Option<Fault>, Arc<Place>);

#[async_trait]
impl AuditStage for Stage {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(Client::new(self.0, &self.1, false))
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        Arc::new(Client::new(self.0, &self.1, true))
    }

    async fn lose_answer(&self) -> bool {
        self.1.losing.set();
        true
    }

    async fn leave_a_part(&self, line: &Line) -> bool {
        let part = line.text.as_bytes()[..line.text.len() / 2].to_vec();
        self.1.lines.lock().unwrap().push(part);
        true
    }

    async fn spoil(&self) -> bool {
        self.1.lines.lock().unwrap().push(b"nothing of ours".to_vec());
        true
    }
}

#[tokio::test]
async fn each_audit_test_bites() {
    let run = async |fault| audit(async || Stage(fault, shared())).await;
    each_test_bites(TESTS, ROWS, run).await;
}
