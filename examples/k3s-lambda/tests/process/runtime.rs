//! Lambda's runtime API, and the process that asks it.

use std::ffi::OsString;
use std::io::Read;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use crate::http::{Asked, Reply, Server, Told, reply, serve};

/// Nothing here takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a process says.
#[derive(Debug)]
pub(crate) enum Said {
    /// It waits for an event.
    Ready,
    /// An answer.
    Answer(Value),
    /// An invocation failed.
    Failed(Value),
}

/// The API, for one process.
pub(crate) struct Runtime {
    events: mpsc::UnboundedSender<(Value, Duration)>,
    said: mpsc::UnboundedReceiver<Said>,
    server: Server,
}

impl Runtime {
    pub(crate) async fn new() -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let (tell, said) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let answer = move |request| {
            let (queue, tell) = (queue.clone(), tell.clone());
            async move { deal(request, &queue, &tell).await }
        };
        Self { events, said, server: serve(Ipv4Addr::LOCALHOST.into(), None, answer).await }
    }

    /// What it says next.
    pub(crate) async fn next(&mut self) -> Said {
        tokio::time::timeout(PATIENCE, self.said.recv()).await.expect("it says nothing").unwrap()
    }

    /// Hands out an event, which is to be dealt with in that time.
    pub(crate) fn send(&self, event: Value, left: Duration) {
        self.events.send((event, left)).unwrap();
    }

    /// Hands out an event and waits for what becomes of it, and until the next one is asked for.
    pub(crate) async fn invoke(&mut self, event: Value) -> Result<Value, Value> {
        self.send(event, Duration::from_secs(50));
        let told = match self.next().await {
            Said::Answer(answer) => Ok(answer),
            Said::Failed(why) => Err(why),
            Said::Ready => panic!("it asks for an event while it has one"),
        };
        assert!(matches!(self.next().await, Said::Ready));
        told
    }
}

async fn deal(
    asked: Asked,
    queue: &Mutex<mpsc::UnboundedReceiver<(Value, Duration)>>,
    tell: &mpsc::UnboundedSender<Said>,
) -> Reply {
    let path = asked.path().to_owned();
    let body = || serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
    if path == "/2018-06-01/runtime/invocation/next" {
        tell.send(Said::Ready).ok()?;
        let (event, left) = queue.lock().await.recv().await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let headers = [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
            ("lambda-runtime-deadline-ms", (now + left).as_millis().to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-central-1:111122223333:function:shop-autoscaler".to_owned(),
            ),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        return Some(Told { code: 200, headers, body: event.to_string() });
    }
    let said = match path.rsplit('/').next() {
        Some("response") => Said::Answer(body()),
        Some("error") => Said::Failed(body()),
        _ => return reply(404, path),
    };
    tell.send(said).ok()?;
    reply(202, r#"{"status":"OK"}"#)
}

/// The process.
pub(crate) struct Process {
    pub(crate) runtime: Runtime,
    child: Child,
    out: Option<[JoinHandle<String>; 2]>,
    /// From its start until it waited for the first event.
    pub(crate) cold: Duration,
}

/// The program: that which `AUTOSCALE_TEST_BOOTSTRAP` names, one that was built with `--release`, or else the one built with this test.
pub(crate) fn bootstrap() -> OsString {
    std::env::var_os("AUTOSCALE_TEST_BOOTSTRAP").unwrap_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into())
}

/// Whether the program was built with `--release`.
pub(crate) fn is_release() -> bool {
    !cfg!(debug_assertions) || std::env::var_os("AUTOSCALE_TEST_BOOTSTRAP").is_some()
}

/// The program with these variables and no others.
pub(crate) fn program(variables: impl IntoIterator<Item = (String, String)>) -> Command {
    let mut command = Command::new(bootstrap());
    command.env_clear().envs(variables).stdin(Stdio::null());
    command
}

impl Process {
    /// Starts it and waits until it asks for an event.
    pub(crate) async fn start(variables: &[(String, String)]) -> Self {
        let runtime = Runtime::new().await;
        let own = [
            ("AWS_LAMBDA_RUNTIME_API", runtime.server.at.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "shop-autoscaler".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]0123456789abcdef".to_owned()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let begun = Instant::now();
        let mut command = program(variables.iter().cloned().chain(own));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let out = Some([std::thread::spawn(|| whole(stdout)), std::thread::spawn(|| whole(stderr))]);
        let mut process = Self { runtime, child, out, cold: Duration::ZERO };
        let first = process.runtime.next().await;
        assert!(matches!(first, Said::Ready), "{first:?}");
        process.cold = begun.elapsed();
        process
    }

    /// The most memory that it has had, in KiB, as the kernel counts it.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }

    /// Ends it as the time limit does, and gives what it has written.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        let [stdout, stderr] = self.out.take().unwrap();
        format!("{}{}", stdout.join().unwrap(), stderr.join().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn whole(mut from: impl Read) -> String {
    let mut text = Vec::new();
    from.read_to_end(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}
