//! Whom a terminate ends.

use autoscale_azure::fake::{ArmSettings, Fault, Requests, Trouble};
use autoscale_core::data::view::Phase;
use autoscale_core::ports::{ErrorKind, NodeProvider};
use autoscale_core::words::{InstanceId, Span};
use serde_json::json;

use crate::stage::{Stage, body, config, end, id, order};

async fn kind(stage: &Stage, instance: &InstanceId) -> ErrorKind {
    stage.vms.terminate(&end(instance)).await.unwrap_err().kind().clone()
}

#[tokio::test]
async fn the_interface_and_the_disk_go_with_the_machine() {
    let stage = Stage::new(ArmSettings::default(), config());
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap().instance;
    stage.arm.settle();
    assert_eq!(stage.arm.parts().len(), 2);
    stage.vms.terminate(&end(&bought)).await.unwrap();
    stage.arm.settle();
    assert!(stage.arm.parts().is_empty());
}

/// How the machines are listed.
async fn phases(stage: &Stage) -> Vec<Phase> {
    stage.vms.list().await.unwrap().instances.iter().map(|instance| instance.phase).collect()
}

#[tokio::test]
async fn what_was_ended_is_listed_as_terminated_for_a_while() {
    let stage = Stage::new(ArmSettings::default(), config());
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap().instance;
    stage.arm.settle();
    let before = stage.vms.list().await.unwrap();
    stage.vms.terminate(&end(&bought)).await.unwrap();
    assert_eq!(phases(&stage).await, [Phase::ShuttingDown]);
    stage.arm.settle();
    let after = stage.vms.list().await.unwrap();
    assert_eq!(
        after.instances,
        before
            .instances
            .into_iter()
            .map(|mut instance| {
                instance.phase = Phase::Terminated;
                instance
            })
            .collect::<Vec<_>>()
    );
    // What looks like a missing group, or cannot be asked, says nothing; and another machine of the name is that machine.
    let looks = || Requests::any().method("GET").part("/virtualMachines/as-");
    for refused in [Trouble::Refused(404, "ResourceGroupNotFound".to_owned()), Trouble::AnswerLost] {
        stage.arm.add_fault(Fault::once(looks(), refused));
        assert_eq!(phases(&stage).await, []);
    }
    stage.vms.launch(&order(1, 2)).await.unwrap();
    stage.arm.settle();
    assert_eq!(phases(&stage).await, [Phase::Running]);
    stage.arm.evict("as-abcd-1-0");
    assert_eq!(phases(&stage).await, [Phase::ShuttingDown]);
    stage.arm.settle();
    assert_eq!(phases(&stage).await, [Phase::Terminated]);
    stage.arm.advance(Span::from_mins(21));
    assert_eq!(phases(&stage).await, []);
    assert_eq!(stage.arm.faults_left(), 0);
}

#[tokio::test]
async fn what_vanishes_otherwise_is_only_absent() {
    let stage = Stage::new(ArmSettings::default(), config());
    stage.vms.launch(&order(1, 1)).await.unwrap();
    stage.arm.settle();
    assert_eq!(phases(&stage).await, [Phase::Running]);
    stage.arm.evict("as-abcd-1-0");
    stage.arm.settle();
    assert_eq!(phases(&stage).await, []);
}

#[tokio::test]
async fn a_list_that_is_late_is_completed() {
    let stage = Stage::new(ArmSettings::default().with_list_lag(Span::from_mins(3)), config());
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap().instance;
    stage.vms.terminate(&end(&bought)).await.unwrap();
    assert_eq!(phases(&stage).await, [Phase::ShuttingDown], "the list does not show it yet");
}

#[tokio::test]
async fn ids_from_elsewhere_are_denied_before_anything_is_sent() {
    let stage = Stage::new(ArmSettings::default(), config());
    for text in [
        id("masters", "Microsoft.Compute/virtualMachines/m"),
        id("workers", "Microsoft.Compute/disks/d"),
        id("workers", "Microsoft.Compute/virtualMachines/.."),
        "i-0123".to_owned(),
    ] {
        let denied = kind(&stage, &InstanceId::new(text).unwrap()).await;
        assert!(matches!(denied, ErrorKind::Denied { .. }), "{denied:?}");
    }
    assert!(stage.arm.log().is_empty());
}

#[tokio::test]
async fn an_id_is_an_id_in_any_case() {
    let stage = Stage::new(ArmSettings::default(), config());
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap().instance;
    let shouted = InstanceId::new(bought.as_str().to_uppercase()).unwrap();
    stage.vms.terminate(&end(&shouted)).await.unwrap();
    stage.arm.settle();
    assert!(!stage.arm.truth()[0].alive);
}

#[tokio::test]
async fn a_tag_keeps_a_machine() {
    let stage = Stage::new(ArmSettings::default(), config());
    stage.arm.place("kept", body(json!({ "mine": "worker", "autoscale-keep": "true" })));
    let listing = stage.vms.list().await.unwrap();
    assert!(listing.instances[0].protected);
    let denied = kind(&stage, &listing.instances[0].id).await;
    assert!(matches!(denied, ErrorKind::Denied { action } if action.contains("autoscale-keep")));
}

#[tokio::test]
async fn a_lost_delete_is_unclear_and_a_busy_machine_is_for_later() {
    let stage = Stage::new(ArmSettings::default(), config());
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap().instance;
    let deletes = || Requests::any().method("DELETE");
    stage.arm.add_fault(Fault::once(deletes(), Trouble::Refused(409, "Conflict".to_owned())));
    stage.arm.add_fault(Fault::once(deletes(), Trouble::Refused(500, "InternalServerError".to_owned())));
    stage.arm.add_fault(Fault::once(deletes(), Trouble::AnswerLost));
    assert!(matches!(kind(&stage, &bought).await, ErrorKind::Throttled { .. }));
    assert_eq!(kind(&stage, &bought).await, ErrorKind::Unclear);
    assert_eq!(kind(&stage, &bought).await, ErrorKind::Unclear);
    stage.vms.terminate(&end(&bought)).await.unwrap();
    assert_eq!(stage.arm.faults_left(), 0);
}
