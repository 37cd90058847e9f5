//! What is asked of Azure: names, tags, the body of a machine. Pure.

use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::Purchase;
use autoscale_core::words::{InstanceId, ShapeName, Token, Zone};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::check::is_version;
use super::config::{Image, VmConfig};

/// The kind of a machine.
pub(super) const MACHINES: &str = "Microsoft.Compute/virtualMachines";

/// The role of what this library buys, and of what it never touches.
pub(super) const WORKER: &str = "worker";
pub(super) const CONTROL_PLANE: &str = "control-plane";

/// The name of the machine of an operation: the same in every attempt of a slot, so that no two of them are ever there at once.
/// `None` for a token that this library has not made. At most 51 characters; Azure allows 64.
pub(super) fn name(token: &Token) -> Option<String> {
    let parts = token.parts()?;
    Some(format!("as-{}-{}-{}", parts.inc, parts.seq, parts.slot))
}

/// The name of a machine's disk.
pub(super) fn disk(machine: &str) -> String {
    format!("{machine}-os")
}

/// The name of a machine's interface.
pub(super) fn interface(machine: &str) -> String {
    format!("{machine}-nic")
}

/// The id of a machine of the workers' group, in one spelling whatever the case of Azure's answers.
pub(super) fn instance(config: &VmConfig, name: &str) -> Option<InstanceId> {
    InstanceId::new(config.resource(MACHINES, name)).ok()
}

/// The machine that an id names, if it is in the workers' group.
pub(super) fn machine_of<'a>(config: &VmConfig, id: &'a InstanceId) -> Option<&'a str> {
    let (place, name) = id.as_str().trim_start_matches('/').rsplit_once('/')?;
    let ours = config.resource(MACHINES, "");
    let ours = ours.trim_matches('/');
    (place.eq_ignore_ascii_case(ours) && is_name(name)).then_some(name)
}

/// Whether a text can be the name of a machine: letters, digits, inner dashes, dots and underscores, and so no part of a path.
pub(super) fn is_name(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A zone of the location, `westeurope-1`, as Azure's number; `Some(None)` is the location itself, without zones.
pub(super) fn zone_number<'a>(config: &VmConfig, zone: &'a Zone) -> Option<Option<&'a str>> {
    let zone = zone.as_str();
    if zone == config.location {
        return Some(None);
    }
    let number = zone.strip_prefix(config.location.as_str())?.strip_prefix('-')?;
    (number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit())).then_some(Some(number))
}

/// The zone of a machine, as Kubernetes writes it on its node.
pub(super) fn zone_of(config: &VmConfig, numbers: &[String]) -> Option<Zone> {
    match numbers {
        [] => Zone::new(&config.location).ok(),
        [number, ..] => Zone::new(format!("{}-{number}", config.location)).ok(),
    }
}

/// The image that an order asks for: the pinned version, else the configuration's.
pub(super) fn image(config: &VmConfig, pinned: &str) -> Option<Value> {
    let chosen = |version: &String| {
        let version = if pinned.is_empty() { version.clone() } else { pinned.to_owned() };
        is_version(&version).then_some(version)
    };
    Some(match &config.image {
        Image::Gallery { definition, version } => match chosen(version)?.as_str() {
            // An id without a version is the newest one.
            "latest" => json!({ "id": definition }),
            version => json!({ "id": format!("{definition}/versions/{version}") }),
        },
        Image::Marketplace { publisher, offer, sku, version } => {
            json!({ "publisher": publisher, "offer": offer, "sku": sku, "version": chosen(version)? })
        }
    })
}

/// What a machine is made of that an order asks for and a machine tells: for telling a replay from another order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Made {
    pub(super) zone: Option<Zone>,
    pub(super) shape: Option<ShapeName>,
    pub(super) purchase: Purchase,
    /// Of a gallery the id, else the four words; lower case.
    pub(super) image: Vec<String>,
}

impl Made {
    pub(super) fn ordered(config: &VmConfig, order: &LaunchOrder) -> Option<Self> {
        let Offering { zone, purchase, shape, .. } = &order.offering;
        Some(Self {
            zone: Some(zone.clone()),
            shape: Some(shape.clone()),
            purchase: *purchase,
            image: image_words(&image(config, &order.pinned)?),
        })
    }

