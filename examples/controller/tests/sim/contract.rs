//! The contract of a node provider, on the API server in memory.

use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::conformance::{self, NodeStage, Stranger, Wares};
use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::Purchase;
use autoscale_core::ports::{ErrorKind, NodeProvider};
use autoscale_core::words::{ClusterId, Deadline, Inc, InstanceId, PoolName, ShapeName, Span, Token, Zone};
use autoscale_kube::fake::{ApiServer, Fault, Requests, Trouble};
use controller::provider::sim::{SimConfig, SimProvider};
use serde_json::json;
use tokio::sync::watch;

use crate::common::{NAMESPACE, ServerClock, policy, server, text};

pub(crate) fn offering(zone: &str) -> Offering {
    Offering::new(Zone::new(zone).unwrap(), Purchase::OnDemand, ShapeName::new("m").unwrap())
}

/// A provider over a server. Its policy never changes.
pub(crate) fn provider(server: &ApiServer, config: SimConfig) -> SimProvider {
    let (_, policy) = watch::channel(policy());
    SimProvider::new(server.client(), config, policy, Arc::new(ServerClock(server.clone())))
}

pub(crate) fn order(seq: u64) -> LaunchOrder {
    let token = Token::of(&Inc::new("test").unwrap(), seq, 0, 1);
    let value = json!({
        "cluster": "shop", "pool": "web", "offering": offering("a"), "token": token, "pinned": "",
    });
    let mut order: LaunchOrder = serde_json::from_value(value).unwrap();
    order.not_after = Deadline::NEVER;
    order
}

/// So many machines of an offering are there at most.
const MOST: u8 = 5;

struct Stage {
    server: ApiServer,
    provider: Arc<SimProvider>,
}

impl Stage {
    fn new(limits: &[&str]) -> Self {
        let server = server(1);
        let mut config = SimConfig::new(NAMESPACE);
        config.limits = limits.iter().map(|limit| limit.parse().unwrap()).collect();
        config.page = 1;
        Self { provider: Arc::new(provider(&server, config)), server }
    }

    fn map(&self, name: &str) -> Option<serde_json::Value> {
        self.server.object("v1", "ConfigMap", NAMESPACE, name)
    }

    fn fault(&self, verb: &str, trouble: Trouble) {
        self.server.add_fault(Fault::new(verb, Requests::any().verb(verb).resource("configmaps"), trouble));
    }

