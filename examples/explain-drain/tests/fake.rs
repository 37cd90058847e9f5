//! The program as it is run, against an API server in memory that it reaches by a kubeconfig.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::process::Output;

use autoscale_core::words::Span;
use autoscale_kube::fake::{ApiServer, NodeSpec, ServeOptions, Serving};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A server, and a kubeconfig that leads to it.
struct Scene {
    server: ApiServer,
    _serving: Serving,
    folder: PathBuf,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Scene {
    async fn new(name: &str) -> Self {
        let server = ApiServer::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = server.serve(listener, ServeOptions::default()).unwrap();
        let folder = std::env::temp_dir().join(format!("explain-drain-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = serving.url();
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             clusters: [{{name: here, cluster: {{server: \"{url}\"}}}}, {{name: gone, cluster: {{server: \"http://127.0.0.1:1\"}}}}]\n\
             users: [{{name: me, user: {{}}}}]\n\
             contexts: [{{name: here, context: {{cluster: here, user: me}}}}, {{name: gone, context: {{cluster: gone, user: me}}}}]\n"
        );
        std::fs::write(folder.join("kubeconfig"), config).unwrap();
        Self { server, _serving: serving, folder }
    }

    /// A node of pool `web`; then whatever waits has been placed.
    fn add_node(&self, spec: NodeSpec) {
        self.server.add_node(spec.with_zone("a"));
        self.server.advance(Span::from_secs(30));
    }

    /// Two movable pods on `w1`, one without a controller on `w2`, nothing on `w3`; a control plane, and a node of no pool.
    fn furnish(&self) {
        let web = |name: &str| NodeSpec::new(name).with_label("autoscale.local/pool", "web");
        let container = json!({"name": "c", "image": "x", "resources": {"requests": {"cpu": "10m"}}});
        let template = json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}});
        self.server
            .create(json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "shop", "namespace": "default"},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": template},
            }))
            .unwrap();
        self.add_node(web("w1"));
        let spec = json!({"nodeSelector": {"kubernetes.io/hostname": "w2"}, "containers": [container]});
        let metadata = json!({"name": "lonely", "namespace": "default"});
        self.server
            .create(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
            .unwrap();
        self.add_node(web("w2").with_label("kubernetes.io/hostname", "w2"));
        self.add_node(web("w3"));
        self.add_node(NodeSpec::new("cp").with_label("node-role.kubernetes.io/control-plane", ""));
        self.add_node(NodeSpec::new("loose"));
    }

    async fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_explain-drain"));
        command.args(args).env("KUBECONFIG", self.folder.join("kubeconfig"));
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// Each node with its place among those that may go, else the codes of its reasons.
    async fn verdicts(&self, args: &[&str]) -> Vec<String> {
        let (code, out, error) = self.run(&[&["--json"], args].concat()).await;
        assert!(code <= 1, "{error}");
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["complete"], true);
        let one = |node: &Value| {
            assert_eq!(node["may_go"].as_bool().unwrap(), node["order"].is_u64());
            assert_eq!(node["may_go"].as_bool().unwrap(), node["held"].as_array().unwrap().is_empty());
            let held = node["held"].as_array().unwrap().iter().map(|held| held["code"].as_str().unwrap());
            let why =
                node["order"].as_u64().map_or(held.collect::<Vec<_>>().join(","), |order| order.to_string());
            format!("{} {why}", node["node"].as_str().unwrap())
        };
        value["nodes"].as_array().unwrap().iter().map(one).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_has_a_verdict() {
    let scene = Scene::new("verdicts").await;
    scene.furnish();
    let young = [
        "cp control_plane",
        "loose no_pool",
        "w1 just_launched",
        "w2 just_launched,no_controller",
        "w3 just_launched",
    ];
    assert_eq!(scene.verdicts(&[]).await, young);
    scene.server.advance(Span::from_mins(11));
    let old = ["cp control_plane", "loose no_pool", "w1 2", "w2 no_controller", "w3 1"];
    assert_eq!(scene.verdicts(&[]).await, old);
    let other = ["cp control_plane", "loose no_pool", "w1 no_pool", "w2 no_pool", "w3 no_pool"];
    assert_eq!(scene.verdicts(&["--pool-label", "example.org/group"]).await, other);

    let (code, table, error) = scene.run(&[]).await;
    assert_eq!((code, error.as_str()), (0, ""));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[0].starts_with("NODE   POOL  ZONE  MAY GO  WHY NOT"), "{table}");
    assert!(
        lines[4].starts_with("w2     web   a     no      ") && lines[4].contains("default/lonely"),
        "{table}"
    );
    assert_eq!(lines[5], "w3     web   a     1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_label_is_said_and_owners_are_trusted_by_name() {
    let scene = Scene::new("odd").await;
    scene.furnish();
    scene.add_node(NodeSpec::new("odd").with_label("autoscale.local/pool", "Workers_A"));
    let owner = json!({"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "name": "c", "uid": "u", "controller": true});
    let metadata = json!({"name": "cloned", "namespace": "default", "ownerReferences": [owner]});
    let spec = json!({"nodeName": "w3", "containers": [{"name": "c", "image": "x"}]});
    scene
        .server
        .create(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
        .unwrap();
    scene.server.advance(Span::from_mins(11));
    let (_, table, error) = scene.run(&[]).await;
    assert!(table.contains("its pool \"Workers_A\" is no name of a pool"), "{table} {error}");
    let of_w3 = async |args: &[&str]| {
        let all = scene.verdicts(args).await;
        all.into_iter().find(|verdict| verdict.starts_with("w3 ")).unwrap()
    };
    assert_eq!(of_w3(&[]).await, "w3 unjudged");
    assert_eq!(of_w3(&["--trusted-owner", "Workflow.argoproj.io"]).await, "w3 unjudged");
    let both = ["--trusted-owner", "Workflow.argoproj.io,CloneSet.apps.kruise.io"];
    assert!(!of_w3(&both).await.contains("unjudged"));
    let (code, _, error) = scene.run(&["--trusted-owner", "apps.kruise.io/v1"]).await;
    assert!(code == 2 && error.contains("such as CloneSet.apps.kruise.io"), "{code} {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_answers_for_the_nodes_that_were_named() {
    let scene = Scene::new("codes").await;
    scene.furnish();
    scene.server.advance(Span::from_mins(11));
    for (args, expected, nodes) in [
        (&["w3"][..], 0, 1),
        (&["w1", "w3"], 0, 2),
        (&["w2"], 1, 1),
        (&["w3", "loose"], 1, 2),
        (&[], 0, 5),
        (&["nowhere"], 2, 0),
        (&["--context", "gone"], 2, 0),
        (&["--context", "nowhere"], 2, 0),
        (&["--policy", "no-such-file.yaml"], 2, 0),
        (&["--policy", "policy"], 2, 0),
        (&["--wrong"], 2, 0),
    ] {
        let (code, out, error) = scene.run(args).await;
        assert_eq!(code, expected, "{args:?}: {out}{error}");
        assert_eq!(out.lines().count().saturating_sub(1), nodes, "{args:?}: {out}");
        assert_eq!(error.is_empty(), code < 2, "{args:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_are_those_of_the_policy() {
    let scene = Scene::new("policy").await;
    scene.furnish();
    scene.server.advance(Span::from_mins(11));
    let policy = |name: &str, bare: &str| {
        let path = scene.folder.join(format!("{bare}.yaml"));
        let text = format!(
            "version: 1\ncluster: shop\npools:\n  {name}:\n    zones: [a]\n    shape: {{name: m, cpu: 4, memory: 16Gi, pods: 110}}\n    bare_pods: {bare}\n"
        );
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let verdicts = scene.verdicts(&["w2", "--policy", &policy("web", "evict")]).await;
    assert!(!verdicts[0].contains("no_controller"), "{verdicts:?}");
    assert_eq!(scene.verdicts(&["w2", "--policy", &policy("web", "hold")]).await, ["w2 no_controller"]);
    assert_eq!(scene.verdicts(&["w2", "--policy", &policy("db", "hold")]).await, ["w2 no_pool"]);
    let (code, _, error) = scene.run(&["--policy", &policy("web", "perhaps")]).await;
    assert!(code == 2 && error.contains("bare_pods") && error.contains("expected"), "{error}");
}

/// Whatever it is asked, it only looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_changes_nothing() {
    let scene = Scene::new("reads").await;
    scene.furnish();
    scene.server.clear_log();
    scene.run(&[]).await;
    let log = scene.server.log();
    assert!(log.len() >= 3, "{log:?}");
    let odd = log.iter().find(|entry| !matches!(entry.verb.as_str(), "get" | "list"));
    assert_eq!(odd, None);
}
