//! `--node-agent`: reads what Azure announces to this machine, and marks the machine's Node with it.
//!
//! It writes one annotation of one Node and reads nothing of the cluster. It starts no event: a machine whose notice is stored is
//! drained and ended by the controller, and an event that comes first was going to come. So an agent that is taken over can have
//! its own machine replaced, and nothing else.

mod source;

use std::sync::Arc;

use autoscale_azure::events::{EventRules, Marks, Metadata, Treat};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Clock, Error};
use autoscale_core::words::{Deadline, NodeName, Span};
use futures_util::FutureExt;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::{AgentOptions, Args, Taken};
use crate::bad::Bad;
use crate::board::Board;
use crate::logs;
use crate::notices::Pause;
use crate::notices::marks::ANNOUNCED;
use crate::serve::{Shown, serve};
use crate::setup::connect;
use crate::start::{Exit, told_to_stop};
use crate::telemetry::Telemetry;
pub use source::Source;

/// How long one request to the metadata service may take: the first one after a machine's start switches the events on.
const READ: Span = Span::from_secs(130);
/// How long it may be silent before it counts as stuck.
const PATIENCE: Span = Span::from_mins(10);
/// A mark that stands is written again after this, in case somebody took it away.
const AGAIN: Span = Span::from_mins(1);
/// Where there is nothing to mark, that is written again after this.
const RARELY: Span = Span::from_mins(30);

/// The agent of one node.
#[derive(Clone, Debug)]
pub struct Agent {
    nodes: Api<Node>,
    name: NodeName,
    source: Arc<dyn Source>,
    rules: EventRules,
    every: Span,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
}

/// Options of an agent that have been understood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentSettings {
    /// The name of its Node.
    pub name: NodeName,
    /// What events are taken for.
    pub rules: EventRules,
    /// How often it reads.
    pub every: Span,
}

impl AgentSettings {
    /// Understands the options.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn new(options: &AgentOptions) -> Result<Self, Bad> {
        let mut bad = Bad::default();
        let name = options.node_name.as_deref().filter(|name| !name.is_empty());
        let missing =
            || Bad::of("--node-name: missing: expected the name of a Node, here or in AUTOSCALE_NODE_NAME");
        let name = name
            .ok_or_else(missing)
            .and_then(|name| NodeName::new(name).map_err(|error| Bad::setting("--node-name", name, error)));
        let name = bad.take(name);
        if !(Span::from_millis(500)..=Span::from_secs(60)).contains(&options.every) {
            bad.add(Bad::setting("--node-agent-every", options.every, "500ms to 60s"));
        }
        let treat = |taken| match taken {
            Taken::Interruption => Treat::Interruption,
            Taken::Rebalance => Treat::Rebalance,
            Taken::Ignore => Treat::Ignore,
        };
        let rules = EventRules::new(treat(options.redeploy), treat(options.reboot), treat(options.freeze));
        bad.into_result()?;
        let name = name.ok_or_else(missing)?;
        Ok(Self { name, rules, every: options.every })
    }
}

/// What was written last.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Written {
    marks: Marks,
    at: Deadline,
}

impl Agent {
    /// Over a client that does not repeat requests by itself, and where events are read.
    pub fn new(
        client: kube::Client,
        settings: AgentSettings,
        source: Arc<dyn Source>,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
    ) -> Self {
        let AgentSettings { name, rules, every } = settings;
        Self { nodes: Api::all(client), name, source, rules, every, clock, board }
    }

