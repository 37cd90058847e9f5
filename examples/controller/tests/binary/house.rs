//! A server on loopback, a kubeconfig, a policy, and the program started with them.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use autoscale_core::words::Timestamp;
use autoscale_kube::fake::{ApiServer, ServeOptions, Serving, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// A token that must never be seen anywhere.
pub(crate) const CANARY: &str = "canary-7f3a91";
/// No answer is waited for longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const POLICY: &str = "
version: 1
cluster: shop
tick: { interval: 1s, limit: 60s }
pools:
  web:
    min: 1
    max: 3
    zones: [a]
    shape: { name: m, cpu: 2, memory: 8Gi, pods: 110 }
";

pub(crate) struct House {
    pub(crate) server: ApiServer,
    pub(crate) folder: PathBuf,
    _serving: Serving,
}

impl House {
    /// `speed`: how many milliseconds pass in the cluster in one of ours.
    pub(crate) async fn new(name: &str, speed: u32) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap());
        let server = ApiServer::new(Settings::default().with_start(now));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "autoscale"}});
        server.create(namespace).unwrap();
        server.add_token(CANARY, "admin");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ServeOptions::default().with_user(None).with_speed(speed);
        let serving = server.serve(listener, options).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("house-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let _ = std::fs::remove_file(folder.join("audit.log"));
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": serving.url()}}],
            "users": [{"name": "me", "user": {"token": CANARY}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "autoscale"}}],
        });
        std::fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
        std::fs::write(folder.join("policy.yaml"), POLICY).unwrap();
        Self { server, folder, _serving: serving }
    }

    /// The program with a policy and a provider, and nothing of this process's environment that it might read.
    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_controller"));
        command.env_clear().env("KUBECONFIG", self.folder.join("kubeconfig")).current_dir(&self.folder);
        command.env("AUTOSCALE_POLICY", "policy.yaml").env("AUTOSCALE_PROVIDER", "sim");
        command.env("AUTOSCALE_SIM_BOOT", "1s").args(args).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        let output = self.program(args).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap();
        for text in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(text).contains(CANARY), "a secret was printed");
        }
        output
    }

    pub(crate) fn record(&self) -> Option<Value> {
        let lease = self.server.object("coordination.k8s.io/v1", "Lease", "autoscale", "autoscale")?;
        let record = lease.pointer("/metadata/annotations/autoscale.local~1record")?.as_str()?.to_owned();
        Some(serde_json::from_str(&record).unwrap())
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A program that stays up.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) logs: tokio::task::JoinHandle<Vec<Value>>,
}

impl Running {
    /// Starts it, and waits until it says where it listens.
    pub(crate) async fn start(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut logs: Vec<Value> = Vec::new();
        let address = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it begins").unwrap();
            let line = line.expect("it begins before it ends");
            let log: Value = serde_json::from_str(&line).expect("every line of a log is JSON");
            let address = log["listening"].as_str().map(str::to_owned);
            logs.push(log);
            if let Some(address) = address {
                break address;
            }
        };
        let logs = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                assert!(!line.contains(CANARY), "a secret was logged");
                logs.push(serde_json::from_str(&line).expect("every line of a log is JSON"));
            }
            logs
        });
        Self { child, address, logs }
    }

    /// One request over a connection of its own: code and body.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        self.send(&format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }

    pub(crate) async fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A request that is refused early may end in a reset; what came before counts.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(CANARY), "a secret was shown");
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (code, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// Asks again and again until an answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(u16, &str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let (code, body) = self.ask("GET", path).await;
            if wanted(code, &body) {
                return body;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} never answered as wanted: {code} {body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