    /// Changes a machine's labels as a person does.
    async fn label(&self, name: &str, key: &str, value: &str) {
        use kube::api::{Api, Patch, PatchParams};
        let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
            Api::namespaced(self.server.client_as("admin"), NAMESPACE);
        let patch = Patch::Merge(json!({"metadata": {"labels": {key: value}}}));
        maps.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

#[async_trait]
impl NodeStage for Stage {
    fn provider(&self) -> Arc<dyn NodeProvider> {
        self.provider.clone()
    }

    fn wares(&self) -> Wares {
        let (cluster, pool) = (ClusterId::new("shop").unwrap(), PoolName::new("web").unwrap());
        Wares::new(cluster, pool, offering("a")).with_other(offering("b"))
    }

    async fn bought(&self, token: &Token) -> Vec<InstanceId> {
        let name = format!("sim-{token}");
        self.map(&name).map(|_| InstanceId::new(name).unwrap()).into_iter().collect()
    }

    async fn is_alive(&self, instance: &InstanceId) -> bool {
        let map = self.map(instance.as_str());
        map.is_some_and(|map| text(&map, "/metadata/annotations/autoscale.local~1ended-at").is_empty())
    }

    async fn settle(&self) {
        self.server.advance(Span::from_secs(60));
    }

    async fn place(&self, stranger: Stranger) -> Option<InstanceId> {
        let labels = match stranger {
            Stranger::Untagged => json!({"autoscale.local/sim": "machine"}),
            Stranger::OtherCluster => {
                json!({"autoscale.local/sim": "machine", "autoscale.local/role": "worker",
                "autoscale.local/cluster": "other", "autoscale.local/pool": "web"})
            }
            Stranger::ControlPlane => json!({"autoscale.local/sim": "machine",
                "autoscale.local/role": "control-plane", "autoscale.local/cluster": "shop"}),
            // There is no worker tag of one's own.
            _ => return None,
        };
        let made = self.server.create(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "stranger", "namespace": NAMESPACE, "labels": labels}}));
        made.ok().map(|_| InstanceId::new("stranger").unwrap())
    }

    async fn sell_out(&self, offering: &Offering) -> bool {
        // Others buy what there is.
        for seq in 100..100 + u64::from(MOST) {
            let mut order = order(seq);
            order.offering = offering.clone();
            self.provider.launch(&order).await.unwrap();
        }
        true
    }

    async fn protect(&self, instance: &InstanceId) -> bool {
        self.label(instance.as_str(), "autoscale.local/protected", "true").await;
        true
    }

    async fn lose_answer(&self) -> bool {
        self.fault("create", Trouble::AnswerLost);
        true
    }

    async fn launches_sent(&self) -> Option<u64> {
        let sent =
            |entry: &&autoscale_kube::fake::Entry| entry.verb == "create" && entry.resource == "configmaps";
        Some(self.server.log().iter().filter(sent).count() as u64)
    }

    async fn tags_written(&self) -> Option<u64> {
        // Labels are the tags; only the annotation of the end is written later.
        let maps = self.server.objects("v1", "ConfigMap");
        let labels = |map: &serde_json::Value| map.pointer("/metadata/labels").cloned().unwrap_or_default();
        let born = json!({"autoscale.local/sim": "machine", "autoscale.local/role": "worker",
            "autoscale.local/cluster": "shop", "autoscale.local/pool": "web"});
        Some(
            maps.iter()
                .filter(|map| text(map, "/metadata/name").starts_with("sim-") && labels(map) != born)
                .count() as u64,
        )
    }

    async fn cut_list(&self) -> bool {
        // So that there is a second page.
        self.provider.launch(&order(200)).await.unwrap();
        let mut next = Requests::any().verb("list").resource("configmaps");
        next.query = Some("continue=".to_owned());
        self.server.add_fault(Fault::new("second page", next, Trouble::Unavailable));
        true
    }

    async fn fail_list(&self) -> bool {
        self.fault("list", Trouble::Unavailable);
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::nodes(async || Stage::new(&[&format!("*/*/*={MOST}")])).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["worker_tag_is_listed"], "there is no worker tag of one's own");
}

#[tokio::test]
async fn an_offering_runs_out() {
    let stage = Stage::new(&["a/*/m=1"]);
    let first = stage.provider.launch(&order(1)).await.unwrap();
    let full = stage.provider.launch(&order(2)).await.unwrap_err();
    assert_eq!(*full.kind(), ErrorKind::NoCapacity { offering: offering("a") });
    assert!(stage.map("sim-test-2-0-1").is_none(), "a refusal bought something");
    // The token that has bought it names it also when there is no room for another.
    assert_eq!(stage.provider.launch(&order(1)).await.unwrap(), first);
    let mut elsewhere = order(3);
    elsewhere.offering = offering("b");
    assert!(stage.provider.launch(&elsewhere).await.is_ok(), "there is no limit in the other zone");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (trouble, expected) in [
        (Trouble::Internal, ErrorKind::Unclear),
        (Trouble::RequestLost, ErrorKind::Unclear),
        (Trouble::Truncated, ErrorKind::Unclear),
        (Trouble::TooMany(7), ErrorKind::Throttled { retry_after: Some(Span::from_secs(7)) }),
    ] {
        let stage = Stage::new(&[]);
        stage.fault("create", trouble.clone());
        let error = stage.provider.launch(&order(1)).await.unwrap_err();
        assert_eq!(*error.kind(), expected, "{trouble:?}: {error}");
    }
    let stage = Stage::new(&[]);
    let mut unknown = order(1);
    unknown.offering.shape = ShapeName::new("huge").unwrap();
    assert_eq!(*stage.provider.launch(&unknown).await.unwrap_err().kind(), ErrorKind::Invalid);
    let (_, policy) = watch::channel(policy());
    let client = stage.server.client_as("nobody");
    let clock = Arc::new(ServerClock(stage.server.clone()));
    let nobody = SimProvider::new(client, SimConfig::new(NAMESPACE), policy, clock);
    let denied = |action: &str| ErrorKind::Denied { action: action.to_owned() };
    assert_eq!(*nobody.launch(&order(1)).await.unwrap_err().kind(), denied("create configmaps"));
    assert_eq!(*nobody.list().await.unwrap_err().kind(), denied("list configmaps"));
}