    /// Reads and marks. It ends when it is dropped; the mark stays, and is what was announced last.
    pub async fn run(self) {
        let machine = self.machine().await;
        tracing::info!(node = self.name.as_str(), machine, "reads what is announced to this machine");
        let (mut written, mut pause): (Option<Written>, _) = (None, Pause::default());
        let mut not_before = self.clock.boot();
        let mut fails = false;
        loop {
            match self.source.read().await {
                Ok(document) => {
                    self.told("read", &mut fails, Ok(()));
                    let marks = Marks::of(&document, &machine, &self.rules);
                    metrics::gauge!("controller_announced").set(marks.len() as f64);
                    let now = self.clock.boot();
                    let again = if marks.is_empty() { RARELY } else { AGAIN };
                    let stands =
                        written.as_ref().is_some_and(|was| was.marks == marks && now.since(was.at) < again);
                    if !stands && now >= not_before {
                        match self.mark(&marks).await {
                            Ok(()) => {
                                if written.as_ref().is_none_or(|was| was.marks != marks) {
                                    tracing::info!(announced = marks.to_string(), "marked the node");
                                }
                                pause.over();
                                written = Some(Written { marks, at: now });
                                self.board.did(Ok(()), PATIENCE);
                            }
                            Err(error) => {
                                metrics::counter!("controller_agent_failures_total", "what" => "mark")
                                    .increment(1);
                                tracing::warn!(error = error.to_string(), "cannot mark the node");
                                not_before = now.after(pause.next());
                                self.board.did(Err(format!("cannot mark the node: {error}")), PATIENCE);
                            }
                        }
                    } else if stands {
                        self.board.did(Ok(()), PATIENCE);
                    }
                }
                Err(error) => {
                    metrics::counter!("controller_agent_failures_total", "what" => "read").increment(1);
                    self.told("read", &mut fails, Err(error));
                }
            }
            self.clock.sleep(self.every).await;
        }
    }

    /// The machine's name in documents.
    async fn machine(&self) -> String {
        let (mut pause, mut fails) = (Pause::default(), false);
        loop {
            match self.source.machine().await {
                Ok(name) => return name,
                Err(error) => self.told("name", &mut fails, Err(error)),
            }
            self.clock.sleep(pause.next()).await;
        }
    }

    /// Tells the first failure of many, and that they are over.
    fn told(&self, what: &str, fails: &mut bool, done: Result<(), Error>) {
        match done {
            Ok(()) if !*fails => {}
            Ok(()) => {
                *fails = false;
                tracing::info!(what, "the metadata service answers again");
            }
            Err(error) => {
                let error = error.chain();
                if !std::mem::replace(fails, true) {
                    tracing::warn!(
                        what,
                        error,
                        "the metadata service does not answer: nothing follows from that"
                    );
                }
                self.board.did(Err(error), PATIENCE);
            }
        }
    }

    async fn mark(&self, marks: &Marks) -> Result<(), kube::Error> {
        let text = (!marks.is_empty()).then(|| marks.to_string());
        let patch = json!({ "metadata": { "annotations": { ANNOUNCED: text } } });
        self.nodes.patch(self.name.as_str(), &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }
}

/// Runs as an agent until told to stop.
pub(crate) async fn start(args: Args) -> Result<Exit, Bad> {
    let Args { command, options } = args;
    let mut bad = Bad::default();
    if command.is_some() || options.once || options.dry_run {
        bad.add(Bad::of("--node-agent: with a command, --once or --dry-run: expected neither of them"));
    }
    let settings = bad.take(AgentSettings::new(&options.agent));
    bad.into_result()?;
    let Some(settings) = settings else { return Err(Bad::of("not enough was set")) };
    logs::init(options.log_format, &options.log)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (client, _) = connect(options.context.as_deref()).await?;
    let source = Metadata::new(READ).map_err(|error| Bad::of(error.chain()))?;
    let board = Arc::new(Board::new(clock.clone(), 0, PATIENCE, false));
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| {
        Bad::setting("--listen", options.listen, format!("an address of this host: {error}"))
    })?;
    let listening = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(node = settings.name.as_str(), listening, "begins as the agent of a node");
    let serving = serve(listener, Shown::new(board.clone(), Some(Telemetry::install())));
    let agent = Agent::new(client, settings, Arc::new(source), clock, board);
    tokio::select! {
        () = told_to_stop().fuse() => {}
        () = agent.run() => {}
        () = serving => {}
    }
    tracing::info!("ends");
    Ok(Exit::Well)
}
