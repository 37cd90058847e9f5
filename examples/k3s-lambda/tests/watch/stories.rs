//! What happens when all goes well.

use autoscale_core::words::Span;
use k3s_lambda::command::{Command, Exit};
use serde_json::{Value, json};

use crate::history::History;
use crate::scrape::Watched;
use crate::trouble::{begun, draining, is_draining};

fn interruption(instance: &str) -> Value {
    json!({"id": format!("of-{instance}"), "source": "aws.ec2",
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": instance, "instance-action": "terminate"}})
}

/// The cloud says that it takes a machine, and two minutes later it does.
pub(crate) async fn takes(house: &Watched, instance: &str) {
    house.invoke(&interruption(instance)).await.unwrap();
    house.pass_alone().await;
    for machine in house.ec2.service.lock().machines.iter_mut().filter(|machine| machine.id == instance) {
        machine.state = "shutting-down";
    }
}

/// One worker, and half an hour in which nothing is to be done.
pub(crate) async fn quiet() -> History {
    let house = Watched::new().await;
    house.begin("300m").await;
    house.scale(2).await;
    house.ticks(20).await;
    assert_eq!(house.machines().len(), 1);
    house.history()
}

/// Load, a second machine that joins; idle, it is drained over several ticks and ended; another process; the cloud takes the machine
/// that is left, which is replaced; a Pushgateway that starts anew.
pub(crate) async fn a_day() -> History {
    let mut house = Watched::with_pods_that_stop_in(Span::from_secs(280)).await;
    house.begin("300m").await;
    house.scale(2).await;
    house.ticks(3).await;
    house.load.set(90);
    house.until("a second machine", 6, |house| house.running().len() == 2).await;
    house.load.set(50);
    house.ticks(5).await;
    house.scale(6).await;
    house.load.set(5);
    house.until("one of them is gone", 30, |house| house.running().len() == 1).await;
    house.load.set(50);
    house.until("pods that run", 6, |house| house.server.waiting().is_empty()).await;
    house.restart().await;
    house.ticks(3).await;
    let taken = house.running().remove(0).id;
    takes(&house, &taken).await;
    house
        .until("only the new one", 20, |house| {
            house.running().len() == 1 && house.running().iter().all(|worker| worker.id != taken)
        })
        .await;
    house.ticks(5).await;
    // What is new is pushed by the next tick, and that one is lost.
    house.forget_pushed();
    house.wait().await;
    house.ticks(5).await;
    assert_eq!(house.machines().len(), 3, "{:?}", house.machines());
    house.history()
}

/// Pods wait for machines, and get them, on demand where no spot is sold.
pub(crate) async fn pods() -> History {
    let house = Watched::new().await;
    house.begin("1500m").await;
    for zone in ["eu-central-1a", "eu-central-1b"] {
        house.ec2.service.sell_out(zone, true, "m6i.large");
    }
    house.scale(3).await;
    house.until("machines for pods", 8, |house| house.running().len() == 3).await;
    house.until("pods that run", 4, |house| house.server.waiting().is_empty()).await;
    house.ticks(5).await;
    // The first one is of spot, and its replacement is not.
    let taken = house.running().into_iter().find(|worker| worker.spot).unwrap().id;
    takes(&house, &taken).await;
    house.until("a new one", 6, |house| house.running().len() == 3).await;
    house.ticks(5).await;
    assert!(house.running().iter().all(|worker| !worker.spot));
    house.history()
}

/// A node is drained, and needed again before it is empty.
pub(crate) async fn needed_again() -> History {
    let house = Box::pin(draining()).await;
    house.load.set(90);
    house.until("it serves again", 4, |house| !is_draining(house)).await;
    house.load.set(50);
    house.ticks(10).await;
    assert_eq!(house.ec2.sent("TerminateInstances"), 0);
    house.history()
}

/// Lambda keeps two processes, and calls now this one and now that one. One of them has seen two orders fail, a while ago.
pub(crate) async fn two_processes() -> History {
    let mut house = begun().await;
    house.ec2.service.lock().forbidden.insert("RunInstances");
    house.load.set(90);
    house.until("it may not buy", 6, |house| house.ec2.sent("RunInstances") > 1).await;
    house.ec2.service.lock().forbidden.clear();
    house.load.set(50);
    house.ticks(10).await;
    let mut other = house.function().await;
    for _ in 0..20 {
        std::mem::swap(&mut house.function, &mut other);
        house.tick().await;
    }
    house.history()
}

/// Somebody pauses it for a while; a process dies with the lease; the record is lost, and everything is adopted.
pub(crate) async fn an_operator() -> History {
    let mut house = Watched::new().await;
    house.begin("1500m").await;
    house.scale(1).await;
    house.ticks(2).await;
    let mut out = Vec::new();
    let pause = Command::Pause {
        why: "an upgrade".to_owned(),
        who: "ann".to_owned(),
        lasting: Some(Span::from_mins(5)),
    };
    assert_eq!(pause.run(house.function.setup(), &mut out).await.unwrap(), Exit::Well);
    house.ticks(5).await;
    // It holds the lease when it dies, for the sake of a pod that waits.
    house.scale(2).await;
    let schedule = crate::house::schedule();
    let before = house.machines().len();
    house.tick().await;
    house.pass().await;
    let is_leased = |house: &Watched| house.tables.service.items("state")[0].get("holder").is_some();
    let mut steps = 0;
    while !is_leased(&house) {
        steps += 1;
        assert!(house.killed(&schedule, steps).await.is_none(), "it never had the lease");
    }
    house.invoke(&schedule).await.unwrap();
    house.ticks(8).await;
    assert_eq!(house.machines().len(), before + 1);
    let item = house.tables.service.items("state").remove(0);
    assert!(house.tables.service.erase("state", item["pk"]["S"].as_str().unwrap(), ""));
    house.ticks(10).await;
    assert_eq!(house.running().len(), 2);
    house.history()
}
