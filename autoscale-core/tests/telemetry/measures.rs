//! Metrics: every documented one is recorded and none beside, their values are true, and no label names a node.

use std::collections::BTreeSet;

use autoscale_core::data::view::Ownership;
use autoscale_core::driver::measures::{ALL, Kind};
use autoscale_core::driver::{Driver, MetricsObserver, Report, Trigger};
use autoscale_core::logic::Operation;
use autoscale_core::memory::{Workload, block_on};
use autoscale_core::words::Span;

use crate::book::Book;
use crate::shop::{Down, Shop};

/// A shop whose reports are observed.
struct Watched {
    shop: Shop,
    observer: MetricsObserver,
    book: Book,
    /// Every name that a label must not be.
    names: BTreeSet<String>,
}

impl Watched {
    fn open() -> Self {
        Self::over(Shop::open())
    }

    fn over(shop: Shop) -> Self {
        let book = Book::default();
        let cluster = shop.driver.policy().cluster().clone();
        let observer = metrics::with_local_recorder(&book, || MetricsObserver::new(&cluster));
        Self { shop, observer, book, names: BTreeSet::new() }
    }

    fn observe(&mut self, report: &Report) {
        metrics::with_local_recorder(&self.book, || self.observer.observe(report));
        for instance in self.shop.world.lock().list().instances {
            self.names.insert(instance.id.to_string());
            self.names.extend(instance.token.map(|token| token.to_string()));
        }
        self.names.extend(self.shop.world.lock().serving().iter().map(ToString::to_string));
    }

    fn tick(&mut self) {
        let report = self.shop.tick();
        self.observe(&report);
    }

    /// Ticks every two minutes.
    fn ticks(&mut self, times: usize) {
        for _ in 0..times {
            self.tick();
            self.shop.wait(2);
        }
    }

    /// One tick of another driver.
    fn tick_of(&mut self, driver: &Driver) {
        let report = block_on(driver.tick(&Trigger::Schedule));
        self.observe(&report);
    }

    fn get(&self, name: &str, labels: &[&str]) -> f64 {
        self.book.get(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?}"))
    }
}

#[test]
fn nodes_are_counted_as_they_are() {
    let mut watched = Watched::open();
    watched.tick();
    let book = watched.book.clone();
    let labels = |zone, phase| ["pool=web", "purchase=on_demand", zone, phase];
    let nodes = |zone, phase| book.get("autoscale_nodes", &labels(zone, phase));
    assert_eq!(nodes("zone=a", "phase=ready"), Some(2.0));
    assert_eq!(nodes("zone=b", "phase=ready"), Some(1.0));
    assert_eq!(book.sum("autoscale_nodes", &[]), 3.0, "the control plane is no worker");
    assert_eq!(watched.get("autoscale_instances", &["pool=web", "state=serving"]), 3.0);

    let in_b = {
        let mut world = watched.shop.world.lock();
        let listed = world.list().instances.into_iter();
        let is_in_b = |zone: Option<&str>| zone == Some("b");
        let worker = |ownership| ownership == Ownership::Ours;
        listed
            .filter(|i| worker(i.ownership))
            .find(|i| is_in_b(i.zone.as_ref().map(|z| z.as_str())))
            .unwrap()
            .id
    };
    watched.shop.world.lock().kill(&in_b);
    watched.shop.wait(1);
    let alive = watched.shop.world.lock().alive().len() as f64;
    watched.tick();
    assert_eq!(nodes("zone=b", "phase=ready"), Some(0.0), "what is gone stands at zero");
    assert_eq!(book.sum("autoscale_nodes", &[]) - book.sum("autoscale_nodes", &["phase=ending"]), alive);
}

