//! What stands under a name decides what a launch answers.

use autoscale_azure::fake::{Arm, ArmSettings, Fault, Part, Requests, Shortage, Trouble};
use autoscale_core::conformance::NodeStage;
use autoscale_core::data::policy::Purchase;
use autoscale_core::ports::{ErrorKind, NodeProvider};
use autoscale_core::words::Span;

use crate::stage::{LARGE, Stage, config, offering, order, order_for, provider, puts, small, token};

fn quick() -> ArmSettings {
    ArmSettings::default().with_times(Span::from_secs(1), Span::from_secs(1))
}

fn alive(arm: &Arm) -> Vec<String> {
    let alive = arm.truth().into_iter().filter(|machine| machine.alive);
    alive.map(|machine| machine.tags["autoscale-token"].clone()).collect()
}

async fn kind(stage: &Stage, order: &autoscale_core::data::order::LaunchOrder) -> ErrorKind {
    stage.vms.launch(order).await.unwrap_err().kind().clone()
}

#[tokio::test]
async fn every_put_forbids_to_overwrite() {
    let stage = Stage::new(quick(), config());
    stage.vms.launch(&order(1, 1)).await.unwrap();
    stage.vms.launch(&order(1, 1)).await.unwrap();
    let log = stage.arm.log();
    let conditions: Vec<_> = log
        .iter()
        .filter(|entry| entry.method == "PUT")
        .map(|entry| entry.if_none_match.as_deref())
        .collect();
    assert_eq!(conditions, [Some("*"), Some("*")]);
    assert!(log.iter().all(|entry| entry.query.contains("api-version=2024-07-01")), "{log:?}");
}

#[tokio::test]
async fn a_machine_that_fails_at_once_is_a_refusal_and_goes() {
    let stage = Stage::new(quick(), config());
    stage.arm.add_shortage(Shortage::late("AllocationFailed"));
    assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::NoCapacity { offering: small() });
    stage.arm.settle();
    assert!(stage.vms.list().await.unwrap().instances.is_empty());
    assert!(stage.arm.parts().is_empty(), "{:?}", stage.arm.parts());
}

#[tokio::test]
async fn a_machine_that_fails_later_is_deleted_before_the_next_attempt_takes_its_name() {
    let settings = quick().with_times(Span::from_secs(30), Span::from_secs(1)).without_cascade();
    let stage = Stage::new(settings, config());
    stage.arm.add_shortage(Shortage::late("AllocationFailed").of("Standard_D2s_v5", None));
    let failed = stage.vms.launch(&order(1, 1)).await.unwrap();
    stage.arm.settle();
    let listing = stage.vms.list().await.unwrap();
    // Alive, so that it is given up and deleted rather than forgotten.
    assert!(listing.instances.iter().any(|i| i.id == failed.instance && i.phase.is_alive()), "{listing:?}");
    let next = order_for(offering("westeurope-2", Purchase::OnDemand, LARGE), token(1, 2));
    let bought = stage.vms.launch(&next).await.unwrap();
    assert_eq!(bought.instance, failed.instance);
    stage.arm.settle();
    assert_eq!(alive(&stage.arm), ["abcd-1-0-2"]);
    let name = "as-abcd-1-0";
    assert_eq!(
        stage.arm.parts(),
        [Part::Disk(format!("{name}-os")), Part::Interface(format!("{name}-nic"))],
        "the interface and the disk of the failed machine went before"
    );
}

#[tokio::test]
async fn a_replay_of_a_failed_machine_says_why_it_failed() {
    for (code, expected) in [
        ("OverconstrainedZonalAllocationRequest", ErrorKind::NoCapacity { offering: small() }),
        ("OSProvisioningClientError", ErrorKind::TokenSpent),
    ] {
        let stage = Stage::new(quick().with_times(Span::from_secs(30), Span::from_secs(1)), config());
        stage.arm.add_shortage(Shortage::late(code));
        stage.vms.launch(&order(1, 1)).await.unwrap();
        stage.arm.settle();
        assert_eq!(kind(&stage, &order(1, 1)).await, expected, "{code}");
        stage.arm.settle();
        assert!(stage.vms.list().await.unwrap().instances.is_empty());
    }
}

