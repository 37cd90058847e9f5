//! The custom roles are enough, and nothing in them is too much.

use std::collections::{BTreeMap, BTreeSet};

use autoscale_azure::fake::{Arm, ArmSettings, Part, Shortage};
use autoscale_azure::vm::Image;
use autoscale_core::ports::{ErrorKind, NodeProvider};
use autoscale_core::words::Span;
use serde_json::Value;

use crate::stage::{GROUP, SCALER, config, end, id, order, provider};

/// Every role with the scope at which its description says to assign it.
fn roles() -> Vec<(Value, String)> {
    let role = |text: &str| serde_json::from_str(text).unwrap();
    vec![
        (role(include_str!("../../roles/workers.json")), format!("{GROUP}/workers")),
        (role(include_str!("../../roles/network.json")), format!("{GROUP}/network")),
        (role(include_str!("../../roles/image.json")), id("images", "Microsoft.Compute/galleries/g")),
        (
            role(include_str!("../../roles/identity.json")),
            id("identities", "Microsoft.ManagedIdentity/userAssignedIdentities/node"),
        ),
        (
            role(include_str!("../../roles/scale-set.json")),
            id("sets", "Microsoft.Compute/virtualMachineScaleSets/set"),
        ),
        (
            role(include_str!("../../roles/operations.json")),
            "/subscriptions/11111111-2222-3333-4444-555555555555".to_owned(),
        ),
    ]
}

fn actions() -> BTreeSet<String> {
    let all = roles();
    let listed = all.iter().flat_map(|(role, _)| role["Actions"].as_array().unwrap().clone());
    listed.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// Everything that the provider does, step by step; the first step that does not go as it should.
async fn story(denied: Option<&str>) -> (Arm, Result<(), (&'static str, ErrorKind)>) {
    let settings =
        ArmSettings::default().with_times(Span::from_secs(1), Span::from_secs(1)).without_cascade();
    let arm = Arm::new(settings);
    for (role, scope) in roles() {
        arm.grant(SCALER, &role, &scope);
    }
    if let Some(action) = denied {
        arm.deny(SCALER, action);
    }
    let told = steps(&arm).await;
    (arm, told)
}

async fn steps(arm: &Arm) -> Result<(), (&'static str, ErrorKind)> {
    let rich = config()
        .with_security_group(id("network", "Microsoft.Network/networkSecurityGroups/workers"))
        .with_identity(id("identities", "Microsoft.ManagedIdentity/userAssignedIdentities/node"))
        .with_scale_set(id("sets", "Microsoft.Compute/virtualMachineScaleSets/set"));
    let definition = id("images", "Microsoft.Compute/galleries/g/images/node");
    let newest = config().with_image(Image::Gallery { definition, version: "latest".to_owned() });
    let (rich, newest) = (provider(arm, rich), provider(arm, newest));
    let at = |step: &'static str| move |error: autoscale_core::ports::Error| (step, error.kind().clone());
    rich.list().await.map_err(at("list"))?;
    let bought = rich.launch(&order(1, 1)).await.map_err(at("launch"))?.instance;
    newest.launch(&order(2, 1)).await.map_err(at("launch the newest image"))?;
    // A machine that fails at once is seen to fail.
    arm.add_shortage(Shortage::late("AllocationFailed"));
    match rich.launch(&order(3, 1)).await.map_err(|error| error.kind().clone()) {
        Err(ErrorKind::NoCapacity { .. }) => {}
        other => return Err(("fail at once", other.err().unwrap_or(ErrorKind::Invalid))),
    }
    arm.clear_shortages();
    arm.settle();
    // It has left its interface and its disk.
    rich.launch(&order(3, 2)).await.map_err(at("clear what was left"))?;
    let interfaces = arm.parts().iter().filter(|part| matches!(part, Part::Interface(_))).count();
    if interfaces != 3 {
        return Err(("clear what was left", ErrorKind::Invalid));
    }
    rich.terminate(&end(&bought)).await.map_err(at("terminate"))
}

#[tokio::test]
async fn the_roles_are_enough_and_all_of_them_are_used() {
    let (arm, told) = story(None).await;
    assert_eq!(told, Ok(()));
    assert_eq!(arm.actions_used(SCALER), actions());
}

#[tokio::test]
async fn each_action_is_missed_and_named() {
    let at_launch = "launch";
    let missed = BTreeMap::from([
        ("Microsoft.Compute/virtualMachines/read", "list"),
        ("Microsoft.Compute/virtualMachines/write", at_launch),
        ("Microsoft.Compute/virtualMachines/delete", "clear what was left"),
        ("Microsoft.Compute/disks/write", at_launch),
        ("Microsoft.Compute/disks/delete", "clear what was left"),
        ("Microsoft.Network/networkInterfaces/write", at_launch),
        ("Microsoft.Network/networkInterfaces/join/action", at_launch),
        ("Microsoft.Network/networkInterfaces/delete", "clear what was left"),
        ("Microsoft.Network/virtualNetworks/subnets/join/action", at_launch),
        ("Microsoft.Network/networkSecurityGroups/join/action", at_launch),
        ("Microsoft.Compute/galleries/images/read", "launch the newest image"),
        ("Microsoft.Compute/galleries/images/versions/read", at_launch),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", at_launch),
        ("Microsoft.Compute/virtualMachineScaleSets/write", at_launch),
        ("Microsoft.Compute/locations/operations/read", "fail at once"),
    ]);
    assert_eq!(missed.keys().map(|action| (*action).to_owned()).collect::<BTreeSet<_>>(), actions());
    for (action, step) in missed {
        let (_, told) = story(Some(action)).await;
        let (failed, kind) = told.expect_err(action);
        assert_eq!(failed, step, "without {action}: {kind:?}");
        // Whoever may not ask for an operation is not refused, but sees the failure later.
        if step != "fail at once" {
            assert_eq!(kind, ErrorKind::Denied { action: action.to_owned() });
        }
    }
}

#[tokio::test]
async fn nothing_outside_the_scopes_is_allowed() {
    let arm = Arm::default();
    arm.grant(SCALER, &roles()[0].0, &format!("{GROUP}/other"));
    let denied = provider(&arm, config()).list().await.unwrap_err();
    let action = "Microsoft.Compute/virtualMachines/read".to_owned();
    assert_eq!(*denied.kind(), ErrorKind::Denied { action });
}
