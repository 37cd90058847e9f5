//! `simulate replay`: an audit log, decided again.

use std::io;
use std::path::PathBuf;

use autoscale_core::logic::{Differs, Replayed, replay};
use clap::Args;
use serde::Serialize;

use crate::audit::{self, Seen, Stopped};
use crate::bad::Bad;
use crate::{BAD_INPUT, BROKEN, OK, refuse};

/// Decides everything in an audit log again and compares it byte for byte with what is recorded.
///
/// Checks the sum of every line and the chain through them first. The exit code is 0 when all is the same, 1 when something
/// differs or the log was damaged, 2 when it is no audit log.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The log; older files of it, FILE.1 and so on, are read before
    #[arg(value_name = "FILE")]
    file: PathBuf,

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
    same: bool,
}

impl Replay {
    /// Reads, decides, prints.
    pub(super) fn run(self, out: &mut dyn io::Write) -> io::Result<u8> {
        let Self { file, json } = self;
        let mut all = Replayed::default();
        let read = audit::read(&file, |file, line, _, entry| match replay(&entry) {
            Ok(Replayed { rounds, stored, effects, .. }) => {
                all.rounds += rounds;
                all.stored += stored;
                all.effects += effects;
                None
            }
            Err(differs) => Some(told(file, line, &differs)),
        });
        let Seen { entries, torn, baseless } = match read {
            Ok(Ok(seen)) => seen,
            Ok(Err(bad)) | Err(Stopped::Damaged(bad)) => {
                refuse(&bad);
                return Ok(BROKEN);
            }
            Err(Stopped::Foreign(bad)) => return Ok(refuse(&bad).max(BAD_INPUT)),
        };
        let Replayed { rounds: decisions, stored: records, effects, .. } = all;
        let same = baseless == 0;
        if json {
            let file = file.to_string_lossy().into_owned();
            let page =
                Page { file, entries, decisions, records, effects, torn, without_base: baseless, same };
            writeln!(out, "{:#}", serde_json::to_value(page).unwrap_or_default())?;
        } else {
            writeln!(
                out,
                "{}: {entries} entries, {decisions} decisions, {records} records and {effects} effects: \
                 decided again, all the same",
                audit::shown(&file)
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

fn told(file: &std::path::Path, line: usize, differs: &Differs) -> Bad {
    Bad::of(file, vec![(Some(line), format!("not decided as it is recorded: {differs}"))])
}
