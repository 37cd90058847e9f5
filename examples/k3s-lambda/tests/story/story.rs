//! Pods wait, machines are bought, join, idle and go; a spot machine is taken back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use autoscale_core::words::{PoolName, Span};
use autoscale_kube::fake::NodeSpec;
use k3s_lambda::command::{Command, Exit};
use k3s_lambda::function::Failed;
use serde_json::{Value, json};

use crate::house::House;
use crate::wire::Fault;

pub(crate) fn interruption(id: &str, instance: &str) -> Value {
    json!({"id": id, "source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": instance, "instance-action": "terminate"}})
}

#[tokio::test(start_paused = true)]
async fn pods_wait_and_machines_come_and_go() {
    let mut house = House::new().await;
    house.begin("1500m").await;
    assert_eq!(*house.asked.lock().unwrap(), ["10.0.0.7".parse::<IpAddr>().unwrap()], "one connection");
    // More than one machine holds.
    house.scale(3).await;
    house.until("machines for pods", 8, |house| house.running().len() == 3).await;
    house.until("pods that run", 4, |house| house.server.waiting().is_empty()).await;
    let workers = house.machines();
    let zones: BTreeSet<&str> = workers.iter().map(|worker| worker.zone.as_str()).collect();
    assert_eq!(zones.len(), 2, "all in one zone");
    assert!(workers.iter().all(|worker| worker.spot), "{workers:?}");
    // Quiet: nothing more is bought.
    for _ in 0..5 {
        assert_eq!(house.tick().await.orders, 0);
    }
    assert_eq!(house.machines().len(), 3);
    // The process is another one from here on.
    house.restart().await;
    house.scale(1).await;
    house.load.set(5);
    house.until("idle machines are gone", 40, |house| house.running().len() == 1).await;
    house.until("the pod runs", 6, |house| house.server.waiting().is_empty()).await;
    house.until("no node without a machine", 3, |house| house.nodes() == 2).await;
    assert_eq!(house.machines().len(), 3, "bought and given back again");
    // CloudWatch was told what there is.
    {
        let told = house.told.lock().unwrap();
        let wanted = |line: &&Value| line["autoscale_wanted_nodes"].is_number();
        let of_the_pool = |line: &Value| line["pool"] == "workers" && line["cluster"] == "shop";
        assert!(told.iter().filter(wanted).all(of_the_pool));
        let last = told.iter().rfind(wanted).expect("never told");
        assert_eq!(last["autoscale_wanted_nodes"], 1.0);
    }
    // Each order is in the audit log, whose decisions come out the same.
    let sent = house.ec2.sent("RunInstances") + house.ec2.sent("TerminateInstances");
    assert_eq!(sent, 5);
    assert!(house.replayed().await.effects >= sent as u64);
}

