//! Requests and answers, without a client.

use autoscale_core::data::policy::Purchase;
use autoscale_core::data::view::{Ownership, Phase};
use autoscale_core::words::{ClusterId, Inc, Token, Zone};
use azure_mgmt_compute::package_2024_07_01::models::VirtualMachine;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::config::{Image, VmConfig, VmConfigBuilder};
use super::request::{self, body, name};
use super::response::Machine;

fn id(rest: &str) -> String {
    format!("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/{rest}")
}

fn config() -> VmConfigBuilder {
    let definition = id("Microsoft.Compute/galleries/g/images/node");
    VmConfig::builder(
        ClusterId::new("shop").unwrap(),
        "11111111-2222-3333-4444-555555555555",
        "workers",
        "West Europe",
    )
    .with_subnet(id("Microsoft.Network/virtualNetworks/v/subnets/s"))
    .with_image(Image::Gallery { definition, version: "latest".to_owned() })
    .with_admin("scale", "ssh-ed25519 AAAA x")
}

fn order(zone: &str, purchase: Purchase) -> autoscale_core::data::order::LaunchOrder {
    serde_json::from_value(json!({
        "cluster": "shop", "pool": "web", "pinned": "", "token": "abcd-1-2-3",
        "offering": { "zone": zone, "purchase": purchase, "shape": "Standard_D2s_v5" },
    }))
    .unwrap()
}

#[test]
fn a_name_is_the_same_in_every_attempt_and_fits() {
    let inc = Inc::new("z".repeat(16)).unwrap();
    let names: Vec<_> =
        (1..4).map(|attempt| name(&Token::of(&inc, u64::MAX, u32::MAX, attempt)).unwrap()).collect();
    assert!(names.iter().all(|name| *name == names[0] && name.len() <= 51), "{names:?}");
    assert!(request::is_name(&names[0]));
    assert_ne!(name(&Token::of(&inc, 1, 1, 1)), name(&Token::of(&inc, 1, 2, 1)));
    assert_eq!(name(&Token::new("by-hand").unwrap()), None);
}

#[test]
fn a_body_is_a_machine_of_the_sdk() {
    let identity = id("Microsoft.ManagedIdentity/userAssignedIdentities/i");
    let config = config()
        .with_identity(&identity)
        .with_custom_data("#cloud-config\n")
        .with_disk(super::DiskKind::Premium, Some(64))
        .build()
        .unwrap();
    let body = body(&config, &order("westeurope-3", Purchase::Spot), "as-abcd-1-2").unwrap();
    let model: VirtualMachine = serde_json::from_value(body.clone()).unwrap();
    let mut back = serde_json::to_value(&model).unwrap();
    // What its model has no place for, and what it would send of its own.
    assert_eq!(back["properties"].as_object_mut().unwrap().remove("timeCreated"), Some(Value::Null));
    back["identity"]["userAssignedIdentities"] = json!({ identity: {} });
    assert_eq!(back, body);
    let at = |pointer: &str| body.pointer(pointer).unwrap().clone();
    assert_eq!(at("/zones"), json!(["3"]));
    assert_eq!(at("/properties/evictionPolicy"), json!("Delete"));
    assert_eq!(at("/properties/osProfile/customData"), json!("I2Nsb3VkLWNvbmZpZwo="));
    for part in [
        "/properties/storageProfile/osDisk",
        "/properties/networkProfile/networkInterfaceConfigurations/0/properties",
    ] {
        assert_eq!(at(part)["deleteOption"], json!("Delete"), "{part}");
    }
}

