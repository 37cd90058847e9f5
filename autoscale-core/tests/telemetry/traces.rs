//! Spans and events: every documented one is told, with its fields and its level, and none beside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::driver::traces::{
    ALARM, BUSY, CALL, DECISION, DONE, EFFECT, HALT, HOLD, MAX_TEXT, NO_AUTHORITY, OPERATED, OUTCOME, ROUND,
    STORED, TARGET, TICK, UNSEEN,
};
use autoscale_core::driver::{Driver, Trigger};
use autoscale_core::logic::Operation;
use autoscale_core::memory::{Workload, block_on};
use autoscale_core::ports::MetricsSource;
use autoscale_core::words::Span;

use crate::shop::{Down, Shop};
use crate::tape::{Heard, Tape};

fn named<'a>(heard: &'a [Heard], name: &str) -> Vec<&'a Heard> {
    heard.iter().filter(|heard| heard.name == name).collect()
}

/// A source whose errors are written by somebody else.
#[derive(Debug)]
struct Rude;

const RUDE: &str = "down\n2026-03-02 ERROR all is lost\u{1b}[31m \u{202e}";

#[async_trait]
impl MetricsSource for Rude {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let why = format!("{RUDE}{}", "x".repeat(9_000));
        wanted.iter().map(|query| Sample::new(query.clone(), Reading::Failed { why: why.clone() })).collect()
    }
}

/// Everything that the shop can live through.
fn a_hard_month(tape: &Tape) {
    let shop = Shop::open();
    drop(shop.tick());
    let mut ports = shop.world.ports();
    ports.metrics = Arc::new(Rude);
    drop(block_on(Driver::new(shop.driver.policy().clone(), ports).tick(&Trigger::Schedule)));
    shop.has_no_spot();
    shop.uses(5_000);
    shop.wait(2);
    drop(shop.tick());
    shop.wait(5);
    drop(shop.tick());
    {
        let mut world = shop.world.lock();
        world.add_workload(Workload::new("huge", 1, 90_000, 1 << 40));
        world.add_workload(Workload::new("side", 3, 400, 64 << 20));
        world.settings_mut().pod_grace = (Span::from_secs(40), Span::from_secs(50));
    }
    shop.wait(5);
    drop(shop.tick());
    shop.uses(300);
    shop.world.lock().set_replicas(shop.api, 12);
    let taken = shop.world.lock().alive()[0].clone();
    shop.world.lock().interrupt(&taken);
    let notices = Trigger::Notices(shop.world.lock().take_notices());
    {
        let tick = std::pin::pin!(shop.driver.tick(&notices));
        let waker = std::task::Waker::noop();
        assert!(tick.poll(&mut std::task::Context::from_waker(waker)).is_pending(), "it waits for pods");
        assert_eq!(tape.entered(), 0, "no span stays entered while a tick waits");
    }
    drop(shop.tick());
    shop.wait(2);
    drop(shop.tick());
    let pause = Operation::Pause { who: "ann\nroot".into(), why: "upgrade".into(), lasting: None };
    block_on(shop.driver.operate(&pause)).unwrap();
    block_on(shop.driver.operate(&Operation::Resume)).unwrap();
    block_on(shop.driver.operate(&Operation::Resume)).unwrap_err();
    drop(block_on(shop.with_store(Down).tick(&Trigger::Schedule)));
    let foreign = Driver::new(shop.driver.policy().clone(), shop.world.ports()).with_scope("elsewhere");
    drop(block_on(foreign.tick(&Trigger::Schedule)));
}

/// The rows of the two tables: name, level, fields.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = include_str!("../../src/driver/traces/mod.rs").lines();
    let rows = rows.filter_map(|line| line.strip_prefix("//! | `autoscale."));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let fields = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (format!("autoscale.{}", cells[0].trim_end_matches('`')), (cells[1].to_owned(), fields))
    })
    .collect()
}