#[tokio::test(start_paused = true)]
async fn busy_machines_get_another_and_idle_ones_are_drained() {
    let house = House::with_pods_that_stop_in(Span::from_secs(280)).await;
    house.begin("300m").await;
    house.scale(2).await;
    let first = house.running().remove(0);
    house.tick().await;
    house.load.set(90);
    house.until("a second machine", 4, |house| house.running().len() == 2).await;
    let second = house.running().into_iter().find(|worker| *worker != first).unwrap();
    assert!(second.spot && second.zone != first.zone, "{second:?} beside {first:?}");
    house.load.set(50);
    for _ in 0..5 {
        assert_eq!(house.tick().await.orders, 0, "within its limits");
    }
    // New pods go where there is room.
    house.scale(6).await;
    for worker in [&first, &second] {
        assert!(!house.server.pods_on(&worker.id).is_empty(), "{worker:?} is empty");
    }
    let idle_from = house.server.now();
    house.load.set(5);
    let mut draining = 0;
    while house.running().len() == 2 {
        house.tick().await;
        let closed = [&first, &second].into_iter().find(|worker| !house.server.is_open(&worker.id));
        let Some(worker) = closed else { continue };
        let idle = house.server.now().since(idle_from);
        assert!(idle >= Span::from_mins(10), "after {idle} already");
        assert!(idle < Span::from_mins(40), "{worker:?} is never ended");
        let pods = house.server.pods_on(&worker.id).len();
        let running = house.running().iter().any(|one| one.id == worker.id);
        assert!(pods == 0 || running, "{pods} pods were on {worker:?}");
        draining += u32::from(pods > 0);
    }
    assert!(draining >= 2, "not drained over several invocations: {draining}");
    house.until("no node without a machine", 3, |house| house.nodes() == 2).await;
    house.until("pods that run", 6, |house| house.server.waiting().is_empty()).await;
    let left = house.running().remove(0);
    assert_eq!(house.server.pods_on(&left.id).len(), 6);
    assert_eq!(house.machines().len(), 2, "bought and given back again");
    house.replayed().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_taken_back_is_replaced() {
    let house = House::new().await;
    house.begin("1500m").await;
    house.scale(1).await;
    house.tick().await;
    let first = house.running().remove(0).id;
    let answer = house.invoke(&interruption("event-1", &first)).await.unwrap();
    assert!(answer.orders > 0, "{answer:?}");
    assert_eq!(house.machines().len(), 2, "no replacement at once: {:?}", house.machines());
    assert!(!house.server.is_open(&first), "new pods may still come");
    // A copy of the event buys nothing.
    house.invoke(&interruption("event-1", &first)).await.unwrap();
    assert_eq!(house.machines().len(), 2);
    house
        .until("only the new one", 20, |house| {
            house.running().len() == 1 && house.running().iter().all(|worker| worker.id != first)
        })
        .await;
    house.until("the pod runs", 6, |house| house.server.waiting().is_empty()).await;
    assert_eq!(house.machines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_not_acknowledged_unless_its_notice_is_stored() {
    let house = House::new().await;
    house.begin("1500m").await;
    let worker = house.running().remove(0).id;
    let refuse = || {
        (0..40).for_each(|_| house.tables.plan("PutItem", Fault::Refused(500, "InternalServerError", "down")))
    };
    refuse();
    let failed = house.invoke(&interruption("event-1", &worker)).await.unwrap_err();
    assert!(matches!(failed, Failed::NotStored(_)), "{failed:?}");
    // Of a batch those come again that brought a notice; the rest is of no use to anybody.
    let message = |id: &str, body: String| json!({"messageId": id, "body": body});
    let batch = json!({"Records": [
        message("one", interruption("event-1", &worker).to_string()),
        message("two", json!({"source": "aws.s3", "detail-type": "Object Created"}).to_string()),
        message("three", "no JSON".to_owned()),
    ]});
    refuse();
    let answer = house.invoke(&batch).await.unwrap();
    let failures = serde_json::to_value(&answer).unwrap()["batchItemFailures"].clone();
    assert_eq!(failures, json!([{"itemIdentifier": "one"}]));
    assert_eq!(house.machines().len(), 1, "acted on what is not stored");
    // What was planned is used up by ticks that fail; then it is stored.
    let mut stored = None;
    for _ in 0..40 {
        if let Ok(answer) = house.invoke(&batch).await
            && answer.batch_item_failures.is_empty()
        {
            stored = Some(answer);
            break;
        }
    }
    assert!(stored.is_some(), "never stored");
    assert!(house.machines().len() > 1, "a notice without a consequence");
}

#[tokio::test(start_paused = true)]
async fn without_a_master_nothing_is_bought_or_removed() {
    let house = House::new().await;
    let master = house.ec2.service.lock().machines[0].tags.clone();
    house.ec2.service.lock().machines[0].tags.clear();
    for _ in 0..6 {
        house.tick().await;
    }
    assert!(house.machines().is_empty(), "bought for a cluster that nobody has seen");
    assert!(house.asked.lock().unwrap().is_empty());
    house.ec2.service.lock().machines[0].tags = master;
    house.until("a worker", 12, |house| house.running().len() == 1).await;
    // Two that both say they are the master: nobody can tell which is right.
    house.ec2.service.place(&[("k3s-role", "master"), ("k3s-cluster", "shop")]);
    // Long enough for a known address to be looked up again.
    for _ in 0..4 {
        house.tick().await;
    }
    house.load.set(90);
    for _ in 0..6 {
        house.tick().await;
    }
    assert_eq!(house.machines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn workers_that_were_there_before_count_and_go_once_adopted() {
    let house = House::new().await;
    house.load.set(5);
    let tags = [("k3s-role", "worker"), ("k3s-cluster", "shop")];
    let old = [house.ec2.service.place(&tags), house.ec2.service.place(&tags)];
    for id in &old {
        house.server.add_node(NodeSpec::new(id).with_provider_id(format!("aws:///eu-central-1a/{id}")));
    }
    let running = |house: &House| {
        let state = house.ec2.service.lock();
        state
            .machines
            .iter()
            .filter(|machine| old.contains(&machine.id) && machine.state == "running")
            .count()
    };
    for _ in 0..25 {
        house.tick().await;
    }
    assert!(house.machines().is_empty(), "bought though there are enough");
    assert_eq!(running(&house), 2, "removed what is not ours");
    let setup = house.function.setup();
    let mut out = Vec::new();
    let unknown = Command::Adopt { pool: PoolName::new("other").unwrap() };
    assert!(unknown.run(setup, &mut out).await.is_err());
    let adopt = Command::Adopt { pool: PoolName::new("workers").unwrap() };
    assert_eq!(adopt.run(setup, &mut out).await.unwrap(), Exit::Well);
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("adopted: "), "{said}");
    house.until("one of them is gone", 40, |house| running(house) == 1).await;
}
