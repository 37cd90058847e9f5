//! The program in another Lambda, which starts it, calls it by its own schedule and kills it at its time limit.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::function::{Function, signal};
use crate::place::Place;
use crate::runtime::PATIENCE;
use crate::story::{interruption, judge_killed, run, schedule};

/// A schedule of one minute, and the time to notice it.
const SCHEDULED: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_buys_and_replaces_and_two_at_once_do_one_thing() {
    let Some(place) = Place::new().await else { return };
    let Some(function) = Function::new(place.variables(), 30).await else { return };
    let told = function.invoke(schedule()).await;
    assert_eq!(
        (told.failed, &told.answer["ended"], &told.answer["orders"]),
        (false, &json!("done"), &json!(1)),
        "{told:?}"
    );
    judge_killed(&told.written);
    place.settle();
    function.invoke(schedule()).await;
    // It is busy, and two sandboxes see it at the same time.
    place.busy.store(90, Ordering::SeqCst);
    let (one, two) = tokio::join!(function.invoke(schedule()), function.invoke(schedule()));
    assert!(!one.failed && !two.failed, "{one:?} {two:?}");
    assert_eq!(place.machines().len(), 2, "{one:?} {two:?}");
    place.busy.store(50, Ordering::SeqCst);
    place.settle();
    function.invoke(schedule()).await;
    let worker = place.machines().remove(0).0;
    let told = function.invoke(interruption(&worker)).await;
    assert!(told.answer["orders"].as_u64().is_some_and(|orders| orders > 0), "{told:?}");
    assert_eq!(place.machines().len(), 3);
    assert!(!place.server.is_open(&worker));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_killed_at_its_limit_buys_nothing_twice() {
    let Some(place) = Place::new().await else { return };
    let Some(function) = Function::new(place.variables(), 20).await else { return };
    place.cloud.mute.send_replace(true);
    let mut bought = place.cloud.bought.subscribe();
    let frozen = async {
        tokio::time::timeout(PATIENCE, bought.wait_for(|bought| *bought))
            .await
            .expect("nothing is bought")
            .unwrap();
        // It would end in time otherwise.
        signal("-STOP", &function.name);
    };
    let (told, ()) = tokio::join!(function.invoke(schedule()), frozen);
    assert!(told.failed && told.answer["errorMessage"].to_string().contains("timed out"), "{told:?}");
    place.cloud.mute.send_replace(false);
    let (_, record) = run(place.variables(), &["status", "--json"]).await;
    let record: Value = serde_json::from_str(&record).unwrap();
    // The dead one holds the lease for a minute; an operator who knows that it is dead need not wait.
    assert!(record["lease"].is_object(), "{record}");
    let (code, said) = run(place.variables(), &["unlock", &record["ver"].to_string()]).await;
    assert_eq!(code, Some(0), "{said}");
    let told = function.invoke(schedule()).await;
    assert_eq!((told.failed, &told.answer["ended"]), (false, &json!("done")), "{told:?}");
    assert_eq!(place.cloud.ec2.sent("RunInstances"), 2, "it was not asked what became of the request");
    place.settle();
    function.invoke(schedule()).await;
    assert_eq!(place.machines().len(), 1, "{:?}", place.machines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_calls_the_function() {
    let Some(place) = Place::new().await else { return };
    let Some(function) = Function::new(place.variables(), 30).await else { return };
    let mut bought = place.cloud.bought.subscribe();
    let (rule, arn) = (
        json!({ "Name": function.name, "ScheduleExpression": "rate(1 minute)" }),
        format!("arn:aws:lambda:eu-central-1:000000000000:function:{}", function.name),
    );
    let target = json!({ "Rule": function.name, "Targets": [{ "Id": "1", "Arn": arn }] });
    for (action, body) in [("AWSEvents.PutRule", rule), ("AWSEvents.PutTargets", target)] {
        let answer = function.post("/", Some(action), body).await;
        assert_eq!(answer.status(), 200, "{action}: {}", answer.text().await.unwrap());
    }
    let called = tokio::time::timeout(SCHEDULED, bought.wait_for(|bought| *bought));
    called.await.expect("the schedule has called nobody").unwrap();
    assert_eq!(place.machines().len(), 1);
}
