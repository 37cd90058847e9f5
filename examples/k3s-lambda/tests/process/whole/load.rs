//! How busy machines are: a page of their CPU time, which a real Prometheus reads every second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::http::{Asked, Server, Told, serve};
use crate::prometheus_real::{Folder, Programs, Real, Samples};

/// The password of the test, and what bcrypt makes of it.
pub(crate) const PASSWORD: &str = "made for the test";
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuumg5zFmLW2ZGetu4QzNx8vggp3hLXwG";

/// So much faster does time go on machines from one turn to the next: what was before hardly counts in an average.
const FASTER: f64 = 100.0;

struct Machines {
    /// Idle and busy seconds of each.
    spent: BTreeMap<String, (f64, f64)>,
    busy: f64,
    speed: f64,
    at: Instant,
}

impl Machines {
    fn go_on(&mut self) {
        let passed = self.at.elapsed().as_secs_f64() * self.speed;
        self.at = Instant::now();
        for (idle, busy) in self.spent.values_mut() {
            *idle += passed * (1.0 - self.busy);
            *busy += passed * self.busy;
        }
    }

    fn page(&mut self) -> String {
        self.go_on();
        let mut page = "# TYPE node_cpu_seconds_total counter\n".to_owned();
        for (name, (idle, busy)) in &self.spent {
            for (mode, seconds) in [("idle", idle), ("user", busy)] {
                let labels = format!("cpu=\"0\",mode=\"{mode}\",node=\"{name}\",pool=\"workers\"");
                writeln!(page, "node_cpu_seconds_total{{{labels}}} {seconds}").unwrap();
            }
        }
        page
    }
}

/// The machines' load. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Load(Arc<Mutex<Machines>>);

impl Load {
    pub(crate) fn new() -> Self {
        let machines = Machines { spent: BTreeMap::new(), busy: 0.5, speed: 1.0, at: Instant::now() };
        Self(Arc::new(Mutex::new(machines)))
    }

    /// From now on all machines are so busy, in percent.
    pub(crate) fn turn(&self, percent: u32) {
        let mut machines = self.0.lock().unwrap();
        machines.go_on();
        machines.busy = f64::from(percent) / 100.0;
        machines.speed *= FASTER;
    }

    /// These machines run.
    pub(crate) fn run(&self, names: &[String]) {
        let mut machines = self.0.lock().unwrap();
        machines.go_on();
        machines.spent.retain(|name, _| names.contains(name));
        for name in names {
            machines.spent.entry(name.clone()).or_default();
        }
    }

    pub(crate) async fn serve(&self) -> Server {
        let load = self.clone();
        let answer = move |_: Asked| {
            let page = load.0.lock().unwrap().page();
            let headers = vec![("content-type".to_owned(), "text/plain; version=0.0.4".to_owned())];
            async move { Some(Told { code: 200, headers, body: page }) }
        };
        serve(Ipv4Addr::LOCALHOST.into(), None, answer).await
    }
}

/// A Prometheus that reads the page, and lets nobody in without the login.
pub(crate) fn prometheus(programs: &Programs, page: &Server) -> Real {
    let folder = Folder::new();
    let web = folder.write("web.yml", &format!("basic_auth_users: {{autoscaler: \"{HASH}\"}}\n"));
    let scrape = format!("{{job_name: node, static_configs: [{{targets: [\"{}\"]}}]}}", page.at);
    let config = format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{scrape}]\n");
    Real::start(programs, folder, &Samples::default(), &config, Some(&web))
}
