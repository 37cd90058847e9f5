//! What goes wrong: nothing is sold, answers are lost, nobody answers, processes are killed.

use serde_json::{Value, json};

use super::gateway::Fatal;
use super::world::World;
use crate::dice::Dice;
use crate::story::schedule;

/// A rule of microburst: such requests for machines fail so.
fn refusal(of: Option<&str>, code: &str, status: u16) -> Value {
    let mut rule = json!({
        "service": "ec2", "operation": "RunInstances", "error": {"code": code, "status": status},
    });
    if let Some(of) = of {
        rule["body"] = of.into();
    }
    json!([rule])
}

/// Requests for spot machines.
const SPOT: &str = "\"InstanceMarketOptions.MarketType\" == 'spot'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sold() {
    let Some(world) = World::new().await else { return };
    // No spot: spot in each zone, then on demand.
    world.gateway.rules(refusal(Some(SPOT), "InsufficientInstanceCapacity", 500)).await;
    let first = world.begin().await;
    assert!(!first.spot, "{first:?}");
    assert_eq!((world.gateway.fired().await, world.gateway.asked("RunInstances")), (3, 4));
    // A quota: it is not insisted upon.
    world.gateway.rules(refusal(None, "VcpuLimitExceeded", 400)).await;
    world.load.turn(90);
    world.until("a quota", async |world| world.gateway.asked("RunInstances") > 4).await;
    world.pass(6).await;
    assert_eq!(world.machines().await.len(), 1);
    let asked = world.gateway.asked("RunInstances") - 4;
    assert!(asked <= 12, "{asked} requests");
    assert_eq!(world.gateway.fired().await, asked);
    let why = world.run(&["explain"]).await.1;
    assert!(why.contains("every offering is backed off"), "{why}");
    // An answer is lost on its way: the machine is found again.
    world
        .gateway
        .rules(json!([{
            "service": "ec2", "operation": "RunInstances", "response": {"abort_frac": 0.3}, "times": 1,
        }]))
        .await;
    world.until("a second machine", async |world| world.machines().await.len() > 1).await;
    assert_eq!(world.gateway.fired().await, 1, "no answer was lost");
    world.load.turn(50);
    world.pass(6).await;
    world.judge(2, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_answers() {
    let Some(mut world) = World::new().await else { return };
    world.begin().await;
    world.scale(2).await;
    world.load.turn(90);
    world.until("a second machine", async |world| world.running().await.len() == 2).await;
    // Idle, but nobody knows.
    drop(world.prometheus.take());
    world.load.turn(5);
    // One would be ended after 4 s, and 3 s after the last action.
    world.pass(14).await;
    assert_eq!(world.running().await.len(), 2, "removed without knowing how busy they are");
    assert_eq!(world.gateway.asked("TerminateInstances"), 0);
    // Pods wait, and nobody sees them.
    let before = world.gateway.asked("RunInstances");
    drop(world.api.take());
    world.scale(12).await;
    world.pass(6).await;
    assert!(!world.is_served(), "there is room for all");
    assert_eq!(world.gateway.asked("RunInstances"), before, "bought for a cluster that nobody has seen");
    world.judge(2, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_are_killed() {
    let Some(world) = World::new().await else { return };
    let (mut dice, mut died) = (Dice::new(7), 0);
    for (replicas, percent, wanted) in [(3, 50, 1), (6, 50, 2), (3, 5, 1)] {
        world.scale(replicas).await;
        world.load.turn(percent);
        let mut after = 0;
        // Until it is as it should be, and a few times more.
        for round in 0.. {
            assert!(round < 100, "{replicas} pods never get {wanted} machines: {:?}", world.machines().await);
            world.settle().await;
            let (request, carried_out) = (dice.below(8), dice.below(2) == 0);
            world.gateway.kill(Fatal { request, carried_out, function: world.function.name.clone() });
            let told = world.invoke(schedule()).await;
            let killed = world.gateway.spare();
            assert_eq!(told.failed, killed, "{told:?}");
            died += u32::from(killed);
            if killed {
                world.unlock().await;
            }
            world.tick().await;
            after += u32::from(world.running().await.len() == wanted && world.is_served());
            if after > 2 {
                break;
            }
        }
    }
    assert!(died >= 6, "only {died} died");
    world.load.turn(50);
    world.pass(3).await;
    world.judge(2, 1).await;
}