#[test]
fn every_documented_name_is_told_with_its_fields_and_none_beside() {
    let heard = Tape::of(a_hard_month);
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let documented = documented();
    for one in &heard {
        assert_eq!(one.target, TARGET);
        let (levels, _) =
            documented.get(&one.name).unwrap_or_else(|| panic!("{} is not documented", one.name));
        let level = one.level.as_str().to_lowercase();
        assert!(levels.contains(&level), "{} at {level}", one.name);
        let mut fields = one.fields.clone();
        if !one.is_span {
            assert_eq!(fields.remove("message"), Some(one.name.clone()));
        }
        told.entry(one.name.clone()).or_default().extend(fields.into_keys());
    }
    let fields: BTreeMap<String, BTreeSet<String>> =
        documented.into_iter().map(|(name, (_, fields))| (name, fields)).collect();
    assert_eq!(told, fields);
    let constants = [
        TICK,
        ROUND,
        CALL,
        UNSEEN,
        HOLD,
        DECISION,
        STORED,
        EFFECT,
        OUTCOME,
        ALARM,
        DONE,
        BUSY,
        NO_AUTHORITY,
        HALT,
        OPERATED,
    ];
    let constants: BTreeSet<String> = constants.into_iter().map(str::to_owned).collect();
    assert_eq!(fields.into_keys().collect::<BTreeSet<String>>(), constants);
}

#[test]
fn everything_stands_in_its_span() {
    for one in Tape::of(a_hard_month) {
        let within: Vec<&str> = one.within.iter().map(String::as_str).collect();
        let expected: &[&[&str]] = match one.name.as_str() {
            TICK | OPERATED => &[&[]],
            ROUND | ALARM | DONE | BUSY | NO_AUTHORITY | HALT => &[&[TICK]],
            // The record is loaded before the first round, and by operators.
            CALL if one.fields["port"] == "store" => &[&[TICK, ROUND], &[TICK], &[]],
            _ => &[&[TICK, ROUND]],
        };
        assert!(expected.contains(&within.as_slice()), "{} within {within:?}", one.name);
    }
}

#[test]
fn what_comes_from_outside_is_one_short_line() {
    let heard = Tape::of(a_hard_month);
    for one in &heard {
        for (key, value) in &one.fields {
            let hidden = value.chars().any(|c| c.is_control() || c == '\u{202e}');
            assert!(!hidden && value.len() < 2 * MAX_TEXT, "{} {key}={value}", one.name);
        }
    }
    let unseen = named(&heard, UNSEEN);
    let signal = unseen.iter().find(|one| one.fields["what"] == "signal").unwrap();
    assert_eq!((signal.fields["pool"].as_str(), signal.fields["signal"].as_str()), ("web", "cpu"));
    let text = &signal.fields["text"];
    assert!(text.starts_with("down\\u{a}2026-03-02 ERROR all is lost\\u{1b}[31m \\u{202e}xxx"), "{text}");
    assert!(text.ends_with("x…"), "{text}");
    assert_eq!(named(&heard, OPERATED)[0].fields["who"], "ann\\u{a}root");
}

#[test]
fn a_launch_can_be_followed() {
    let heard = Tape::of(|_| {
        let shop = Shop::open();
        shop.has_no_spot();
        shop.uses(5_000);
        shop.wait(2);
        drop(shop.tick());
    });
    let field = |name, key: &str| -> Vec<String> {
        named(&heard, name).iter().filter_map(|one| one.fields.get(key).cloned()).collect()
    };
    assert_eq!(field(DECISION, "op"), ["1.0"]);
    assert_eq!(field(DECISION, "action"), ["launch"]);
    assert_eq!(field(DECISION, "reason"), ["scale"]);
    assert_eq!(field(OUTCOME, "result"), ["no_capacity", "no_capacity", "done"]);
    assert_eq!(field(EFFECT, "subject").len(), 3, "three tokens");
    let calls = named(&heard, CALL);
    let launches: Vec<&&Heard> = calls.iter().filter(|call| call.fields["method"] == "launch").collect();
    assert_eq!(launches.len(), 3);
    assert!(launches.iter().all(|call| call.fields["op"] == "1.0" && call.level == tracing::Level::DEBUG));
    assert_eq!(launches[2].fields["outcome"], "done");
    let swaps: Vec<&&Heard> = calls.iter().filter(|call| call.fields["method"] == "swap").collect();
    assert!(!swaps.is_empty() && swaps.iter().all(|swap| swap.fields["outcome"] == "applied"));
    let tick = named(&heard, TICK)[0];
    let of_tick = |key: &str| tick.fields[key].as_str();
    assert_eq!((of_tick("cluster"), of_tick("trigger"), of_tick("ended")), ("shop", "schedule", "done"));
    assert_eq!(of_tick("rounds"), named(&heard, ROUND).len().to_string());
    let first = named(&heard, ROUND)[0];
    assert_eq!((first.fields["round"].as_str(), first.fields["version"].as_str()), ("1", "0"));
}
