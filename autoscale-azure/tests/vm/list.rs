//! What a list shows.

use autoscale_azure::fake::{ArmSettings, Fault, Requests, Trouble};
use autoscale_core::data::view::{Ownership, Phase};
use autoscale_core::ports::{ErrorKind, NodeProvider};
use autoscale_core::words::Span;
use serde_json::json;

use crate::stage::{Stage, body, config, id, order};

#[tokio::test]
async fn every_page_is_read() {
    let stage = Stage::new(ArmSettings::default().with_page(3), config());
    for seq in 1..=10 {
        stage.vms.launch(&order(seq, 1)).await.unwrap();
    }
    let listing = stage.vms.list().await.unwrap();
    assert!(listing.complete && listing.instances.len() == 10);
    let pages = stage.arm.log().iter().filter(|entry| entry.query.contains("skiptoken")).count();
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_an_error_and_one_too_many_is_incomplete() {
    let stage = Stage::new(ArmSettings::default().with_page(1), config().with_max_pages(2));
    for seq in 1..=2 {
        stage.vms.launch(&order(seq, 1)).await.unwrap();
    }
    assert!(stage.vms.list().await.unwrap().complete);
    let second = || Requests::any().part("skiptoken");
    for trouble in [Trouble::AnswerLost, Trouble::Garbled, Trouble::Refused(500, "X".to_owned())] {
        stage.arm.add_fault(Fault::once(second(), trouble.clone()));
        let error = stage.vms.list().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unavailable, "{trouble:?}");
    }
    stage.vms.launch(&order(3, 1)).await.unwrap();
    let listing = stage.vms.list().await.unwrap();
    assert!(!listing.complete && listing.instances.len() == 2);
}

#[tokio::test]
async fn a_token_goes_to_no_other_host() {
    let stage = Stage::new(ArmSettings::default(), config());
    stage.vms.launch(&order(1, 1)).await.unwrap();
    let before = stage.arm.log().len();
    stage.arm.add_fault(Fault::once(Requests::any().method("GET"), Trouble::ForeignNext));
    assert!(!stage.vms.list().await.unwrap().complete);
    assert_eq!(stage.arm.log().len(), before + 1, "the address was not followed");
}

#[tokio::test]
async fn the_time_is_the_servers() {
    let stage = Stage::new(ArmSettings::default(), config());
    stage.arm.advance(Span::from_millis(12_345));
    let now = stage.arm.now();
    stage.vms.launch(&order(1, 1)).await.unwrap();
    let listing = stage.vms.list().await.unwrap();
    assert!(listing.at >= now.before(Span::from_secs(1)) && listing.at.as_millis() % 1_000 == 0);
    let launched = listing.instances[0].launched_at.unwrap();
    assert!(launched <= listing.at && now.since(launched) < Span::from_secs(1), "{launched} {now}");
}

#[tokio::test]
async fn phases_follow_provisioning_and_power() {
    let set = id("workers", "Microsoft.Compute/virtualMachineScaleSets/set");
    let stage = Stage::new(ArmSettings::default(), config().with_scale_set(&set));
    let phase = async || stage.vms.list().await.unwrap().instances.first().map(|instance| instance.phase);
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap().instance;
    assert_eq!(phase().await, Some(Phase::Pending));
    stage.arm.settle();
    assert_eq!(phase().await, Some(Phase::Running));
    stage.arm.deallocate("as-abcd-1-0");
    assert_eq!(phase().await, Some(Phase::Stopped));
    stage.vms.terminate(&crate::stage::end(&bought)).await.unwrap();
    assert_eq!(phase().await, Some(Phase::ShuttingDown));
    stage.arm.settle();
    assert_eq!(phase().await, Some(Phase::Terminated));
}

#[tokio::test]
async fn what_nobody_can_name_makes_a_list_incomplete() {
    let stage = Stage::new(ArmSettings::default(), config());
    stage.arm.place("as good as it gets", body(json!({ "mine": "worker" })));
    let listing = stage.vms.list().await.unwrap();
    assert!(!listing.complete && listing.instances.is_empty());
}

#[tokio::test]
async fn tags_are_believed_only_as_a_whole() {
    let stage = Stage::new(ArmSettings::default(), config());
    for (name, tags) in [
        ("a", json!({ "autoscale-cluster": "shop", "autoscale-role": "worker" })),
        (
            "b",
            json!({ "autoscale-cluster": "shop", "autoscale-role": "worker", "autoscale-pool": "Not A Pool" }),
        ),
        (
            "c",
            json!({ "autoscale-cluster": "other", "autoscale-role": "worker", "autoscale-pool": "web", "mine": "worker" }),
        ),
        ("d", json!({ "AUTOSCALE-CLUSTER": "shop", "Autoscale-Role": "worker", "autoscale-pool": "web" })),
        ("e", json!({ "autoscale-role": "control-plane", "mine": "worker" })),
        ("f", json!({ "mine": "worker" })),
        ("g", json!({ "mine": "someone else" })),
    ] {
        stage.arm.place(name, body(tags));
    }
    let listing = stage.vms.list().await.unwrap();
    let found: Vec<_> =
        listing.instances.iter().map(|i| (i.id.as_str().rsplit('/').next().unwrap(), i.ownership)).collect();
    assert_eq!(found, [("d", Ownership::Ours), ("e", Ownership::ControlPlane), ("f", Ownership::WorkerTag)]);
}

#[tokio::test]
async fn a_missing_group_is_no_empty_list() {
    let stage = Stage::new(ArmSettings::default(), config());
    stage
        .arm
        .add_fault(Fault::once(Requests::any(), Trouble::Refused(404, "ResourceGroupNotFound".to_owned())));
    let error = stage.vms.list().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
}
