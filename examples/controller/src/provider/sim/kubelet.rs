//! The kubelets of simulated machines: they register Nodes, say that they are well, and let pods run and end.

use std::sync::Arc;

use autoscale_core::data::view::Ownership;
use autoscale_core::ports::{Clock, Error};
use autoscale_core::words::{ClusterId, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use super::error::{from_kube, has_code};
use super::machine::Found;
use super::{SimConfig, machines};

/// What one look did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stepped {
    /// Nodes that were registered.
    pub registered: u32,
    /// Nodes that said that they are well.
    pub beats: u32,
    /// Pods that were said to run.
    pub started: u32,
    /// Pods that ended.
    pub ended: u32,
    /// Machines that were forgotten.
    pub forgotten: u32,
}

/// The kubelets of all simulated machines of a cluster. Every replica may run them: whatever they do is harmless twice.
#[derive(Clone)]
pub struct Kubelets {
    client: kube::Client,
    config: Arc<SimConfig>,
    cluster: ClusterId,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Kubelets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubelets").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Kubelets {
    /// Over a client, for the machines of one cluster.
    pub fn new(client: kube::Client, config: SimConfig, cluster: ClusterId, clock: Arc<dyn Clock>) -> Self {
        Self { client, config: Arc::new(config), cluster, clock }
    }

    /// Looks again and again. It ends when it is dropped.
    pub async fn run(self) {
        loop {
            match self.step().await {
                Ok(stepped) if stepped.registered + stepped.forgotten > 0 => {
                    tracing::info!(?stepped, "simulated kubelets");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(error = error.chain(), "simulated kubelets"),
            }
            self.clock.sleep(self.config.look).await;
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// The first request that was refused or not answered; the rest is for the next look.
    pub async fn step(&self) -> Result<Stepped, Error> {
        let mut stepped = Stepped::default();
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.config.namespace);
        let nodes: Api<Node> = Api::all(self.client.clone());
        let now = self.clock.now();
        let (found, _) = machines(&maps, &self.config).await?;
        let found: Vec<Found> =
            found.into_iter().filter(|found| found.ownership(&self.cluster) == Ownership::Ours).collect();
        for machine in found.iter().filter(|found| found.has_booted(self.config.boot, now)) {
            self.live(&nodes, machine, now, &mut stepped).await?;
        }
        for machine in &found {
            let over = machine.ended_at.is_some_and(|at| now.since(at) >= self.config.remember);
            if over && self.forget(&maps, &nodes, machine).await? {
                stepped.forgotten += 1;
            }
        }
        Ok(stepped)
    }

    /// What a living machine does: registers, says that it is well, cares for its pods.
    async fn live(
        &self,
        nodes: &Api<Node>,
        machine: &Found,
        now: Timestamp,
        stepped: &mut Stepped,
    ) -> Result<(), Error> {
        let refused = |action: &'static str| {
            let attempted = format!("keep node {}", machine.name);
            move |error| from_kube(error, &attempted, action, true)
        };
        let (Some(wanted), Some(status)) = (machine.node(), machine.status(&now.to_string())) else {
            return Ok(());
        };
        if nodes.get_opt(&machine.name).await.map_err(refused("get nodes"))?.is_none() {
            let Ok(node) = serde_json::from_value(wanted) else { return Ok(()) };
            match nodes.create(&PostParams::default(), &node).await {
                Ok(_) => stepped.registered += 1,
                // Another replica was faster.
                Err(error) if has_code(&error, 409) => {}
                Err(error) => return Err(refused("create nodes")(error)),
            }
        }
        let said =
            nodes.patch_status(&machine.name, &PatchParams::default(), &Patch::Strategic(status)).await;
        match said {
            Ok(_) => stepped.beats += 1,
            Err(error) if has_code(&error, 404) => return Ok(()),
            Err(error) => return Err(refused("patch nodes/status")(error)),
        }
        if self.config.play_pods { self.play(&machine.name, now, stepped).await } else { Ok(()) }
    }

    /// Lets the pods of a node run, and ends those whose time is up.
    async fn play(&self, node: &str, now: Timestamp, stepped: &mut Stepped) -> Result<(), Error> {
        let refused = |action: &'static str| {
            let attempted = format!("keep the pods of node {node}");
            move |error| from_kube(error, &attempted, action, true)
        };
        let on = ListParams::default().fields(&format!("spec.nodeName={node}")).limit(self.config.page);
        let all: Api<Pod> = Api::all(self.client.clone());
        for pod in all.list(&on).await.map_err(refused("list pods"))?.items {
            let (Some(name), Some(namespace)) = (&pod.metadata.name, &pod.metadata.namespace) else {
                continue;
            };
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
            match &pod.metadata.deletion_timestamp {
                Some(at) if at.0.as_millisecond() <= now.as_millis() => {
                    let gone =
                        DeleteParams { grace_period_seconds: Some(0), ..only(pod.metadata.uid.clone()) };
                    match pods.delete(name, &gone).await {
                        Ok(_) => stepped.ended += 1,
                        Err(error) if has_code(&error, 404) || has_code(&error, 409) => {}
                        Err(error) => return Err(refused("delete pods")(error)),
                    }
                }
                None if phase == "Pending" => {
                    match pods.patch_status(name, &PatchParams::default(), &running(&pod, now)).await {
                        Ok(_) => stepped.started += 1,
                        Err(error) if has_code(&error, 404) || has_code(&error, 409) => {}
                        Err(error) => return Err(refused("patch pods/status")(error)),
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes away a machine that ended long ago, unless its node is still there.
    async fn forget(&self, maps: &Api<ConfigMap>, nodes: &Api<Node>, machine: &Found) -> Result<bool, Error> {
        let attempted = format!("forget {}", machine.name);
        let refused = |action: &'static str, error| from_kube(error, &attempted, action, true);
        let node = nodes.get_opt(&machine.name).await.map_err(|error| refused("get nodes", error))?;
        if node.is_some() {
            return Ok(false);
        }
        match maps.delete(&machine.name, &only(Some(machine.uid.clone()))).await {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, 404) || has_code(&error, 409) => Ok(false),
            Err(error) => Err(refused("delete configmaps", error)),
        }
    }
}

/// Deletes the object of that uid, and no other of its name.
fn only(uid: Option<String>) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions { uid, resource_version: None }),
        ..DeleteParams::default()
    }
}

fn running(pod: &Pod, now: Timestamp) -> Patch<serde_json::Value> {
    let now = now.to_string();
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let container = |container: &k8s_openapi::api::core::v1::Container| {
        json!({
            "name": container.name, "image": container.image, "imageID": "", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": now}},
        })
    };
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    Patch::Strategic(json!({ "status": {
        "phase": "Running", "startTime": now, "conditions": conditions,
        "containerStatuses": containers.iter().map(container).collect::<Vec<_>>(),
    } }))
}
