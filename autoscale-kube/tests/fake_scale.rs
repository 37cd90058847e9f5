//! The fake server with as many nodes and pods as a large cluster has.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::time::Instant;

use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, Permission};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};

/// Reads all pods page by page; how many, and how many of them run.
async fn read(pods: &Api<Pod>) -> (usize, usize) {
    let (mut all, mut running, mut params) = (0, 0, ListParams::default().limit(500));
    loop {
        let page = pods.list(&params).await.unwrap();
        all += page.items.len();
        let runs = |pod: &&Pod| pod.status.as_ref().unwrap().phase.as_deref() == Some("Running");
        running += page.iter().filter(runs).count();
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return (all, running),
        }
    }
}

async fn live(nodes: usize) {
    let start = Instant::now();
    let server = ApiServer::with_workloads(nodes, false).unwrap();
    let filled = start.elapsed();
    let pods: Api<Pod> = Api::all(server.client());
    assert_eq!(read(&pods).await, (nodes * 30, nodes * 30));
    let listed = start.elapsed() - filled;
    let counts = server.counts()[&Permission::new("list", "", "pods")];
    assert_eq!(counts.requests as usize, (nodes * 30).div_ceil(500));
    // A node at a time is not worth the pods of all others.
    let api: Api<Node> = Api::all(server.client());
    for at in 0..20 {
        let name = format!("n{at:05}");
        api.cordon(&name).await.unwrap();
        let on = pods.list(&ListParams::default().fields(&format!("spec.nodeName={name}"))).await.unwrap();
        let here: Api<Pod> = Api::default_namespaced(server.client());
        for pod in &on {
            here.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await.unwrap();
        }
        api.delete(&name, &DeleteParams::default()).await.unwrap();
    }
    server.advance(Span::from_secs(10));
    let drained = start.elapsed() - listed - filled;
    assert_eq!(read(&pods).await, (nodes * 30, nodes * 30));
    eprintln!(
        "{nodes} nodes, {} pods, {} MB: filled in {filled:?}, listed in {listed:?}, twenty nodes drained in {drained:?}",
        nodes * 30,
        counts.bytes >> 20
    );
}

#[tokio::test]
async fn a_cluster_of_two_hundred_nodes_lives() {
    live(200).await;
}

/// Minutes without optimisation: `cargo test --release -p autoscale-kube --all-features --test fake_scale -- --ignored`.
#[tokio::test]
#[ignore = "takes minutes and gigabytes"]
async fn a_cluster_of_five_thousand_nodes_lives() {
    live(5_000).await;
}
