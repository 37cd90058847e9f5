//! `simulate validate`: whether policies are good, and what they say.

use std::io;
use std::path::PathBuf;

use autoscale_core::data::policy::PolicyError;
use clap::Args;
use serde::Serialize;

use crate::bad::{Bad, in_order};
use crate::policy::PolicyFile;
use crate::{BAD_INPUT, OK, refuse, summary};

/// Policies to look at.
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// Files of at most 1 MiB whose names end in .yaml, .yml, .toml or .json
    #[arg(value_name = "POLICY", required = true)]
    policies: Vec<PathBuf>,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Found {
    valid: bool,
    files: Vec<Told>,
}

/// One file.
#[derive(Serialize)]
struct Told {
    file: String,
    valid: bool,
    hash: Option<String>,
    cluster: Option<String>,
    /// In words.
    pools: Vec<String>,
    defaults: Vec<Setting>,
    errors: Vec<Wrong>,
    /// How many errors there are; only the first are listed.
    error_count: usize,
}

/// A setting that the file leaves to its default.
#[derive(Serialize)]
struct Setting {
    path: String,
    value: String,
}

/// One error.
#[derive(Serialize)]
struct Wrong {
    line: Option<u64>,
    column: Option<u32>,
    /// Where in the policy; none where the file as a whole is meant.
    path: Option<String>,
    value: Option<String>,
    message: String,
}

impl Validate {
    /// Reads every policy and says what is wrong with each; of the good ones, what they say.
    pub(super) fn run(self, out: &mut dyn io::Write) -> io::Result<u8> {
        let Self { policies, json } = self;
        let read: Vec<_> = policies.iter().map(|path| PolicyFile::read(path)).collect();
        let valid = read.iter().all(Result::is_ok);
        if json {
            let files = policies.iter().zip(&read).map(|(path, read)| told(path.display().to_string(), read));
            let found = Found { valid, files: files.collect() };
            serde_json::to_writer_pretty(&mut *out, &found)?;
            writeln!(out)?;
        } else {
            for read in &read {
                match read {
                    Ok(file) => show(file, out)?,
                    Err(bad) => _ = refuse(bad),
                }
            }
        }
        Ok(if valid { OK } else { BAD_INPUT })
    }
}

fn show(PolicyFile { path, policy, defaults }: &PolicyFile, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "{}: valid, policy {}", path.display(), policy.hash())?;
    writeln!(out, "  cluster {}, a tick every {}", policy.cluster(), policy.tick().interval)?;
    for line in summary::pools(policy) {
        writeln!(out, "  {line}")?;
    }
    if !defaults.is_empty() {
        writeln!(out, "  left to their defaults:")?;
    }
    for (path, value) in defaults {
        writeln!(out, "    {path} = {value}")?;
    }
    Ok(())
}

fn told(file: String, read: &Result<PolicyFile, Bad>) -> Told {
    let empty = Told {
        file,
        valid: false,
        hash: None,
        cluster: None,
        pools: Vec::new(),
        defaults: Vec::new(),
        errors: Vec::new(),
        error_count: 0,
    };
    match read {
        Ok(PolicyFile { path: _, policy, defaults }) => {
            let setting =
                |(path, value): &(String, String)| Setting { path: path.clone(), value: value.clone() };
            Told {
                valid: true,
                hash: Some(policy.hash().to_string()),
                cluster: Some(policy.cluster().to_string()),
                pools: summary::pools(policy),
                defaults: defaults.iter().map(setting).collect(),
                ..empty
            }
        }
        Err(bad) => {
            let (errors, error_count) = wrongs(bad);
            Told { errors, error_count, ..empty }
        }
    }
}

fn wrongs(bad: &Bad) -> (Vec<Wrong>, usize) {
    match bad {
        Bad::Policy(_, errors) => {
            let wrong = |error: &PolicyError| Wrong {
                line: error.place.map(|(line, _)| line.into()),
                column: error.place.map(|(_, column)| column),
                path: Some(error.path.clone()),
                value: Some(error.value.clone()),
                message: format!("expected {}", error.expected),
            };
            (in_order(errors).into_iter().map(wrong).collect(), errors.count())
        }
        Bad::Rows(_, rows) => {
            let wrong = |(line, message): &(Option<usize>, String)| Wrong {
                line: line.map(|line| line as u64),
                column: None,
                path: None,
                value: None,
                message: message.clone(),
            };
            (rows.iter().map(wrong).collect(), rows.len())
        }
        Bad::Several(several) => {
            let (wrongs, counts): (Vec<_>, Vec<_>) = several.iter().map(wrongs).unzip();
            (wrongs.into_iter().flatten().collect(), counts.into_iter().sum())
        }
    }
}
