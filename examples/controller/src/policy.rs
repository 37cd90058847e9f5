//! The policy file, and the watch for its next version.
//!
//! The file is read again every few seconds and compared by content. A mounted ConfigMap changes by a swap of a symlink two
//! folders up, which notifications of the file itself do not tell, and those of the folder tell in pieces; content tells all.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::data::policy::{Policy, PolicyFormat};
use autoscale_core::ports::Clock;
use autoscale_core::words::{ClusterId, Span};
use tokio::sync::watch;

use crate::bad::Bad;
use crate::board::Board;
use crate::signals::Signals;

/// No policy is larger.
const LARGEST: u64 = 1 << 20;

/// The policy in a file.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub fn read(path: &Path) -> Result<Arc<Policy>, Bad> {
    parse(path, &content(path)?)
}

/// What is in the file, whatever it is.
fn content(path: &Path) -> Result<Vec<u8>, Bad> {
    let failed = |error: std::io::Error| Bad::of(format!("{}: cannot read: {error}", path.display()));
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(failed)?
        .take(LARGEST.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Arc<Policy>, Bad> {
    let whole = |why: &str| Bad::of(format!("{}: {why}", path.display()));
    if bytes.len() as u64 > LARGEST {
        return Err(whole("longer than 1 MiB: expected a policy"));
    }
    let format = PolicyFormat::of_path(path)
        .ok_or_else(|| whole("expected a name that ends in .yaml, .yml, .toml or .json"))?;
    let text = std::str::from_utf8(bytes).map_err(|error| whole(&format!("{error}: expected UTF-8")))?;
    if text.trim().is_empty() {
        return Err(whole("empty file: expected a policy"));
    }
    Policy::parse(text, format).map(Arc::new).map_err(|errors| Bad::policy(path, &errors))
}

/// Looks at the file again and again, and hands on each good version. A bad one changes nothing and is told: in the log, as a
/// metric, and on the board.
#[derive(Debug)]
pub struct Watcher {
    path: PathBuf,
    every: Span,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    to: watch::Sender<Arc<Policy>>,
    signals: Option<Signals>,
    seen: Option<Vec<u8>>,
}

impl Watcher {
    /// For a file whose policy has been read already.
    pub fn new(
        path: PathBuf,
        every: Span,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
        to: watch::Sender<Arc<Policy>>,
    ) -> Self {
        Self { path, every, clock, board, to, signals: None, seen: None }
    }

    /// Also refuses policies that do not fit the signals there are.
    #[must_use]
    pub fn with_signals(mut self, signals: Signals) -> Self {
        self.signals = Some(signals);
        self
    }

    /// Looks until it is dropped.
    pub async fn run(mut self) {
        loop {
            self.clock.sleep(self.every).await;
            self.look();
        }
    }

    /// Looks once. The file is small and local.
    pub fn look(&mut self) {
        let current = self.to.borrow().clone();
        let found = match content(&self.path) {
            Ok(bytes) if self.seen.as_ref() == Some(&bytes) => return,
            Ok(bytes) => {
                let found = parse(&self.path, &bytes);
                self.seen = Some(bytes);
                found
            }
            // Told again each time that something else was seen in between.
            Err(bad) => {
                if self.seen.take().is_none() && self.board.policy_refused() == Some(bad.to_string()) {
                    return;
                }
                Err(bad)
            }
        };
        let fits = |policy: Arc<Policy>| {
            same_cluster(&policy, current.cluster())?;
            self.signals.as_ref().map_or(Ok(()), |signals| signals.fit(&policy))?;
            Ok(policy)
        };
        match found.and_then(fits) {
            Ok(policy) => {
                self.board.policy_is_good();
                if policy.hash() != current.hash() {
                    let hash = policy.hash().to_string();
                    tracing::info!(policy = hash, "a new version of the policy counts from now on");
                    metrics::counter!("controller_policy_reloads_total", "result" => "loaded").increment(1);
                    self.to.send_replace(policy);
                }
            }
            Err(bad) => {
                let why = bad.to_string();
                tracing::error!(
                    why,
                    "the new version of the policy is no good: the last good one still counts"
                );
                metrics::counter!("controller_policy_reloads_total", "result" => "refused").increment(1);
                self.board.policy_is_bad(why);
            }
        }
    }
}

/// The record, the tags and the nodes are of one cluster: another one needs another process.
fn same_cluster(policy: &Policy, cluster: &ClusterId) -> Result<(), Bad> {
    if policy.cluster() == cluster {
        return Ok(());
    }
    let expected = format!("{cluster}, as long as this process runs");
    Err(Bad::setting("cluster", policy.cluster(), expected))
}
