//! A Prometheus of the test's own, with a history that is there from the beginning.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the programs are; `None` if there are none, and then it was said.
pub(crate) struct Programs {
    prometheus: PathBuf,
    pub(crate) promtool: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> Option<Self> {
        let named = std::env::var_os("AUTOSCALE_TEST_PROMETHEUS").map(PathBuf::from);
        let folders: Vec<PathBuf> = match &named {
            Some(path) if path.is_dir() => vec![path.clone()],
            Some(path) => vec![path.parent().unwrap_or(Path::new(".")).to_owned()],
            None => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
        };
        let at = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        match (at("prometheus"), at("promtool")) {
            (Some(prometheus), Some(promtool)) => Some(Self { prometheus, promtool }),
            _ => {
                let how = "set AUTOSCALE_TEST_PROMETHEUS to the folder of `prometheus` and `promtool`, or run .ci/prometheus";
                assert!(std::env::var_os("CI").is_none() && named.is_none(), "there is no Prometheus: {how}");
                // Not through a macro: what those print is kept back while a test passes.
                let _ = writeln!(std::io::stderr(), "SKIPPED: there is no Prometheus on this machine: {how}");
                None
            }
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Samples of gauges with their times, in the form that `promtool` reads.
#[derive(Default)]
pub(crate) struct Samples(String);

impl Samples {
    /// A metric: its series, and for each what it is at a time, from `begin` to `end` every 10 seconds.
    pub(crate) fn add(
        &mut self,
        name: &str,
        series: &[&str],
        (begin, end): (u64, u64),
        value: impl Fn(&str, u64) -> f64,
    ) {
        writeln!(self.0, "# TYPE {name} gauge").unwrap();
        self.more(name, series, (begin, end), value);
    }

    /// More series of the metric that was added last.
    pub(crate) fn more(
        &mut self,
        name: &str,
        series: &[&str],
        (begin, end): (u64, u64),
        value: impl Fn(&str, u64) -> f64,
    ) {
        for labels in series {
            for at in (begin..=end).step_by(10) {
                writeln!(self.0, "{name}{{{labels}}} {} {at}", value(labels, at)).unwrap();
            }
        }
    }
}

/// A running server and its folder; both end with the test.
pub(crate) struct Real {
    child: Child,
    /// Kept until the server has ended.
    _folder: Folder,
    pub(crate) port: u16,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("autoscale-prometheus-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Real {
    /// Starts one with samples that were there before, a configuration, and perhaps one for its web side.
    pub(crate) fn start(
        programs: &Programs,
        folder: Folder,
        samples: &Samples,
        config: &str,
        web: Option<&Path>,
    ) -> Self {
        let data = folder.0.join("data");
        if !samples.0.is_empty() {
            let file = folder.write("samples", &format!("{}# EOF\n", samples.0));
            let made = Command::new(&programs.promtool)
                .args(["tsdb", "create-blocks-from", "openmetrics"])
                .args([&file, &data])
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let config = folder.write("config.yml", config);
        // Between looking for a free port and taking it somebody else may: then another one is tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new(&programs.prometheus);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", data.display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            if let Some(web) = web {
                command.arg(format!("--web.config.file={}", web.display()));
            }
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut all = Vec::new();
            let ready = said.by_ref().map_while(Result::ok).any(|line| {
                all.push(line);
                all.last().is_some_and(|line| line.contains("Server is ready to receive web requests"))
            });
            if ready {
                // What it says further on is read and dropped, or it would stop at a full pipe.
                std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
                return Self { child, _folder: folder, port };
            }
            let _ = child.wait();
            let all = all.join("\n");
            assert!(all.contains("address already in use"), "Prometheus did not start:\n{all}");
        }
        panic!("no free port in five attempts");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