#[test]
fn on_demand_and_without_zones_is_plain() {
    let config = config().build().unwrap();
    let body = body(&config, &order("westeurope", Purchase::OnDemand), "n").unwrap();
    assert_eq!((body.get("zones"), body.get("identity")), (None, None));
    assert_eq!(body["properties"]["priority"], "Regular");
    assert_eq!(body["properties"].get("evictionPolicy"), None);
    for zone in ["northeurope-1", "westeurope-", "westeurope-12", "westeurope-x", "1"] {
        assert_eq!(
            request::zone_number(&config, &Zone::new(zone).unwrap_or(Zone::new("x").unwrap())),
            None,
            "{zone}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let wrong = VmConfig::builder(ClusterId::new("shop").unwrap(), "me", "a/b", "nowhere!")
        .with_subnet("subnet-1")
        .with_image(Image::Gallery { definition: "x".to_owned(), version: "new".to_owned() })
        .with_admin("root", "-----BEGIN PRIVATE KEY-----")
        .with_security_group("sg")
        .with_scale_set("set")
        .with_identity("me")
        .with_custom_data(vec![0; 65_536])
        .with_disk(super::DiskKind::Standard, Some(0))
        .with_tag_prefix("a/b")
        .with_tag("<", "x")
        .with_endpoint("http://elsewhere.example".parse().unwrap(), "scope")
        .with_watch(autoscale_core::words::Span::from_secs(5))
        .with_timeout(autoscale_core::words::Span::ZERO)
        .with_max_pages(0)
        .build()
        .unwrap_err();
    assert_eq!(wrong.iter().count(), 20, "{wrong}");
    let text = wrong.to_string();
    for part in [
        "subscription: \"me\": expected a subscription id",
        "watch: \"5s\": expected 0s to 4s",
        "http to this machine",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("PRIVATE KEY"), "{text}");
    assert_eq!(config().with_tag("Autoscale-Cluster", "x").build().unwrap_err().iter().count(), 1);
}

#[test]
fn phases_follow_states() {
    let config = config().build().unwrap();
    let phase = |state: &str, codes: &[&str]| {
        let statuses: Vec<_> = codes.iter().map(|code| json!({ "code": code })).collect();
        let view = if codes.is_empty() { Value::Null } else { json!({ "statuses": statuses }) };
        let row = json!({ "name": "n", "properties": { "provisioningState": state, "instanceView": view } });
        Machine::parse(&config, &row).unwrap().phase()
    };
    for (state, codes, expected) in [
        ("Creating", &[][..], Phase::Pending),
        ("Succeeded", &[], Phase::Running),
        ("Succeeded", &["PowerState/deallocated"], Phase::Stopped),
        ("Updating", &["ProvisioningState/updating", "PowerState/running"], Phase::Running),
        ("Failed", &["ProvisioningState/failed/AllocationFailed"], Phase::Pending),
        ("Failed", &["ProvisioningState/failed/X", "powerstate/Running"], Phase::Running),
        ("Deleting", &["PowerState/running"], Phase::ShuttingDown),
        ("Succeeded", &["PowerState/dreaming"], Phase::Unknown),
        ("Dreaming", &["PowerState/running"], Phase::Unknown),
        ("", &[], Phase::Unknown),
    ] {
        assert_eq!(phase(state, codes), expected, "{state} {codes:?}");
    }
}

#[test]
fn a_failed_machine_is_given_up_only_by_its_runtime_state() {
    let config = config().build().unwrap();
    let stillborn = |view: Value| {
        let row =
            json!({ "name": "n", "properties": { "provisioningState": "Failed", "instanceView": view } });
        Machine::parse(&config, &row).unwrap().is_stillborn()
    };
    let statuses = |codes: &[&str]| json!({ "statuses": codes.iter().map(|code| json!({ "code": code })).collect::<Vec<_>>() });
    for (view, expected) in [
        (Value::Null, false),
        (statuses(&[]), false),
        (statuses(&["ProvisioningState/updating"]), false),
        (statuses(&["ProvisioningState/failed"]), true),
        (statuses(&["ProvisioningState/failed/AllocationFailed"]), true),
        (statuses(&["ProvisioningState/failed/X", "PowerState/running"]), false),
        (statuses(&["ProvisioningState/failed/X", "PowerState/unknown"]), false),
    ] {
        assert_eq!(stillborn(view.clone()), expected, "{view}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        any::<i64>().prop_map(Value::from)
    ];
    let key = prop_oneof![
        Just("name".to_owned()),
        Just("tags".to_owned()),
        Just("zones".to_owned()),
        Just("properties".to_owned()),
        Just("provisioningState".to_owned()),
        Just("instanceView".to_owned()),
        Just("statuses".to_owned()),
        ".*",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_panics_and_none_is_ours_without_tags(row in json_value()) {
        let config = config().build().unwrap();
        if let Some(machine) = Machine::parse(&config, &row) {
            prop_assert_eq!(machine.ownership, Ownership::Foreign);
            let _ = machine.listed();
        }
    }

    #[test]
    fn what_is_said_never_panics(status: u16, bytes: Vec<u8>, text in ".*") {
        let _ = super::error::Said::of(status, &bytes);
        let body = json!({ "error": { "code": text.clone(), "message": text } }).to_string();
        let _ = super::error::Said::of(status, body.as_bytes()).kind(super::error::Meant::Look, None);
    }
}
