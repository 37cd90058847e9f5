//! What a configuration has to fulfil.

use autoscale_core::words::{Span, Zone};
use url::Url;

use super::config::{Image, VmConfig};

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    fn expect(&mut self, holds: bool, field: &str, value: &str, expected: &str) {
        if !holds {
            let value: String = value.chars().take(120).collect();
            self.0.push(format!("{field} {value:?}: expected {expected}"));
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_texts(faults: Self) -> Vec<String> {
        faults.0
    }
}

/// Where Azure's own resource manager is.
pub(super) fn public_endpoint() -> Url {
    Url::parse("https://management.azure.com/").expect("a constant that a test parses")
}

pub(super) fn faults(config: &VmConfig) -> Faults {
    let mut faults = Faults::default();
    place(config, &mut faults);
    machine(config, &mut faults);
    labels(config, &mut faults);
    limits(config, &mut faults);
    faults
}

fn place(config: &VmConfig, faults: &mut Faults) {
    let subscription = &config.subscription;
    let guid = subscription.len() == 36
        && subscription
            .char_indices()
            .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() });
    faults.expect(guid, "subscription", subscription, "a subscription id of 36 characters");
    let group = &config.group;
    let named = !group.is_empty()
        && group.len() <= 90
        && !group.ends_with('.')
        && group.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'(' | b')'));
    faults.expect(named, "resource group", group, "1 to 90 letters, digits and ._()-, no dot at the end");
    let location = &config.location;
    let known = location.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && Zone::new(location).is_ok()
        && location.len() <= 60;
    faults.expect(known, "location", location, "a location as Azure writes it, such as westeurope");
    let network = |id: &str, kind: &str| is_resource(id, kind);
    let subnet = &config.subnet;
    let there = network(subnet, "Microsoft.Network/virtualNetworks") && subnet.contains("/subnets/");
    faults.expect(there, "subnet", subnet, "the resource id of a subnet");
    if let Some(id) = &config.security_group {
        let there = network(id, "Microsoft.Network/networkSecurityGroups");
        faults.expect(there, "security group", id, "the resource id of a network security group");
    }
    if let Some(id) = &config.scale_set {
        let there = is_resource(id, "Microsoft.Compute/virtualMachineScaleSets");
        faults.expect(there, "scale set", id, "the resource id of a scale set");
    }
    for id in &config.identities {
        let there = is_resource(id, "Microsoft.ManagedIdentity/userAssignedIdentities");
        faults.expect(there, "identity", id, "the resource id of a user-assigned identity");
    }
    let endpoint = &config.endpoint;
    let local = matches!(endpoint.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let safe = endpoint.host_str().is_some()
        && (endpoint.scheme() == "https" || endpoint.scheme() == "http" && local)
        && endpoint.query().is_none()
        && endpoint.username().is_empty()
        && endpoint.password().is_none();
    faults.expect(
        safe,
        "endpoint",
        endpoint.as_str(),
        "an https URL, or http to this machine, without user or query",
    );
    let scope = Url::parse(&config.scope).is_ok_and(|url| url.scheme() == "https");
    faults.expect(
        scope,
        "scope",
        &config.scope,
        "the scope of a token, such as https://management.azure.com/.default",
    );
}

fn machine(config: &VmConfig, faults: &mut Faults) {
    match &config.image {
        Image::Gallery { definition, version } => {
            let there = is_resource(definition, "Microsoft.Compute/galleries")
                && definition.contains("/images/")
                && !definition.contains("/versions/");
            faults.expect(
                there,
                "image definition",
                definition,
                "the resource id of a gallery's image, without a version",
            );
            faults.expect(is_version(version), "image version", version, VERSION);
        }
        Image::Marketplace { publisher, offer, sku, version } => {
            for (field, text) in [("image publisher", publisher), ("image offer", offer), ("image sku", sku)]
            {
                let fits =
                    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic());
                faults.expect(fits, field, text, "1 to 128 printable characters");
            }
            faults.expect(is_version(version), "image version", version, VERSION);
        }
    }
    let (user, key) = &config.admin;
    let named = !user.is_empty()
        && user.len() <= 32
        && user.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        && user.starts_with(|c: char| c.is_ascii_lowercase())
        && !matches!(user.as_str(), "root" | "admin" | "administrator" | "user");
    faults.expect(
        named,
        "admin user",
        user,
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter, no reserved name",
    );
    let is_key = key.starts_with("ssh-") && key.split_whitespace().count() >= 2 && key.len() <= 8_192;
    let is_key = is_key && !key.chars().any(char::is_control);
    faults.expect(is_key, "admin ssh key", key, "a public key as in authorized_keys, on one line");
    if let Some(data) = &config.custom_data {
        let many = data.len().to_string();
        faults.expect(!data.is_empty() && data.len() <= 65_535, "custom data", &many, "1 to 65535 bytes");
    }
    if let Some(size) = config.disk.1 {
        faults.expect((1..=4_095).contains(&size), "disk size", &size.to_string(), "1 to 4095 GB");
    }
}

fn labels(config: &VmConfig, faults: &mut Faults) {
    let prefix = &config.prefix;
    let short = (1..=40).contains(&prefix.len())
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    faults.expect(short, "tag prefix", prefix, "1 to 40 letters, digits, dots, dashes and underscores");
    let ours = |name: &str| name.to_ascii_lowercase().starts_with(&format!("{prefix}-").to_ascii_lowercase());
    for (name, value) in config.tags.iter().chain(config.worker_tag.iter().map(|(name, value)| (name, value)))
    {
        let fits = !name.is_empty()
            && name.len() <= 128
            && !name.chars().any(|c| c.is_control() || "<>%&\\?/".contains(c))
            && !ours(name);
        faults.expect(
            fits,
            "tag",
            name,
            "1 to 128 characters without <>%&\\?/ that do not begin with our prefix",
        );
        let fits = value.len() <= 256 && !value.chars().any(char::is_control);
        faults.expect(fits, "tag value", value, "at most 256 characters without control characters");
    }
    let many = config.tags.len();
    faults.expect(many <= 40, "tags", &many.to_string(), "at most 40");
}

fn limits(config: &VmConfig, faults: &mut Faults) {
    let within =
        |span: Span, least: u64, most: u64| (Span::from_secs(least)..=Span::from_secs(most)).contains(&span);
    faults.expect(within(config.watch, 0, 4), "watch", &config.watch.to_string(), "0s to 4s");
    faults.expect(within(config.timeout, 1, 60), "timeout", &config.timeout.to_string(), "1s to 60s");
    let pages = config.max_pages;
    faults.expect((1..=10_000).contains(&pages), "pages", &pages.to_string(), "1 to 10000");
}

const VERSION: &str = "a version such as 1.2.3, or latest";

/// Whether a text is an image's version.
pub(super) fn is_version(text: &str) -> bool {
    let number = |part: &str| (1..=10).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    text == "latest" || text.split('.').count() == 3 && text.split('.').all(number)
}

/// Whether a text is the id of a resource of a kind: case does not count in Azure's ids.
fn is_resource(id: &str, kind: &str) -> bool {
    let clean = id.len() <= 512
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'(' | b')' | b'/'))
        && !id.contains("//")
        && !id.contains("/../")
        && !id.ends_with('/');
    let lower = id.to_ascii_lowercase();
    let behind = lower.split_once(&format!("/providers/{}/", kind.to_ascii_lowercase()));
    clean && lower.starts_with("/subscriptions/") && behind.is_some_and(|(_, name)| !name.is_empty())
}
