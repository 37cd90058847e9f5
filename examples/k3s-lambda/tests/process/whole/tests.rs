//! The story: load comes and goes, a machine is taken back.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::world::World;
use crate::story::interruption;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_comes_and_goes() {
    let Some(world) = World::new().await else { return };
    let first = world.begin().await;
    world.scale(2).await;
    // Quiet.
    for told in world.pass(3).await {
        assert_eq!((&told.answer["ended"], &told.answer["orders"]), (&json!("done"), &json!(0)), "{told:?}");
    }
    // Busy: two see it, one machine of spot is bought, in another zone.
    world.load.turn(90);
    world
        .until("a second machine", async |world| {
            let (one, two) = tokio::join!(world.tick(), world.tick());
            let running = world.running().await.len();
            assert!(running <= 2, "{one:?} {two:?}");
            running == 2
        })
        .await;
    world.load.turn(50);
    world.pass(4).await;
    assert_eq!(world.machines().await.len(), 2);
    let second = world.running().await.into_iter().find(|worker| *worker != first).unwrap();
    assert!(first.spot && second.spot && first.zone != second.zone, "{second:?} beside {first:?}");
    // New pods go where there is room.
    world.scale(4).await;
    world.until("pods that run", async |world| world.is_served()).await;
    for worker in [&first, &second] {
        assert!(!world.server.pods_on(&worker.id).is_empty(), "{worker:?} is empty");
    }
    // Idle: one is drained over several invocations, then it goes.
    world.load.turn(5);
    let draining = AtomicU32::new(0);
    world
        .until("an idle machine is gone", async |world| {
            let drained = [&first, &second].into_iter().find(|worker| !world.server.is_open(&worker.id));
            let holds = drained.is_some_and(|worker| !world.server.pods_on(&worker.id).is_empty());
            draining.fetch_add(u32::from(holds), Ordering::SeqCst);
            world.running().await.len() == 1
        })
        .await;
    let draining = draining.into_inner();
    assert!(draining >= 2, "not drained over several invocations: {draining}");
    world.load.turn(50);
    world.until("pods that run", async |world| world.is_served()).await;
    world.pass(3).await;
    world.judge(2, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_taken_back() {
    let Some(world) = World::new().await else { return };
    let first = world.begin().await;
    world.scale(3).await;
    world.until("pods that run", async |world| world.is_served()).await;
    let told = world.invoke(interruption(&first.id)).await;
    assert!(told.answer["orders"].as_u64().is_some_and(|orders| orders > 0), "{told:?}");
    assert_eq!(world.machines().await.len(), 2, "no replacement at once: {told:?}");
    assert!(!world.server.is_open(&first.id), "new pods may still come");
    // A copy of the event buys nothing.
    world.invoke(interruption(&first.id)).await;
    world
        .until("only the new one", async |world| {
            world.running().await.iter().map(|worker| worker.id != first.id).eq([true])
        })
        .await;
    world.until("pods that run", async |world| world.is_served()).await;
    world.pass(3).await;
    world.judge(2, 1).await;
}
