//! What goes out, and what each answer means.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_core::data::order::{LaunchOrder, TerminateOrder};
use autoscale_core::data::policy::Purchase;
use autoscale_core::data::view::{Ownership, Phase};
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Clock, ErrorKind, NodeProvider};
use autoscale_core::words::{ClusterId, Deadline, InstanceId, Span, Timestamp, Zone};

use crate::account::{SUBNETS, keyless};
use crate::contract::{Stage, nodes, offering, order};
use crate::wire::Fault;

fn spot(seq: u64) -> LaunchOrder {
    order(seq, "eu-central-1a", Purchase::Spot)
}

#[tokio::test]
async fn a_launch_asks_for_exactly_one_guarded_and_tagged_machine() {
    let stage = Stage::new();
    let mut from_image = order(2, "eu-central-1b", Purchase::OnDemand);
    from_image.pinned = "resolve:ssm:/images/worker".to_owned();
    for order in [spot(1), from_image] {
        stage.nodes().launch(&order).await.unwrap();
    }
    let state = stage.account().lock();
    let field = |machine: usize, name: &str| state.machines[machine].asked.get(name).map(String::as_str);
    for (name, first, second) in [
        ("ClientToken", Some("abcd-1-0-1"), Some("abcd-2-0-1")),
        ("MinCount", Some("1"), Some("1")),
        ("MaxCount", Some("1"), Some("1")),
        ("InstanceType", Some("m6i.large"), Some("m6i.large")),
        ("LaunchTemplate.LaunchTemplateName", Some("workers"), None),
        ("LaunchTemplate.Version", Some("7"), None),
        ("ImageId", None, Some("resolve:ssm:/images/worker")),
        ("SubnetId", Some("subnet-0000000a"), Some("subnet-0000001b")),
        ("InstanceMarketOptions.MarketType", Some("spot"), None),
        ("InstanceMarketOptions.SpotOptions.SpotInstanceType", Some("one-time"), None),
        ("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", Some("terminate"), None),
        ("MetadataOptions.HttpTokens", Some("required"), Some("required")),
        ("MetadataOptions.HttpPutResponseHopLimit", Some("1"), Some("1")),
        ("MetadataOptions.InstanceMetadataTags", Some("enabled"), Some("enabled")),
    ] {
        assert_eq!((field(0, name), field(1, name)), (first, second), "{name}");
    }
    let kinds: Vec<_> = crate::query::tags(&state.machines[0].asked).into_keys().collect();
    assert_eq!(kinds, ["instance", "network-interface", "spot-instances-request", "volume"]);
    let tag = |key: &str| state.machines[0].tags.iter().find(|tag| tag.0 == key).map(|tag| tag.1.as_str());
    assert_eq!((tag("asc:op"), tag("k3s-cluster")), (Some("abcd-1-0-1"), Some("shop & <sons>")));
}