#[test]
fn launches_are_counted_by_their_result() {
    let mut watched = Watched::open();
    watched.shop.has_no_spot();
    watched.shop.uses(5_000);
    watched.shop.wait(2);
    watched.tick();
    let launches = |purchase, result| ["pool=web", purchase, result].map(str::to_owned);
    let get = |labels: [String; 3]| {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        watched.book.get("autoscale_launches_total", &labels)
    };
    assert_eq!(get(launches("purchase=on_demand", "result=done")), Some(1.0));
    let refused = get(launches("purchase=spot", "result=no_capacity")).unwrap();
    assert!(refused >= 1.0);
    assert_eq!(get(launches("purchase=spot", "result=done")), None);
    assert_eq!(watched.get("autoscale_backoffs", &["pool=web", "kind=offering"]), refused);
    assert_eq!(watched.get("autoscale_effects_total", &["pool=web", "effect=launch", "result=done"]), 1.0);
    let scaled = ["pool=web", "action=launch", "reason=scale"];
    assert_eq!(watched.get("autoscale_decisions_total", &scaled), 1.0, "one decision, several attempts");
    assert_eq!(watched.get("autoscale_operations", &["pool=web", "kind=launch", "state=launched"]), 1.0);
    assert_eq!(watched.get("autoscale_wanted_nodes", &["pool=web"]), 4.0);
    watched.shop.wait(5);
    watched.tick();
    assert_eq!(watched.get("autoscale_operations", &["pool=web", "kind=launch", "state=launched"]), 0.0);
}

#[test]
fn a_signal_that_is_missing_grows_older() {
    let mut watched = Watched::open();
    let cpu = ["pool=web", "signal=cpu"];
    watched.tick();
    assert_eq!(watched.get("autoscale_signal_missing", &cpu), 0.0);
    let age = watched.get("autoscale_signal_age_seconds", &cpu);
    watched.shop.world.lock().silence_metrics(Span::from_mins(30));
    watched.shop.wait(10);
    watched.tick();
    assert_eq!(watched.get("autoscale_signal_missing", &cpu), 1.0);
    assert_eq!(watched.get("autoscale_signal_age_seconds", &cpu), age + 600.0);
    watched.shop.wait(25);
    watched.tick();
    assert_eq!(watched.get("autoscale_signal_missing", &cpu), 0.0);
    assert!(watched.get("autoscale_signal_age_seconds", &cpu) < 120.0);
}

#[test]
fn what_is_wanted_is_told_with_and_without_limits() {
    let mut watched = Watched::over(Shop::with_max(3));
    let wanted = |watched: &Watched| {
        ["autoscale_wanted_nodes", "autoscale_wanted_nodes_raw"].map(|name| watched.get(name, &["pool=web"]))
    };
    watched.tick();
    assert_eq!(wanted(&watched), [3.0, 3.0]);
    watched.shop.uses(5_000);
    watched.shop.wait(2);
    watched.tick();
    assert_eq!(wanted(&watched), [3.0, 4.0]);
    assert_eq!(watched.get("autoscale_decisions_total", &["pool=web", "action=hold", "reason=at_max"]), 1.0);
    let waits = Workload::new("more", 16, 700, 64 << 20);
    watched.shop.world.lock().add_workload(waits);
    watched.ticks(3);
    assert_eq!(watched.get("autoscale_pending_pods", &["pool=web"]), 16.0);
    assert_eq!(wanted(&watched), [3.0, 11.0], "two pods of 700m on each node of 2,000m");
}

