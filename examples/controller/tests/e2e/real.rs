//! The story on the cluster of the current kubeconfig: in a namespace of its own, on machines of its own, which are gone
//! afterwards. Two replicas are killed again and again meanwhile. It takes about a quarter of an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_core::driver::{SystemClock, open};
use autoscale_core::words::Span;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::common::{POLICY, workload};
use crate::kill::Dice;
use crate::replica::{mortal, settings};
use crate::story::{Stage, tell};
use crate::truth::Seen;

struct Real {
    client: Client,
    /// Of the namespace and of the cluster, as the policy calls it: nobody else's.
    name: String,
}

async fn all<K>(api: Api<K>, params: ListParams) -> Vec<Value>
where
    K: Resource + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let items = api.list(&params).await.unwrap().items;
    items.iter().map(|item| serde_json::to_value(item).unwrap()).collect()
}

impl Real {
    fn here<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    fn ours(&self) -> ListParams {
        ListParams::default().labels(&format!("autoscale.local/sim={}", self.name))
    }

    async fn clean_up(&self) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        nodes.delete_collection(&DeleteParams::default(), &self.ours()).await.unwrap();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

#[async_trait]
impl Stage for Real {
    async fn look(&mut self) -> Seen {
        let machines = ListParams::default().labels("autoscale.local/sim=machine");
        let pods = ListParams::default().labels("part-of=story");
        Seen {
            machines: all(self.here::<ConfigMap>(), machines).await,
            nodes: all(Api::<Node>::all(self.client.clone()), self.ours()).await,
            pods: all(self.here::<Pod>(), pods).await,
        }
    }

    async fn scale(&mut self, workload: &str, replicas: u32) {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        self.here::<Deployment>().patch(workload, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn pass(&mut self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }

    async fn is_clean(&mut self) -> bool {
        let lease = self.here::<Lease>().get("autoscale").await.unwrap();
        let annotations = lease.metadata.annotations.unwrap();
        let record = open(annotations["autoscale.local/record"].as_bytes()).unwrap();
        record.ops.is_empty() && record.lease.is_none()
    }

    fn bounds(&self) -> (usize, usize) {
        (1, 4)
    }

    fn told(&self) -> String {
        format!("look at namespace {}", self.name)
    }
}

#[tokio::test]
async fn the_story_on_a_real_cluster() {
    if std::env::var("AUTOSCALE_TEST_KUBE").as_deref() != Ok("1") {
        println!(
            "SKIPPED: nothing was tried on a real cluster. With a kubeconfig of one that may be played with: \
             AUTOSCALE_TEST_KUBE=1 cargo test -p controller --test e2e real -- --nocapture"
        );
        return;
    }
    let (client, _) = controller::setup::connect(None).await.unwrap();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let name = format!("autoscale-e2e-{}", since.as_secs());
    let mut real = Real { client: client.clone(), name: name.clone() };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    for app in ["web", "late"] {
        let deployment = serde_json::from_value(workload(app, &name, &name)).unwrap();
        real.here::<Deployment>().create(&PostParams::default(), &deployment).await.unwrap();
    }
    let policy = POLICY.replace("shop", &name);
    let kills = Arc::new(AtomicU64::new(0));
    println!("seed {}", since.as_secs());
    let keepers = [("left", 0), ("right", 1)].map(|(side, number)| {
        let settings = settings(&format!("{name}-{side}"), &policy, &name);
        let dice = Dice::new(since.as_secs().wrapping_mul(2).wrapping_add(number));
        let clock = Arc::new(SystemClock::new());
        tokio::spawn(mortal(client.clone(), clock, (settings, side), dice, kills.clone()))
    });
    // Whatever comes of it, nothing stays behind.
    let told = std::panic::AssertUnwindSafe(tell(&mut real));
    let told = futures_util::FutureExt::catch_unwind(told).await;
    for keeper in keepers {
        keeper.abort();
        // What it was about to ask for is not asked for any more.
        assert!(keeper.await.is_err_and(|error| error.is_cancelled()));
    }
    real.clean_up().await;
    if let Err(failed) = told {
        std::panic::resume_unwind(failed);
    }
    let killed = kills.load(Ordering::SeqCst);
    println!("{killed} kills");
    assert!(killed >= 4, "only {killed} kills: nothing was tried");
}