#[tokio::test]
async fn every_answer_to_a_launch_has_its_meaning() {
    let no_capacity = || ErrorKind::NoCapacity { offering: offering("eu-central-1a", Purchase::Spot) };
    let denied = |action: &str| ErrorKind::Denied { action: action.to_owned() };
    let throttled = || ErrorKind::Throttled { retry_after: None };
    let pass_role = "You are not authorized to perform this operation. User: u is not authorized to perform: iam:PassRole on resource: r";
    for (fault, kind) in [
        (Fault::Refused(500, "InsufficientInstanceCapacity", "none"), no_capacity()),
        (Fault::Refused(400, "MaxSpotInstanceCountExceeded", "none"), no_capacity()),
        (Fault::Refused(400, "SpotMaxPriceTooLow", "none"), no_capacity()),
        (Fault::Refused(400, "VcpuLimitExceeded", "none"), no_capacity()),
        (Fault::Refused(400, "InstanceLimitExceeded", "none"), no_capacity()),
        (Fault::Refused(400, "InsufficientFreeAddressesInSubnet", "none"), no_capacity()),
        (Fault::Refused(400, "Unsupported", "not in this zone"), no_capacity()),
        (Fault::Refused(503, "RequestLimitExceeded", "slow"), throttled()),
        (Fault::Refused(400, "Throttling", "slow"), throttled()),
        (Fault::Refused(400, "IdempotentParameterMismatch", "other"), ErrorKind::TokenMismatch),
        (Fault::Refused(400, "IdempotentInstanceTerminated", "gone"), ErrorKind::TokenSpent),
        (Fault::Refused(403, "UnauthorizedOperation", "no"), denied("ec2:RunInstances")),
        (Fault::Refused(403, "UnauthorizedOperation", pass_role), denied("iam:PassRole")),
        (Fault::Refused(400, "PendingVerification", "wait"), denied("PendingVerification")),
        (Fault::Refused(401, "AuthFailure", "who"), ErrorKind::Unavailable),
        (Fault::Refused(400, "InvalidAMIID.NotFound", "none"), ErrorKind::Invalid),
        (Fault::Refused(500, "InternalError", "internal"), ErrorKind::Unclear),
        (Fault::Refused(503, "Unavailable", "later"), ErrorKind::Unclear),
        (Fault::Gateway(502), ErrorKind::Unclear),
        (Fault::Gateway(404), ErrorKind::Unclear),
        (Fault::RequestLost, ErrorKind::Unclear),
        (Fault::AnswerLost, ErrorKind::Unclear),
    ] {
        let stage = Stage::new();
        stage.0.plan("RunInstances", fault.clone());
        let error = stage.nodes().launch(&spot(1)).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{fault:?}: {error}");
        assert_eq!(stage.0.sent("RunInstances"), 1, "{fault:?}");
        // Whatever it was, the same token buys one.
        stage.nodes().launch(&spot(1)).await.unwrap();
        assert_eq!(stage.account().lock().machines.len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_sent_is_not_sent() {
    let stage = Stage::new();
    let mut late = spot(1);
    late.not_after = Deadline::from_millis(1);
    let mut foreign = spot(1);
    foreign.cluster = ClusterId::new("other").unwrap();
    let mut unpinned = spot(1);
    unpinned.pinned = "workers:$Latest".to_owned();
    let mut nowhere = spot(1);
    nowhere.offering.zone = Zone::new("eu-central-1c").unwrap();
    for (order, kind) in [
        (late, ErrorKind::NotSent),
        (foreign, ErrorKind::Invalid),
        (unpinned, ErrorKind::Invalid),
        (nowhere, ErrorKind::Invalid),
    ] {
        let error = stage.nodes().launch(&order).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{error}");
    }
    stage.0.plan("DescribeSubnets", Fault::RequestLost);
    let error = stage.nodes().launch(&spot(1)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotSent, "{error}");
    assert_eq!(stage.0.sent("RunInstances"), 0);
}

/// A clock that goes on by a second with every look at it.
#[derive(Debug, Default)]
struct Hasty(AtomicU64);

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }
    fn boot(&self) -> Deadline {
        Deadline::from_millis(self.0.fetch_add(1_000, Ordering::Relaxed))
    }
    async fn sleep(&self, _: Span) {}
}

#[tokio::test]
async fn time_that_runs_out_on_the_way_is_noticed_after_signing() {
    let stage = Stage::new();
    let launched = stage.nodes().launch(&spot(1)).await.unwrap();
    stage.account().settle();
    let mut end = TerminateOrder::new(ClusterId::new("shop").unwrap(), launched.instance);
    let mut launch = spot(2);
    // In time at the first look, and not at the second.
    (end.not_after, launch.not_after) = (Deadline::from_millis(500), Deadline::from_millis(500));
    let hasty = || stage.nodes_by(Arc::new(Hasty::default()));
    for error in [hasty().launch(&launch).await.unwrap_err(), hasty().terminate(&end).await.unwrap_err()] {
        assert_eq!(*error.kind(), ErrorKind::NotSent, "{error}");
        assert!(error.chain().contains("its time was up 500ms ago"), "{}", error.chain());
    }
    assert_eq!((stage.0.sent("RunInstances"), stage.0.sent("TerminateInstances")), (1, 0));
}

/// What never leaves this process is not unclear.
#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let stage = Stage::new();
    let keyless = nodes(keyless(&stage.0), Arc::new(SystemClock::new()));
    assert_eq!(*keyless.list().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(*keyless.launch(&spot(1)).await.unwrap_err().kind(), ErrorKind::NotSent);
    assert_eq!(stage.account().lock().machines.len(), 0);
}

#[tokio::test]
async fn no_launch_leaves_when_the_clocks_differ() {
    for (ahead, which) in [(40_000, "behind"), (-40_000, "ahead of")] {
        let stage = Stage::new();
        stage.account().lock().ahead = ahead;
        let nodes = stage.nodes();
        nodes.list().await.unwrap();
        let error = nodes.launch(&spot(1)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotSent);
        assert!(error.to_string().contains(&format!("s {which} EC2's: set it right")), "{error}");
        // Ending is safe at any time.
        let id = InstanceId::new("i-0123456789abcdef0").unwrap();
        nodes.terminate(&TerminateOrder::new(ClusterId::new("shop").unwrap(), id)).await.unwrap();
        stage.account().lock().ahead = 20_000;
        nodes.list().await.unwrap();
        nodes.launch(&spot(1)).await.unwrap();
        assert_eq!(stage.0.sent("RunInstances"), 1);
    }
}

#[tokio::test]
async fn what_was_just_launched_can_be_ended_before_any_list_shows_it() {
    let stage = Stage::new();
    let nodes = stage.nodes();
    let launched = nodes.launch(&spot(1)).await.unwrap();
    let end = TerminateOrder::new(ClusterId::new("shop").unwrap(), launched.instance.clone());
    // Another process has no proof of what it is, and does nothing.
    stage.nodes().terminate(&end).await.unwrap();
    assert_eq!(stage.account().lock().machines[0].state, "pending");
    nodes.terminate(&end).await.unwrap();
    assert_eq!(stage.account().lock().machines[0].state, "shutting-down");
}

#[tokio::test]
async fn every_answer_to_a_terminate_has_its_meaning() {
    let denied = |action: &str| Some(ErrorKind::Denied { action: action.to_owned() });
    for (fault, kind) in [
        (Fault::Refused(400, "InvalidInstanceID.NotFound", "none"), None),
        (Fault::Refused(400, "OperationNotPermitted", "protected"), denied("termination protection")),
        (Fault::Refused(403, "UnauthorizedOperation", "no"), denied("ec2:TerminateInstances")),
        (
            Fault::Refused(503, "RequestLimitExceeded", "slow"),
            Some(ErrorKind::Throttled { retry_after: None }),
        ),
        (Fault::Refused(500, "InternalError", "internal"), Some(ErrorKind::Unclear)),
        (Fault::Gateway(502), Some(ErrorKind::Unclear)),
        (Fault::AnswerLost, Some(ErrorKind::Unclear)),
    ] {
        let stage = Stage::new();
        let nodes = stage.nodes();
        let launched = nodes.launch(&spot(1)).await.unwrap();
        stage.account().settle();
        stage.0.plan("TerminateInstances", fault.clone());
        let end = TerminateOrder::new(ClusterId::new("shop").unwrap(), launched.instance);
        let answer = nodes.terminate(&end).await;
        assert_eq!(answer.err().map(|error| error.kind().clone()), kind, "{fault:?}");
        assert_eq!(stage.0.sent("TerminateInstances"), 1, "{fault:?}");
    }
    // A look that fails ends nothing.
    let stage = Stage::new();
    let nodes = stage.nodes();
    let launched = nodes.launch(&spot(1)).await.unwrap();
    stage.account().settle();
    stage.0.plan("DescribeInstances", Fault::AnswerLost);
    let end = TerminateOrder::new(ClusterId::new("shop").unwrap(), launched.instance);
    assert_eq!(*nodes.terminate(&end).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(stage.0.sent("TerminateInstances"), 0);
}

#[tokio::test]
async fn a_list_has_every_page_and_says_when_it_was_answered() {
    let stage = Stage::new();
    let nodes = stage.nodes();
    for seq in 1..=7 {
        nodes.launch(&spot(seq)).await.unwrap();
    }
    let worker = stage.account().place(&[("k3s-role", "worker"), ("k3s-cluster", "shop & <sons>")]);
    stage.account().settle();
    stage.account().lock().page = 3;
    let listing = nodes.list().await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.instances.len(), 8);
    let of = |ownership| listing.instances.iter().filter(|listed| listed.ownership == ownership).count();
    assert_eq!((of(Ownership::Ours), of(Ownership::WorkerTag)), (7, 1));
    let found = listing.instances.iter().find(|listed| listed.id.as_str() == worker).unwrap();
    assert_eq!((found.phase, found.private_address.as_deref()), (Phase::Running, Some("10.0.0.7")));
    let (at, now) = (listing.at.as_millis(), jiff::Timestamp::now().as_millisecond());
    assert!((now - 60_000..=now).contains(&at), "{at} of {now}");
    // Half a list says so, and has what was read.
    stage.account().lock().cut = true;
    let half = nodes.list().await.unwrap();
    assert!(!half.complete && half.instances.len() >= 3, "{half:?}");
}

#[tokio::test]
async fn zones_are_looked_up_once() {
    let stage = Stage::new();
    let nodes = stage.nodes();
    let zones: Vec<_> = nodes.zones().await.unwrap().iter().map(|zone| zone.as_str().to_owned()).collect();
    assert_eq!(zones, ["eu-central-1a", "eu-central-1b"]);
    nodes.launch(&spot(1)).await.unwrap();
    assert_eq!(stage.0.sent("DescribeSubnets"), 1);
    assert_eq!(SUBNETS.len(), 3);
}

#[tokio::test]
async fn the_check_names_every_missing_action_and_does_nothing() {
    let stage = Stage::new();
    let nodes = stage.nodes();
    let launches = [spot(9), order(9, "eu-central-1b", Purchase::OnDemand)];
    nodes.check(&launches).await.unwrap();
    assert_eq!(stage.account().lock().machines.len(), 0);
    nodes.launch(&spot(1)).await.unwrap();
    stage.account().settle();
    nodes.check(&launches).await.unwrap();
    stage.account().lock().forbidden.extend(["RunInstances", "TerminateInstances"]);
    let wrong = nodes.check(&launches).await.unwrap_err();
    let kinds: Vec<_> = wrong.iter().map(|error| error.kind().clone()).collect();
    let denied = |action: &str| ErrorKind::Denied { action: action.to_owned() };
    assert_eq!(
        kinds,
        [denied("ec2:RunInstances"), denied("ec2:RunInstances"), denied("ec2:TerminateInstances")]
    );
    let state = stage.account().lock();
    assert_eq!((state.machines.len(), state.machines[0].state), (1, "running"));
}