#[test]
fn a_drain_can_be_followed() {
    let mut watched = Watched::open();
    let kept = watched.shop.world.lock().alive()[0].clone();
    {
        let mut world = watched.shop.world.lock();
        world.set_protected(&kept, true);
        world.set_replicas(watched.shop.api, 10);
        world.settings_mut().pod_grace = (Span::from_secs(40), Span::from_secs(50));
    }
    watched.shop.uses(300);
    let drains = |watched: &Watched| watched.book.sum("autoscale_drains", &[]);
    for _ in 0..10 {
        watched.shop.wait(2);
        watched.tick();
        if drains(&watched) > 0.0 {
            break;
        }
    }
    assert_eq!(watched.get("autoscale_drains", &["pool=web", "state=cordoned"]), 1.0);
    assert_eq!(watched.get("autoscale_operations", &["pool=web", "kind=remove", "state=cordoned"]), 1.0);
    assert_eq!(watched.book.sum("autoscale_nodes", &["phase=cordoned"]), 1.0);
    assert_eq!(watched.get("autoscale_instances", &["pool=web", "state=leaving"]), 1.0);
    assert_eq!(watched.get("autoscale_wanted_nodes", &["pool=web"]), 2.0);
    assert_eq!(watched.get("autoscale_decisions_total", &["pool=web", "action=remove", "reason=idle"]), 1.0);
    assert_eq!(watched.get("autoscale_removals_blocked", &["pool=web", "reason=protected"]), 1.0);
    assert!(watched.get("autoscale_evictions_total", &["pool=web", "result=accepted"]) >= 3.0);
    watched.shop.wait(2);
    watched.ticks(2);
    assert_eq!((drains(&watched), watched.book.sum("autoscale_nodes", &["phase=cordoned"])), (0.0, 0.0));
    assert_eq!(watched.get("autoscale_removals_blocked", &["pool=web", "reason=protected"]), 0.0);
}

/// Everything that the shop can live through, in one book.
fn a_hard_month() -> Watched {
    let mut watched = Watched::open();
    // Rebuilt over running instances: silent for a while.
    let rebuilt = Driver::new(watched.shop.driver.policy().clone(), watched.shop.world.ports());
    watched.tick_of(&rebuilt);
    assert!(watched.get("autoscale_quiet_seconds", &[]) > 0.0);
    watched.shop.wait(10);
    // More load, no spot; then little load, and a node that may not go.
    watched.shop.has_no_spot();
    watched.shop.uses(5_000);
    watched.ticks(6);
    watched.shop.world.lock().add_workload(Workload::new("side", 3, 400, 64 << 20));
    watched.shop.wait(1);
    let kept = watched.shop.world.lock().alive()[0].clone();
    watched.shop.world.lock().set_protected(&kept, true);
    watched.shop.uses(300);
    watched.shop.world.lock().set_replicas(watched.shop.api, 12);
    watched.shop.world.lock().settings_mut().pod_grace = (Span::from_secs(40), Span::from_secs(50));
    let mut died = false;
    for _ in 0..20 {
        watched.shop.wait(2);
        died = watched.shop.dies();
        if died {
            break;
        }
    }

    assert!(died, "it waits between two rounds of a drain");
    watched.tick();
    assert_eq!(watched.get("autoscale_lock_held", &[]), 1.0, "the dead one's lease");
    assert_eq!(watched.get("autoscale_ticks_total", &["ended=busy"]), 1.0);
    watched.ticks(10);
    assert_eq!(watched.get("autoscale_lock_held", &[]), 0.0);
    // An interruption, a pause, a store that is down, somebody else's record.
    watched.shop.world.lock().interrupt(&kept);
    let notices = Trigger::Notices(watched.shop.world.lock().take_notices());
    let report = block_on(watched.shop.driver.tick(&notices));
    watched.observe(&report);
    let pause = Operation::Pause { who: "ann".into(), why: "upgrade".into(), lasting: None };
    block_on(watched.shop.driver.operate(&pause)).unwrap();
    watched.tick();
    assert_eq!(watched.get("autoscale_paused", &[]), 1.0);
    let down = watched.shop.with_store(Down);
    watched.tick_of(&down);
    assert_eq!(watched.get("autoscale_ticks_total", &["ended=no_authority"]), 1.0);
    let foreign = Driver::new(watched.shop.driver.policy().clone(), watched.shop.world.ports());
    watched.tick_of(&foreign.with_scope("elsewhere"));
    assert_eq!(watched.get("autoscale_halted", &[]), 1.0);
    watched.tick();
    assert_eq!(watched.get("autoscale_halted", &[]), 0.0);
    watched
}

