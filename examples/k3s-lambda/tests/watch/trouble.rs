//! What somebody has to be told of: each story has one trouble.

use autoscale_core::words::{ContentHash, Span};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::history::History;
use crate::house::{House, schedule};
use crate::scrape::Watched;
use crate::stories::takes;

const ZONES: [&str; 2] = ["eu-central-1a", "eu-central-1b"];

/// A worker whose pods ask for little.
pub(crate) async fn begun() -> Watched {
    let house = Watched::with_pods_that_stop_in(Span::from_secs(100)).await;
    house.begin("150m").await;
    house.scale(2).await;
    house.ticks(2).await;
    house
}

/// Pods of whom one at a time may go.
const PODS: u32 = 12;

/// Two workers, and one of them is drained, which takes several ticks.
pub(crate) async fn draining() -> Watched {
    let house = begun().await;
    house.load.set(90);
    house.until("a second machine", 6, |house| house.running().len() == 2).await;
    house.load.set(50);
    house.scale(PODS).await;
    house.ticks(3).await;
    house.server.allow_disruptions("web", PODS, 1).unwrap();
    house.load.set(5);
    house.until("a drain", 20, is_draining).await;
    house
}

pub(crate) fn is_draining(house: &House) -> bool {
    house.running().iter().any(|worker| !house.server.is_open(&worker.id))
}

fn sell_out(house: &Watched) {
    for zone in ZONES {
        for spot in [true, false] {
            house.ec2.service.sell_out(zone, spot, "m6i.large");
        }
    }
}

/// As the runbook says: another type of machine.
async fn another_type(house: &mut Watched) {
    house.function = house.function_with(&[("WORKER_INSTANCE_TYPE", "m6a.large")]).await.unwrap();
}

/// The rule does not call it for half an hour.
pub(crate) async fn nobody_calls() -> History {
    let house = begun().await;
    for _ in 0..15 {
        house.wait().await;
    }
    house.ticks(5).await;
    house.history()
}

/// It wants to buy, and may not.
pub(crate) async fn nothing_is_permitted() -> History {
    let house = begun().await;
    house.ec2.service.lock().forbidden.insert("RunInstances");
    house.load.set(90);
    house.ticks(15).await;
    house.load.set(50);
    house.ec2.service.lock().forbidden.clear();
    house.ticks(15).await;
    assert_eq!(house.machines().len(), 1);
    house.history()
}

/// Somebody writes another record, until he puts the old one back.
async fn another_record(house: &Watched, record: &str, hash: &str) {
    let item = house.tables.service.items("state").remove(0);
    let mut other = item.clone();
    other["record"] = json!({ "S": record });
    other["hash"] = json!({ "S": hash });
    house.tables.service.place("state", other);
    for _ in 0..5 {
        house.pass().await;
        house.invoke(&schedule()).await.unwrap_err();
    }
    house.tables.service.place("state", item);
    house.ticks(10).await;
}

/// The record is none that was ever written.
pub(crate) async fn a_record_that_was_edited() -> History {
    let house = begun().await;
    another_record(&house, "{}", "none").await;
    house.history()
}

/// The record is of a newer version.
pub(crate) async fn a_record_of_tomorrow() -> History {
    let house = begun().await;
    let record = r#"{"format":4000000000}"#;
    another_record(&house, record, ContentHash::of(record.as_bytes()).as_str()).await;
    house.history()
}

/// The exporters on workers are gone for a quarter of an hour.
pub(crate) async fn no_load_is_known() -> History {
    let house = begun().await;
    house.load.down(true);
    house.ticks(8).await;
    house.load.down(false);
    house.ticks(5).await;
    house.history()
}

/// A machine is bought and never becomes a node. The next one does.
pub(crate) async fn a_machine_is_silent() -> History {
    let house = begun().await;
    house.load.set(90);
    while house.machines().len() < 2 {
        house.pass_alone().await;
        house.invoke(&schedule()).await.unwrap();
    }
    house.load.set(50);
    for _ in 0..8 {
        house.pass_alone().await;
        house.invoke(&schedule()).await.unwrap();
    }
    assert_eq!(house.running().len(), 1, "it is ended");
    house.load.set(90);
    house.until("another one", 30, |house| house.machines().len() == 3).await;
    house.load.set(50);
    house.ticks(5).await;
    assert_eq!(house.running().len(), 2, "{:?}", house.machines());
    house.history()
}

/// An idle node is drained, and while it is, its pods' budget allows no more: it serves again.
pub(crate) async fn a_budget_is_used_up() -> History {
    let house = Box::pin(draining()).await;
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(house.server.client());
    let none = Patch::Merge(json!({"spec": {"minAvailable": PODS}}));
    budgets.patch("web", &PatchParams::default(), &none).await.unwrap();
    house.until("it serves again", 12, |house| !is_draining(house)).await;
    house.load.set(50);
    house.ticks(20).await;
    assert_eq!(house.running().len(), 2);
    house.history()
}

/// An idle node is drained, and its machine may not be ended until somebody allows it.
pub(crate) async fn a_machine_is_protected() -> History {
    let house = begun().await;
    house.load.set(90);
    house.until("a second machine", 6, |house| house.running().len() == 2).await;
    house.load.set(50);
    house.ticks(3).await;
    for worker in house.running() {
        assert!(house.ec2.service.protect(&worker.id));
    }
    house.load.set(5);
    house.ticks(20).await;
    assert_eq!(house.running().len(), 2);
    house.history()
}

/// The cloud takes the only machine, and nowhere is another one.
pub(crate) async fn taken_and_sold_out() -> History {
    let mut house = begun().await;
    sell_out(&house);
    let taken = house.running().remove(0).id;
    takes(&house, &taken).await;
    house.ticks(2).await;
    another_type(&mut house).await;
    house.until("a new one", 30, |house| house.running().len() == 1).await;
    house.ticks(5).await;
    house.history()
}

/// Pods wait, and no machine is to be had for half an hour.
pub(crate) async fn sold_out() -> History {
    let mut house = Watched::new().await;
    house.begin("1500m").await;
    house.scale(1).await;
    house.ticks(2).await;
    sell_out(&house);
    house.scale(2).await;
    house.ticks(15).await;
    another_type(&mut house).await;
    house.until("a second machine", 20, |house| house.running().len() == 2).await;
    house.ticks(5).await;
    house.history()
}

/// The load is high, and there are as many as there may be.
pub(crate) async fn no_more_is_allowed() -> History {
    let house = begun().await;
    house.load.set(90);
    house.until("all there may be", 40, |house| house.running().len() == 4).await;
    house.ticks(15).await;
    house.load.set(50);
    house.ticks(10).await;
    assert_eq!(house.machines().len(), 4);
    house.history()
}