    /// Whether a machine of `other` can be what was ordered: an unpinned image has become some version.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let same_image = self.image == other.image
            || self
                .image
                .iter()
                .zip(&other.image)
                .all(|(ordered, made)| ordered == made || ordered == "latest")
                && self.image.len() == other.image.len();
        let lower = |shape: &Option<ShapeName>| shape.as_ref().map(|s| s.as_str().to_ascii_lowercase());
        self.zone == other.zone
            && lower(&self.shape) == lower(&other.shape)
            && self.purchase == other.purchase
            && same_image
    }
}

/// An image reference, comparable.
pub(super) fn image_words(image: &Value) -> Vec<String> {
    let word = |key: &str| image.get(key).and_then(Value::as_str).map(str::to_ascii_lowercase);
    match word("id") {
        Some(id) => vec![id],
        None => ["publisher", "offer", "sku", "version"].into_iter().filter_map(word).collect(),
    }
}

/// The tags of a machine, from its birth.
fn tags(config: &VmConfig, order: &LaunchOrder) -> Map<String, Value> {
    let mut tags: Map<String, Value> =
        config.tags.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    for (what, value) in [
        ("cluster", order.cluster.as_str()),
        ("pool", order.pool.as_str()),
        ("role", WORKER),
        ("token", order.token.as_str()),
    ] {
        tags.insert(config.tag(what), value.into());
    }
    if let Some((name, value)) = &config.worker_tag {
        tags.insert(name.clone(), value.clone().into());
    }
    tags
}

/// The body of a machine. `None`: its zone is not of the location, or the pinned version is none.
pub(super) fn body(config: &VmConfig, order: &LaunchOrder, name: &str) -> Option<Value> {
    let spot = order.offering.purchase == Purchase::Spot;
    let (disk_kind, size) = config.disk;
    let mut disk = json!({
        "name": disk(name),
        "createOption": "FromImage",
        "deleteOption": "Delete",
        "caching": "ReadWrite",
        "managedDisk": { "storageAccountType": disk_kind.name() },
    });
    if let (Some(size), Some(disk)) = (size, disk.as_object_mut()) {
        disk.insert("diskSizeGB".to_owned(), size.into());
    }
    let mut interface = json!({
        "name": interface(name),
        "properties": {
            "primary": true,
            "deleteOption": "Delete",
            "enableAcceleratedNetworking": config.accelerated,
            "ipConfigurations": [{
                "name": "workers",
                "properties": { "primary": true, "subnet": { "id": config.subnet } },
            }],
        },
    });
    if let (Some(id), Some(of)) = (&config.security_group, interface.pointer_mut("/properties")) {
        put(of, "networkSecurityGroup", json!({ "id": id }));
    }
    let (user, key) = &config.admin;
    let mut system = json!({
        "computerName": name,
        "adminUsername": user,
        "linuxConfiguration": {
            "disablePasswordAuthentication": true,
            "ssh": { "publicKeys": [{ "path": format!("/home/{user}/.ssh/authorized_keys"), "keyData": key }] },
        },
    });
    if let Some(data) = &config.custom_data {
        put(&mut system, "customData", STANDARD.encode(data).into());
    }
    let mut properties = json!({
        "hardwareProfile": { "vmSize": order.offering.shape.as_str() },
        "storageProfile": { "imageReference": image(config, &order.pinned)?, "osDisk": disk },
        "osProfile": system,
        "networkProfile": { "networkApiVersion": "2020-11-01", "networkInterfaceConfigurations": [interface] },
        "priority": if spot { "Spot" } else { "Regular" },
    });
    if spot {
        put(&mut properties, "evictionPolicy", "Delete".into());
        // Up to the price on demand: a machine is never taken for its price.
        put(&mut properties, "billingProfile", json!({ "maxPrice": -1.0 }));
    }
    if let Some(id) = &config.scale_set {
        put(&mut properties, "virtualMachineScaleSet", json!({ "id": id }));
    }
    let mut body = json!({
        "location": config.location,
        "tags": tags(config, order),
        "properties": properties,
    });
    if let Some(number) = zone_number(config, &order.offering.zone)? {
        put(&mut body, "zones", json!([number]));
    }
    if !config.identities.is_empty() {
        let all: Map<String, Value> = config.identities.iter().map(|id| (id.clone(), json!({}))).collect();
        put(&mut body, "identity", json!({ "type": "UserAssigned", "userAssignedIdentities": all }));
    }
    Some(body)
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
