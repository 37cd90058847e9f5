//! The agents of nodes, on a metadata service in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_azure::events::Document;
use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::{Span, Timestamp};
use autoscale_kube::fake::ApiServer;
use clap::Parser;
use controller::agent::{Agent, AgentSettings, Source};
use controller::args::Args;
use controller::notices::marks::ANNOUNCED;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::common::{ServerClock, server};
use crate::world::grant;

/// As the manifests call it.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:autoscale:autoscale-node-agent";

/// Something that is announced.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
}

/// What is announced to which machine, and whether anybody may read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<(BTreeMap<String, Event>, bool)>>);

impl Board {
    pub(crate) fn announce(&self, machine: &str, event: Event) {
        self.0.lock().unwrap().0.insert(machine.to_owned(), event);
    }

    pub(crate) fn clear(&self, machine: &str) {
        self.0.lock().unwrap().0.remove(machine);
    }

    fn breaks(&self, broken: bool) {
        self.0.lock().unwrap().1 = broken;
    }
}

/// The service of one machine, which tells what is announced to others of its group, too.
#[derive(Debug)]
struct Service(String, Board);

#[async_trait]
impl Source for Service {
    async fn machine(&self) -> Result<String, Error> {
        Ok(self.0.clone())
    }

    async fn read(&self) -> Result<Document, Error> {
        let (events, broken) = self.1.0.lock().unwrap().clone();
        if broken {
            return Err(Error::new(ErrorKind::Unavailable, "read"));
        }
        let date = |at: Timestamp| {
            let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap();
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()
        };
        let events: Vec<_> = events
            .iter()
            .map(|(machine, Event { id, kind, at })| {
                json!({"EventId": id, "EventType": kind, "EventStatus": "Scheduled", "Resources": [machine],
                    "NotBefore": date(*at)})
            })
            .collect();
        let document = json!({"DocumentIncarnation": 1, "Events": events});
        Ok(Document::parse(document.to_string().as_bytes()).unwrap())
    }
}

/// All agents have one account; the token of each also names its node.
pub(crate) fn user(_node: &str) -> &'static str {
    ACCOUNT
}

/// The agent of a node.
pub(crate) fn start(server: &ApiServer, node: &str, board: &Board) -> JoinHandle<()> {
    let clock = Arc::new(ServerClock(server.clone()));
    let options = Args::parse_from(["controller", "--node-agent", "--node-name", node]).options;
    let settings = AgentSettings::new(&options.agent).unwrap();
    let source = Arc::new(Service(node.to_owned(), board.clone()));
    let told = controller::board::Board::new(clock.clone(), 0, Span::from_mins(10), false);
    tokio::spawn(Agent::new(server.client_as(ACCOUNT), settings, source, clock, Arc::new(told)).run())
}

fn announced(server: &ApiServer, node: &str) -> Option<String> {
    let node = server.object("v1", "Node", "", node).unwrap();
    node["metadata"]["annotations"][ANNOUNCED].as_str().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn an_agent_marks_its_node_and_takes_the_mark_away() {
    let (server, board) = (server(1), Board::default());
    let time = crate::common::follow(&server);
    grant(&server, ACCOUNT, &["node-agent/rbac.yaml"]);
    let wait = |seconds| tokio::time::sleep(Span::from_secs(seconds).into());
    let stale = r#"[{"id":"OLD","kind":"interruption"}]"#;
    for name in ["n1", "n2"] {
        server.add_node(autoscale_kube::fake::NodeSpec::new(name).with_annotation(ANNOUNCED, stale));
    }
    let agents = ["n1", "n2"].map(|name| start(&server, name, &board));
    wait(3).await;
    assert_eq!(announced(&server, "n1"), None, "a mark of another life goes");
    let at = server.now().after(Span::from_mins(5));
    board.announce("N1", Event { id: "E-1", kind: "Preempt", at });
    wait(3).await;
    let mark = format!(r#"[{{"id":"E-1","kind":"interruption","at":{}}}]"#, at.as_millis() / 1_000 * 1_000);
    assert_eq!(announced(&server, "n1"), Some(mark.clone()));
    assert_eq!(announced(&server, "n2"), None, "it is not about this one");
    // Whoever takes the mark away, it comes back; and silence is no withdrawal.
    board.breaks(true);
    wait(60).await;
    assert_eq!(announced(&server, "n1"), Some(mark.clone()));
    board.breaks(false);
    let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(server.client());
    let without = kube::api::Patch::Merge(json!({"metadata": {"annotations": {ANNOUNCED: null}}}));
    nodes.patch("n1", &Default::default(), &without).await.unwrap();
    wait(70).await;
    assert_eq!(announced(&server, "n1"), Some(mark));
    board.clear("N1");
    wait(3).await;
    assert_eq!(announced(&server, "n1"), None);
    // It writes when something changed, and now and then; it asks the cluster nothing.
    let log = server.log();
    let asked: Vec<_> = log.iter().filter(|entry| entry.user == ACCOUNT).collect();
    assert!(asked.len() < 20, "{} requests", asked.len());
    assert!(asked.iter().all(|entry| entry.verb == "patch" && entry.status == 200), "{asked:?}");
    agents.iter().for_each(JoinHandle::abort);
    time.abort();
}

#[tokio::test(start_paused = true)]
async fn an_agent_goes_on_when_it_may_not_mark() {
    let (server, board) = (server(1), Board::default());
    let time = crate::common::follow(&server);
    server.add_node(autoscale_kube::fake::NodeSpec::new("n1"));
    let agent = start(&server, "n1", &board);
    board.announce("n1", Event { id: "E-1", kind: "Preempt", at: server.now().after(Span::from_mins(9)) });
    tokio::time::sleep(Span::from_mins(5).into()).await;
    let refused = server.log().iter().filter(|entry| entry.status == 403).count();
    assert!((5..=15).contains(&refused), "{refused} tries in five minutes");
    grant(&server, ACCOUNT, &["node-agent/rbac.yaml"]);
    tokio::time::sleep(Span::from_secs(70).into()).await;
    assert!(announced(&server, "n1").is_some());
    agent.abort();
    time.abort();
}
