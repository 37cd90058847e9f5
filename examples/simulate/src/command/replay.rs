//! `simulate replay`: an audit log, decided again.

use std::io;
#[cfg(feature = "dynamodb")]
use std::path::Path;
use std::path::PathBuf;

use autoscale_core::data::audit::Entry;
#[cfg(feature = "dynamodb")]
use autoscale_core::data::audit::Head;
use autoscale_core::logic::{Differs, Replayed, replay};
use clap::Args;
use serde::Serialize;

use crate::audit::{self, Seen, Stopped};
use crate::bad::Bad;
#[cfg(feature = "dynamodb")]
use crate::dynamodb::{Found, TableLog};
use crate::{BAD_INPUT, BROKEN, OK, refuse};

/// Decides everything in an audit log again and compares it byte for byte with what is recorded.
///
/// Checks the sum of every line and the chain through them first. The exit code is 0 when all is the same, 1 when something
/// differs, was left out or the log was damaged, 2 when it is no audit log.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The log; older files of it, FILE.1 and so on, are read before
    #[arg(value_name = "FILE")]
    #[cfg_attr(feature = "dynamodb", arg(required_unless_present = "dynamodb"))]
    #[cfg_attr(not(feature = "dynamodb"), arg(required = true))]
    file: Option<PathBuf>,

    #[cfg(feature = "dynamodb")]
    #[command(flatten)]
    table: TableLog,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Page {
    file: String,
    entries: u64,
    decisions: u64,
    records: u64,
    effects: u64,
    torn: u64,
    without_base: u64,
    elsewhere: u64,
    same: bool,
}

impl Replay {
    /// Decides every entry again: which log it was, and what was in it.
    fn read(&self, all: &mut Replayed) -> (PathBuf, Result<Result<Seen, Bad>, Stopped>) {
        let mut again = |entry: &Entry<'_>| {
            let Replayed { rounds, stored, effects, .. } = replay(entry)?;
            all.rounds += rounds;
            all.stored += stored;
            all.effects += effects;
            Ok(())
        };
        #[cfg(feature = "dynamodb")]
        if let Some(table) = self.table.name() {
            let read = self.table.read(|found| match found {
                Found::Entry(entry) => again(&entry.1).err().map(|differs| told(&table, &entry.0, &differs)),
                Found::Elsewhere(_) => None,
            });
            return (table, read);
        }
        let file = self.file.clone().unwrap_or_default();
        let read = audit::read(&file, |file, line, _, entry| {
            again(&entry).err().map(|differs| Bad::of(file, vec![(Some(line), not_as_recorded(&differs))]))
        });
        (file, read)
    }

    /// Reads, decides, prints.
    pub(super) fn run(self, out: &mut dyn io::Write) -> io::Result<u8> {
        let mut all = Replayed::default();
        let (name, read) = self.read(&mut all);
        let seen = match read {
            Ok(Ok(seen)) => seen,
            Ok(Err(bad)) | Err(Stopped::Damaged(bad)) => {
                refuse(&bad);
                return Ok(BROKEN);
            }
            Err(Stopped::Foreign(bad)) => return Ok(refuse(&bad).max(BAD_INPUT)),
        };
        if let Some(left_out) = seen.left_out(&name) {
            refuse(&left_out);
        }
        let Seen { entries, torn, baseless, elsewhere, lost: _ } = seen;
        let elsewhere = elsewhere.len() as u64;
        let Replayed { rounds: decisions, stored: records, effects, .. } = all;
        let same = baseless == 0 && elsewhere == 0;
        if self.json {
            let (file, without_base) = (name.to_string_lossy().into_owned(), baseless);
            let page =
                Page { file, entries, decisions, records, effects, torn, without_base, elsewhere, same };
            writeln!(out, "{:#}", serde_json::to_value(page).unwrap_or_default())?;
        } else {
            writeln!(
                out,
                "{}: {entries} entries, {decisions} decisions, {records} records and {effects} effects: \
                 decided again, all the same",
                audit::shown(&name)
            )?;
            if torn > 0 {
                writeln!(out, "{torn} lines were left unfinished by a writer that died")?;
            }
            if baseless > 0 {
                writeln!(
                    out,
                    "{baseless} entries are differences to entries that are not here, and could not be read"
                )?;
            }
        }
        Ok(if same { OK } else { BROKEN })
    }
}

/// What differs in a table, whose lines have no numbers.
#[cfg(feature = "dynamodb")]
fn told(table: &Path, head: &Head, differs: &Differs) -> Bad {
    let Head { n, writer, .. } = head;
    Bad::whole(table, format!("entry {n} of {writer}: {}", not_as_recorded(differs)))
}

fn not_as_recorded(differs: &Differs) -> String {
    format!("not decided as it is recorded: {differs}")
}