#[tokio::test]
async fn a_machine_that_is_slow_to_go_is_waited_for_by_coming_back() {
    let stage = Stage::new(quick().with_times(Span::from_secs(1), Span::from_mins(3)), config());
    stage.arm.add_shortage(Shortage::late("AllocationFailed"));
    assert!(matches!(kind(&stage, &order(1, 1)).await, ErrorKind::NoCapacity { .. }));
    stage.arm.clear_shortages();
    let before = stage.clock().boot();
    let waits = kind(&stage, &order(1, 2)).await;
    assert!(matches!(waits, ErrorKind::Throttled { retry_after: Some(_) }), "{waits:?}");
    assert!(stage.clock().boot().since(before) <= Span::from_secs(5), "a call of the driver has 5 s");
    stage.arm.settle();
    stage.vms.launch(&order(1, 2)).await.unwrap();
    assert_eq!(alive(&stage.arm), ["abcd-1-0-2"]);
}

#[tokio::test]
async fn an_earlier_attempt_that_bought_after_all_is_the_machine_of_the_slot() {
    let stage = Stage::new(quick(), config());
    let first = stage.vms.launch(&order(1, 1)).await.unwrap();
    let second = order_for(offering("westeurope-2", Purchase::OnDemand, LARGE), token(1, 2));
    assert_eq!(stage.vms.launch(&second).await.unwrap(), first);
    assert_eq!(alive(&stage.arm), ["abcd-1-0-1"]);
}

#[tokio::test]
async fn an_old_attempt_does_not_touch_a_later_one() {
    let stage = Stage::new(quick(), config());
    stage.vms.launch(&order(1, 2)).await.unwrap();
    assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::TokenSpent);
    let failed = Stage::new(quick().with_times(Span::from_secs(30), Span::from_secs(1)), config());
    failed.arm.add_shortage(Shortage::late("AllocationFailed"));
    failed.vms.launch(&order(1, 2)).await.unwrap();
    failed.arm.settle();
    assert_eq!(kind(&failed, &order(1, 1)).await, ErrorKind::TokenSpent);
    let deletes = failed.arm.log().iter().filter(|entry| entry.method == "DELETE").count();
    assert_eq!(deletes, 0, "only a later attempt may clear the name");
}

#[tokio::test]
async fn a_put_that_arrives_late_finds_the_name_taken() {
    let stage = Stage::new(quick(), config());
    let late = Trouble::Late(Span::from_mins(10));
    stage.arm.add_fault(Fault::once(Requests::any().method("PUT"), late));
    assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::Unclear);
    stage.vms.launch(&order(1, 1)).await.unwrap();
    stage.arm.advance(Span::from_mins(20));
    assert_eq!(alive(&stage.arm), ["abcd-1-0-1"]);
    assert_eq!(stage.arm.truth().len(), 1, "one machine was ever made");
}

#[tokio::test]
async fn what_stands_there_and_is_not_ours_is_left_alone() {
    let stage = Stage::new(quick(), config());
    stage.arm.place("as-abcd-1-0", crate::stage::body(serde_json::json!({ "autoscale-cluster": "other" })));
    assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::TokenMismatch);
    assert!(stage.arm.truth()[0].alive);
}

#[tokio::test]
async fn a_disk_that_was_left_behind_is_deleted() {
    let stage = Stage::new(quick(), config());
    stage.arm.leave(Part::Disk("as-abcd-1-0-os".to_owned()));
    stage.vms.launch(&order(1, 1)).await.unwrap();
    assert_eq!((alive(&stage.arm).len(), puts(&stage.arm)), (1, 2));
}

#[tokio::test]
async fn quota_and_throttling_are_told_apart() {
    let stage = Stage::new(quick(), config());
    stage.arm.add_fault(Fault::once(Requests::any().method("PUT"), Trouble::Throttled(17)));
    let throttled = ErrorKind::Throttled { retry_after: Some(Span::from_secs(17)) };
    assert_eq!(kind(&stage, &order(1, 1)).await, throttled);
    let quota = Shortage::at_once("OperationNotAllowed").saying(
        "Operation could not be completed as it results in exceeding approved LowPriorityCores Quota.",
    );
    stage.arm.add_shortage(quota);
    assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::NoCapacity { offering: small() });
    assert!(stage.arm.truth().is_empty());
}

