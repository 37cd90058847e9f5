//! `simulate explain`: why it acted, why it did not, what it waits for and until when.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::data::audit::{Entry, Head, Read, Reader};
use autoscale_core::logic::{Answer, Explainer, Question};
use autoscale_core::memory::AuditMemory;
use autoscale_core::sim::{self, Config, Scenario};
use autoscale_core::words::{PoolName, Span, Timestamp};
use clap::Args;

use crate::audit::{self, Recorder, Stopped};
use crate::bad::Bad;
#[cfg(feature = "dynamodb")]
use crate::dynamodb::{Found, TableLog};
use crate::progress::Progress;
use crate::{BROKEN, OK, refuse};

/// Says why it acted, why it did not, what it waits for and until when, from an audit log alone.
///
/// Without a file the shop is simulated for a day, and the newest action is explained. The exit code is 0 when there is an
/// answer, 1 when the log was damaged, 2 when it is no audit log or has no answer.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The log; older files of it, FILE.1 and so on, are read before
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[cfg(feature = "dynamodb")]
    #[command(flatten)]
    table: TableLog,

    /// The newest entry then: a time like 2026-03-02T14:00:00Z, or so long after the first entry, like 3h30m
    #[arg(long, value_name = "TIME", value_parser = when)]
    at: Option<When>,

    /// Of this pool only
    #[arg(long, value_name = "POOL")]
    pool: Option<PoolName>,

    /// Also of this node, by its name or the id of its instance: whether it may go, and why not
    #[arg(long, value_name = "NODE")]
    node: Option<String>,

    /// The newest entry in which something was decided to be done; without a file and a time that is meant anyway
    #[arg(long)]
    acted: bool,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
enum When {
    At(Timestamp),
    After(Span),
}

fn when(text: &str) -> Result<When, String> {
    if let Ok(span) = text.parse() {
        return Ok(When::After(span));
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(When::At(Timestamp::from_millis(time.as_millisecond()))),
        Err(_) => Err("expected a time like 2026-03-02T14:00:00Z, or a span like 3h30m".to_owned()),
    }
}

/// Goes through a log; a time that counts from the first entry is known once that is seen.
struct Search {
    question: Question,
    after: Option<Span>,
    explainer: Option<Explainer>,
}

impl Search {
    /// There is an entry of that time.
    fn begin(&mut self, at: Timestamp) -> &mut Explainer {
        let (question, after) = (&mut self.question, self.after);
        self.explainer.get_or_insert_with(|| {
            question.at = after.map(|after| at.after(after)).or(question.at);
            Explainer::new(question.clone())
        })
    }

    fn see(&mut self, head: Head, entry: Entry<'static>) {
        self.begin(head.at).see(head, entry);
    }

    fn answer(&self, path: &Path) -> Result<Answer, Bad> {
        let explainer = self.explainer.clone().unwrap_or_else(|| Explainer::new(self.question.clone()));
        explainer.answer().map_err(|none| Bad::whole(path, none.to_string()))
    }
}

impl Explain {
    /// The file or the table, if one was named.
    fn name(&self) -> Option<PathBuf> {
        #[cfg(feature = "dynamodb")]
        let table = self.table.name();
        #[cfg(not(feature = "dynamodb"))]
        let table = None;
        self.file.clone().or(table)
    }

    /// Reads or simulates, and prints.
    pub(super) fn run(self, out: &mut dyn io::Write) -> io::Result<u8> {
        let Self { file, at, pool, node, acted, json, .. } = &self;
        let name = self.name();
        let mut question = Question::default();
        (question.pool, question.node) = (pool.clone(), node.clone());
        question.acted = *acted || (name.is_none() && at.is_none());
        let after = match at {
            Some(When::After(span)) => Some(*span),
            Some(When::At(at)) => {
                question.at = Some(*at);
                None
            }
            None => None,
        };
        let mut search = Search { question, after, explainer: None };
        let found = match (file, &name) {
            (Some(path), _) => read(path, &mut search),
            #[cfg(feature = "dynamodb")]
            (None, Some(name)) => from_table(&self.table, name, &mut search),
            _ => simulate(&mut search),
        };
        let name = name.as_deref().unwrap_or(Path::new("the simulated day"));
        let answer = match found.and_then(|()| search.answer(name).map_err(Stopped::Foreign)) {
            Ok(answer) => answer,
            Err(Stopped::Foreign(bad)) => return Ok(refuse(&bad)),
            Err(Stopped::Damaged(bad)) => {
                refuse(&bad);
                return Ok(BROKEN);
            }
        };
        if *json {
            writeln!(out, "{:#}", serde_json::to_value(&answer).unwrap_or_default())?;
        } else {
            write!(out, "{answer}")?;
        }
        Ok(OK)
    }
}

fn read(path: &Path, search: &mut Search) -> Result<(), Stopped> {
    let seen = audit::read(path, |_, _, head, entry| {
        search.see(head, entry);
        None::<()>
    });
    seen.map(drop)
}

/// What is left out is told, whatever the answer.
#[cfg(feature = "dynamodb")]
fn from_table(table: &TableLog, name: &Path, search: &mut Search) -> Result<(), Stopped> {
    let seen = table.read(|found| {
        match found {
            Found::Entry(entry) => search.see(entry.0, entry.1),
            Found::Elsewhere(at) => drop(search.begin(at)),
        }
        None::<()>
    })?;
    if let Some(left_out) = seen.ok().and_then(|seen| seen.left_out(name)) {
        refuse(&left_out);
    }
    Ok(())
}

/// A day of the shop, with its audit log in memory.
fn simulate(search: &mut Search) -> Result<(), Stopped> {
    let mut config = Config::new(Scenario::Shop);
    config.until = Span::from_mins(24 * 60);
    let log = Arc::new(AuditMemory::new());
    let mut progress = Progress::new(config.until);
    let mut recorder = Recorder::new(log.clone(), false, &mut progress);
    sim::run(&config, &mut recorder);
    let failed = recorder.ends();
    progress.ends();
    let bad = |why: String| Stopped::Damaged(Bad::whole(Path::new("the simulated day"), why));
    if let Some(why) = failed {
        return Err(bad(why));
    }
    let mut reader = Reader::new();
    for line in log.lines() {
        if let Read::Entry(entry) =
            reader.line(line.text.as_bytes()).map_err(|broken| bad(broken.to_string()))?
        {
            let (head, entry) = *entry;
            search.see(head, entry);
        }
    }
    Ok(())
}
