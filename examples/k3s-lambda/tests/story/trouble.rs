//! What goes wrong: processes are killed, two run at once, nothing is sold, nobody answers, no time is left.

use autoscale_core::words::Span;
use autoscale_kube::fake::{Fault as Broken, Requests, Trouble};
use k3s_lambda::function::Failed;

use crate::dice::Dice;
use crate::house::{House, schedule};
use crate::story::interruption;
use crate::wire::Fault;

#[tokio::test(start_paused = true)]
async fn an_invocation_that_dies_at_any_step_buys_one_machine() {
    let (mut steps, mut bought_before_death) = (0, 0);
    loop {
        // The very first invocation buys.
        let mut house = House::new().await;
        house.pass().await;
        if let Some(told) = house.killed(&schedule(), steps).await {
            assert_eq!(told.unwrap().orders, 1);
            break;
        }
        bought_before_death += usize::from(!house.machines().is_empty());
        // No list shows what was bought.
        house.wait().await;
        house.invoke(&schedule()).await.unwrap();
        for _ in 0..8 {
            house.tick().await;
        }
        assert_eq!(house.machines().len(), 1, "dead after {steps} steps: {:?}", house.machines());
        assert_eq!(house.running().len(), 1, "dead after {steps} steps");
        steps += 1;
    }
    // At the least one for each request, and for each end of one.
    assert!(steps > 6, "only {steps} steps");
    assert!(bought_before_death > 0, "never died behind the request");
}

#[tokio::test(start_paused = true)]
async fn processes_that_die_all_the_time_do_no_harm() {
    let mut died = 0;
    for seed in 1..=4 {
        let mut house = House::new().await;
        house.begin("1500m").await;
        let mut dice = Dice::new(seed);
        for (replicas, percent) in [(3, 50), (1, 5)] {
            house.scale(replicas).await;
            house.load.set(percent);
            for _ in 0..60 {
                match dice.below(3) {
                    0 => house.wait().await,
                    _ => house.pass().await,
                }
                // One dies, and the event is delivered again or is not.
                for _ in 0..dice.below(3) {
                    died += u32::from(house.killed(&schedule(), dice.below(14)).await.is_none());
                }
                if dice.below(3) > 0 {
                    house.invoke(&schedule()).await.unwrap();
                }
            }
            let wanted = usize::try_from(replicas).unwrap();
            assert_eq!(house.running().len(), wanted, "seed {seed}: {:?}", house.machines());
            assert_eq!(house.machines().len(), 3, "seed {seed}: bought more than once");
            assert_eq!(house.server.waiting(), [], "seed {seed}");
            assert_eq!(house.nodes(), wanted + 1, "seed {seed}");
        }
    }
    assert!(died > 50, "only {died} died");
}

