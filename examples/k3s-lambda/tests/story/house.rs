//! A cluster with its function, and time that passes.

use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use autoscale_core::words::{Span, Timestamp};
use autoscale_kube::fake::{ApiServer, NodeSpec, Settings as Weather};
use k3s_lambda::function::{Answer as Told, Failed, Function};
use k3s_lambda::objects::Buckets;
use serde_json::{Value, json};

use crate::account::SUBNETS;
use crate::around::Around;

/// A worker that was launched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) spot: bool,
    pub(crate) state: &'static str,
}

/// The whole of it.
pub(crate) struct House {
    around: Around,
    /// What CloudWatch was told.
    pub(crate) told: Mutex<Vec<Value>>,
    /// What the Pushgateway has.
    pub(crate) pushed: Arc<Mutex<Vec<k3s_lambda::telemetry::Series>>>,
    pub(crate) function: Function,
    time: tokio::task::JoinHandle<()>,
}

impl Deref for House {
    type Target = Around;

    fn deref(&self) -> &Around {
        &self.around
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.time.abort();
    }
}

/// What the schedule sends.
pub(crate) fn schedule() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with_pods_that_stop_in(Span::from_secs(3)).await
    }

    pub(crate) async fn with_pods_that_stop_in(span: Span) -> Self {
        // Of today, so that nothing in the audit log has expired.
        let today = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
        let around = Around::new(ApiServer::new(Weather::default().with_start(today).with_pod_stop(span)));
        around.ec2.service.place(&[("k3s-role", "master"), ("k3s-cluster", "shop")]);
        let control_plane = "node-role.kubernetes.io/control-plane";
        let master = NodeSpec::new("master").with_label(control_plane, "");
        around.server.add_node(master.with_taint(control_plane, "", "NoSchedule"));
        let time = follow(&around);
        // Before the first look at a clock.
        tokio::time::sleep(Span::from_secs(1).into()).await;
        let function = around.function().await;
        Self { around, told: Mutex::default(), pushed: Arc::default(), function, time }
    }

    /// From now on S3 can be reached.
    pub(crate) fn reach(&mut self, buckets: Buckets) {
        self.around.buckets = Some(buckets);
    }

    /// The process ends, and another one begins.
    pub(crate) async fn restart(&mut self) {
        self.function = self.around.function().await;
    }

    pub(crate) async fn invoke(&self, event: &Value) -> Result<Told, Failed> {
        let left = Some(Span::from_mins(2));
        let (told, lines) = self.function.invoke(event.to_string().as_bytes(), left).await;
        let lines = lines.iter().map(|line| {
            assert!(!line.contains('\n'), "more than one line: {line}");
            serde_json::from_str(line).unwrap()
        });
        self.told.lock().unwrap().extend(lines);
        let mut pushed = self.pushed.lock().unwrap().clone();
        self.function.add_to(&mut pushed).await;
        *self.pushed.lock().unwrap() = pushed;
        told
    }

    /// An invocation whose process is killed after so many steps, and is another one then. `None` if it did not get to its end.
    pub(crate) async fn killed(&mut self, event: &Value, steps: usize) -> Option<Result<Told, Failed>> {
        let told = after(steps, Box::pin(self.invoke(event))).await;
        if told.is_none() {
            self.restart().await;
        }
        told
    }

    /// Two minutes, in which nothing happens and lists stay behind.
    pub(crate) async fn wait(&self) {
        tokio::time::sleep(Span::from_mins(2).into()).await;
    }

    /// Two minutes: machines boot and end.
    pub(crate) async fn pass_alone(&self) {
        self.wait().await;
        self.ec2.service.settle();
    }

    /// Two minutes: machines boot and end, and their nodes come and go.
    pub(crate) async fn pass(&self) {
        self.pass_alone().await;
        for worker in self.machines() {
            let Worker { id, zone, state, .. } = worker;
            match state {
                "running" => {
                    let node = NodeSpec::new(&id).with_provider_id(format!("aws:///{zone}/{id}"));
                    let node = node.with_label("topology.kubernetes.io/zone", &zone);
                    let node = node.with_label("autoscale.local/pool", "workers");
                    self.server.add_node(node.with_allocatable("cpu", "1930m"));
                }
                _ => self.server.remove_node(&id),
            }
        }
    }

    /// Two minutes, and then it is time for a tick.
    pub(crate) async fn tick(&self) -> Told {
        self.pass().await;
        self.invoke(&schedule()).await.unwrap()
    }

    /// Workers that were launched.
    pub(crate) fn machines(&self) -> Vec<Worker> {
        let state = self.ec2.service.lock();
        let ours = state.machines.iter().filter(|machine| !machine.token.is_empty());
        ours.map(|machine| Worker {
            id: machine.id.clone(),
            zone: SUBNETS.iter().find(|(id, _)| machine.asked["SubnetId"] == *id).unwrap().1.to_owned(),
            spot: machine.asked.get("InstanceMarketOptions.MarketType").is_some_and(|kind| kind == "spot"),
            state: machine.state,
        })
        .collect()
    }

    pub(crate) fn running(&self) -> Vec<Worker> {
        self.machines().into_iter().filter(|worker| worker.state == "running").collect()
    }

    /// Ticks until something holds.
    pub(crate) async fn until(&self, what: &str, most: u32, holds: impl Fn(&Self) -> bool) {
        for _ in 0..most {
            if holds(self) {
                return;
            }
            self.tick().await;
        }
        assert!(holds(self), "{what}: not within {most} ticks: {:?}", self.machines());
    }

    /// The first worker, which there has to be, and a deployment without pods that ask for so much each.
    pub(crate) async fn begin(&self, cpu: &str) {
        self.deploy(cpu);
        self.until("the least number of workers", 12, |house| house.running().len() == 1).await;
    }

    pub(crate) fn nodes(&self) -> usize {
        self.server.objects("v1", "Node").len()
    }

    /// Pods of the deployment.
    pub(crate) async fn scale(&self, replicas: u32) {
        use kube::api::{Api, Patch, PatchParams};
        let all: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(self.server.client());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        all.patch("web", &PatchParams::default(), &patch).await.unwrap();
    }

    fn deploy(&self, cpu: &str) {
        let containers =
            json!([{"name": "c", "image": "none.invalid/x", "resources": {"requests": {"cpu": cpu}}}]);
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": containers, "terminationGracePeriodSeconds": 600}}},
        });
        self.server.create(deployment).unwrap();
    }
}

/// Lets a future take so many steps.
async fn after<F: Future>(mut steps: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        if steps == 0 {
            return Poll::Ready(None);
        }
        steps -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Lets the servers' time follow tokio's.
fn follow(around: &Around) -> tokio::task::JoinHandle<()> {
    let (server, ec2) = (around.server.clone(), around.ec2.clone());
    tokio::spawn(async move {
        let step = Span::from_millis(250);
        loop {
            server.advance(step);
            ec2.service.lock().ahead = server.now().as_millis() - jiff::Timestamp::now().as_millisecond();
            tokio::time::sleep(step.into()).await;
        }
    })
}