#[test]
fn every_documented_metric_is_recorded_and_none_beside() {
    let watched = a_hard_month();
    let kind = |kind| match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        _ => panic!("a kind that this test does not know"),
    };
    let sorted = |labels: &[&str]| {
        let mut labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        labels.sort();
        labels
    };
    let documented: BTreeSet<_> =
        ALL.iter().map(|m| (m.name.to_owned(), kind(m.kind), sorted(m.labels))).collect();
    assert_eq!(watched.book.names(), documented);
    let described = watched.book.described();
    for metric in ALL {
        assert_eq!(described[metric.name], (Some(metric.unit), metric.help.to_owned()));
    }
    assert_eq!(described.len(), ALL.len());
}

#[test]
fn every_counter_but_of_holds_begins_at_zero() {
    let counted = a_hard_month().book.counters();
    let Watched { shop, observer, book, .. } = Watched::open();
    metrics::with_local_recorder(&book, || observer.begin(shop.driver.policy()));
    let begun = book.counters();
    assert!(begun.iter().all(|(name, labels)| {
        book.get(name, &labels.iter().map(String::as_str).collect::<Vec<_>>()) == Some(0.0)
    }));
    let hold = |labels: &[String]| labels.iter().any(|label| label == "action=hold");
    let (known, unknown): (Vec<_>, Vec<_>) =
        counted.into_iter().filter(|(_, labels)| !hold(labels)).partition(|counter| begun.contains(counter));
    assert!(known.len() > 15 && unknown.is_empty(), "{} counters, and {unknown:?}", known.len());
}

#[test]
fn no_label_names_a_node_an_instance_or_a_token() {
    let watched = a_hard_month();
    assert!(watched.names.len() > 6, "{:?}", watched.names);
    for (key, value) in watched.book.labels() {
        let named = watched.names.iter().find(|name| value.contains(name.as_str()));
        assert_eq!(named, None, "{key}={value}");
        let plain = value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
        assert!(plain && value.len() < 64, "{key}={value} is not a code");
    }
}

#[test]
fn the_table_in_the_documentation_is_the_catalogue() {
    let documented = include_str!("../../src/driver/measures/mod.rs").lines();
    let rows = documented.filter_map(|line| line.strip_prefix("//! | `autoscale_"));
    let rows: Vec<Vec<String>> = rows
        .map(|row| {
            format!("autoscale_{row}")
                .split('|')
                .map(|cell| cell.replace('`', "").trim().to_owned())
                .collect()
        })
        .collect();
    let catalogue: Vec<Vec<String>> = ALL
        .iter()
        .map(|metric| {
            let kind = format!("{:?}", metric.kind).to_lowercase();
            vec![
                metric.name.to_owned(),
                kind,
                metric.labels.join(", "),
                metric.help.to_owned(),
                String::new(),
            ]
        })
        .collect();
    assert_eq!(rows, catalogue);
}

#[test]
fn what_was_not_seen_stays_as_it_was() {
    let mut watched = Watched::open();
    watched.tick();
    let mut report = watched.shop.tick();
    let round = report.rounds.last_mut().unwrap();
    let unseen = autoscale_core::data::view::Seen::Unknown { why: "throttled".to_owned() };
    let cluster = autoscale_core::data::view::Seen::Unknown { why: "down".to_owned() };
    round.view = autoscale_core::data::view::View::new(round.view.now(), unseen, cluster, Vec::new());
    watched.observe(&report);
    assert_eq!(watched.book.sum("autoscale_nodes", &[]), 3.0);
    assert_eq!(watched.get("autoscale_wanted_nodes", &["pool=web"]), 3.0);
    assert_eq!(watched.get("autoscale_seen", &["what=instances"]), 0.0);
    assert_eq!(watched.get("autoscale_seen", &["what=cluster"]), 0.0);
}