#[tokio::test(start_paused = true)]
async fn two_at_once_act_as_one() {
    let house = House::new().await;
    let second = house.function().await;
    let (mut busy, event) = (0, schedule().to_string());
    for tick in 0..70 {
        match tick {
            10 => house.begin("1500m").await,
            11 => house.scale(3).await,
            25 => {
                house.scale(1).await;
                house.load.set(5);
            }
            _ => {}
        }
        house.pass().await;
        let event = match house.running().first() {
            // Both are told the same.
            Some(worker) if tick == 18 => interruption("event-1", &worker.id).to_string(),
            _ => event.clone(),
        };
        let left = Some(Span::from_mins(2));
        let ((one, _), (two, _)) = tokio::join!(
            house.function.invoke(event.as_bytes(), left),
            second.invoke(event.as_bytes(), left)
        );
        for told in [one.unwrap(), two.unwrap()] {
            assert!(told.alarms.is_empty(), "{told:?}");
            busy += u32::from(told.ended == "busy");
        }
        assert!(house.running().len() <= 4);
    }
    assert!(busy > 0, "they never met");
    // Three for pods, one for that which was taken back.
    assert_eq!(house.machines().len(), 4, "{:?}", house.machines());
    assert_eq!(house.running().len(), 1, "{:?}", house.machines());
    assert_eq!(house.nodes(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_spot_machines_are_bought_on_demand() {
    let house = House::new().await;
    for zone in ["eu-central-1a", "eu-central-1b"] {
        house.ec2.service.sell_out(zone, true, "m6i.large");
    }
    house.begin("1500m").await;
    let worker = house.running().remove(0);
    assert!(!worker.spot, "{worker:?}");
    // Spot in each zone, then on demand.
    assert_eq!(house.ec2.sent("RunInstances"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_not_insisted_upon() {
    let house = House::new().await;
    for _ in 0..1_000 {
        let why = "You have requested more vCPU capacity than your current vCPU limit";
        house.ec2.plan("RunInstances", Fault::Refused(400, "VcpuLimitExceeded", why));
    }
    for _ in 0..15 {
        house.tick().await;
    }
    assert!(house.machines().is_empty());
    let sent = house.ec2.sent("RunInstances");
    // Four offerings; each is left alone for five minutes, then ten, then twenty.
    assert!((4..=16).contains(&sent), "{sent} requests in half an hour");
    let told = house.told.lock().unwrap();
    let refused = |line: &&serde_json::Value| line["autoscale_launches_total"].is_number();
    assert!(told.iter().any(|line| refused(&line) && line["result"] == "no_capacity"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn without_prometheus_nothing_is_removed() {
    let house = House::new().await;
    house.begin("1500m").await;
    house.scale(3).await;
    house.until("machines for pods", 8, |house| house.running().len() == 3).await;
    house.scale(1).await;
    house.load.set(5);
    house.load.down(true);
    for _ in 0..25 {
        house.tick().await;
    }
    assert_eq!(house.running().len(), 3, "removed without knowing how busy they are");
    assert_eq!(house.ec2.sent("TerminateInstances"), 0);
    let missing = |line: &serde_json::Value| line["autoscale_signal_missing"] == 1.0;
    assert!(house.told.lock().unwrap().iter().any(missing), "nobody is told");
    house.load.down(false);
    house.until("idle machines are gone", 40, |house| house.running().len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_api_server_nothing_is_bought_or_removed() {
    let house = House::new().await;
    house.begin("1500m").await;
    house.scale(3).await;
    house.load.set(95);
    house.server.add_fault(Broken::new("down", Requests::any(), Trouble::Unavailable).times(u32::MAX));
    let before = house.ec2.sent("RunInstances");
    for _ in 0..20 {
        house.tick().await;
    }
    assert_eq!(house.ec2.sent("RunInstances"), before, "bought for a cluster that nobody has seen");
    assert_eq!((house.running().len(), house.ec2.sent("TerminateInstances")), (1, 0));
    house.server.clear_faults();
    house.until("machines for pods", 8, |house| house.running().len() >= 3).await;
}

#[tokio::test(start_paused = true)]
async fn an_invocation_ends_before_its_time_is_over() {
    let house = House::new().await;
    let slow = Trouble::Delayed(Span::from_secs(4));
    house.server.add_fault(Broken::new("slow", Requests::any(), slow).times(u32::MAX));
    let event = schedule().to_string();
    for left in [1, 2, 3, 5, 9, 14, 20, 30, 45].map(Span::from_secs) {
        house.pass().await;
        let begun = house.server.now();
        let (told, _) = house.function.invoke(event.as_bytes(), Some(left)).await;
        let took = house.server.now().since(begun);
        assert!(took < left, "{took} of {left}");
        match told {
            Ok(_) => {}
            Err(failed) => assert!(matches!(failed, Failed::Late | Failed::NoAuthority(_)), "{failed:?}"),
        }
        if left < Span::from_secs(2) {
            assert_eq!(house.tables.sent("GetItem"), 0, "begun without time to end");
        }
    }
    house.server.clear_faults();
    house.begin("1500m").await;
    assert_eq!(house.machines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_fails_and_what_is_of_no_use_does_not() {
    let house = House::new().await;
    let told = house.function.invoke(b"no JSON", None).await;
    assert!(matches!(told.0, Err(Failed::Event(_))), "{told:?}");
    assert_eq!(house.tables.sent("GetItem"), 0);
    let foreign = serde_json::json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}});
    assert_eq!(house.invoke(&foreign).await.unwrap().ended, "done");
}