#[tokio::test]
async fn what_cannot_be_ordered_is_invalid_before_anything_is_sent() {
    let stage = Stage::new(quick(), config());
    let mut pinned = order(1, 1);
    pinned.pinned = "../../other".to_owned();
    let elsewhere = order_for(offering("northeurope-1", Purchase::Spot, LARGE), token(1, 1));
    let token = autoscale_core::words::Token::new("by-hand").unwrap();
    for order in [pinned, elsewhere, order_for(small(), token)] {
        assert_eq!(kind(&stage, &order).await, ErrorKind::Invalid, "{order:?}");
    }
    assert_eq!(puts(&stage.arm), 0);
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_name_is_told() {
    let stage = Stage::new(quick(), config());
    let unregistered = Trouble::Refused(409, "MissingSubscriptionRegistration".to_owned());
    stage.arm.add_fault(Fault::once(Requests::any().method("PUT"), unregistered).times(2));
    assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::Invalid);
    for (status, code) in [(409, "Conflict"), (412, "PreconditionFailed")] {
        let passing = Trouble::Refused(status, code.to_owned());
        stage.arm.add_fault(Fault::once(Requests::any().method("PUT"), passing).times(2));
        assert!(matches!(kind(&stage, &order(1, 1)).await, ErrorKind::Throttled { .. }), "{code}");
    }
    assert_eq!(stage.arm.faults_left(), 0);
}

#[tokio::test]
async fn a_failed_machine_that_runs_is_bought_and_is_not_deleted() {
    let stage = Stage::new(quick(), config());
    let bought = stage.vms.launch(&order(1, 1)).await.unwrap();
    stage.arm.settle();
    stage.arm.fail_update("as-abcd-1-0", "VMExtensionProvisioningError");
    assert_eq!(stage.vms.launch(&order(1, 1)).await.unwrap(), bought);
    assert_eq!(stage.vms.launch(&order(1, 2)).await.unwrap(), bought);
    let listing = stage.vms.list().await.unwrap();
    assert_eq!(listing.instances[0].phase, autoscale_core::data::view::Phase::Running);
    let deletes = stage.arm.log().iter().filter(|entry| entry.method == "DELETE").count();
    assert_eq!(deletes, 0);
}

#[tokio::test]
async fn a_look_that_fails_leaves_open_what_was_bought() {
    let stage = Stage::new(quick(), config());
    stage.vms.launch(&order(1, 1)).await.unwrap();
    for trouble in [
        Trouble::AnswerLost,
        Trouble::Throttled(1),
        Trouble::Refused(500, "InternalServerError".to_owned()),
        Trouble::Garbled,
    ] {
        stage.arm.add_fault(Fault::once(Requests::any().method("GET").part("instanceView"), trouble.clone()));
        assert_eq!(kind(&stage, &order(1, 1)).await, ErrorKind::Unclear, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_machine_has_what_was_configured() {
    let arm = Arm::new(quick());
    let config = config()
        .with_custom_data("#!/bin/sh\nexec /opt/join\n")
        .with_identity(crate::stage::id(
            "identities",
            "Microsoft.ManagedIdentity/userAssignedIdentities/node",
        ))
        .with_tag("team", "shop");
    let vms = provider(&arm, config);
    let mut ordered = order(7, 1);
    ordered.pinned = "4.5.6".to_owned();
    vms.launch(&ordered).await.unwrap();
    let truth = &arm.truth()[0];
    let tags: Vec<_> = truth.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        tags,
        [
            ("autoscale-cluster", "shop"),
            ("autoscale-pool", "web"),
            ("autoscale-role", "worker"),
            ("autoscale-token", "abcd-7-0-1"),
            ("mine", "worker"),
            ("team", "shop"),
        ]
    );
    let used = arm.actions_used(crate::stage::SCALER);
    assert!(used.contains("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"), "{used:?}");
    let other = Stage { vms: std::sync::Arc::new(vms), arm };
    ordered.pinned = "4.5.7".to_owned();
    assert_eq!(kind(&other, &ordered).await, ErrorKind::TokenMismatch);
    assert_eq!(other.bought(&ordered.token).await.len(), 1);
}
