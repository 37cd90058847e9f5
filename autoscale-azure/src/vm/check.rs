//! What a configuration has to fulfil.

use autoscale_core::words::{ConfigErrors, Span, Zone};
use url::Url;

use super::config::{Image, VmConfig};

/// Where Azure's own resource manager is.
pub(super) fn public_endpoint() -> Url {
    Url::parse("https://management.azure.com/").expect("a constant that a test parses")
}

pub(super) fn errors(config: &VmConfig) -> ConfigErrors {
    let mut errors = ConfigErrors::default();
    place(config, &mut errors);
    machine(config, &mut errors);
    labels(config, &mut errors);
    limits(config, &mut errors);
    errors
}

fn place(config: &VmConfig, errors: &mut ConfigErrors) {
    let subscription = &config.subscription;
    let guid = subscription.len() == 36
        && subscription
            .char_indices()
            .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() });
    errors.check(guid, "subscription", subscription, "a subscription id of 36 characters");
    let group = &config.group;
    let named = !group.is_empty()
        && group.len() <= 90
        && !group.ends_with('.')
        && group.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'(' | b')'));
    errors.check(named, "resource group", group, "1 to 90 letters, digits and ._()-, no dot at the end");
    let location = &config.location;
    let known = location.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && Zone::new(location).is_ok()
        && location.len() <= 60;
    errors.check(known, "location", location, "a location as Azure writes it, such as westeurope");
    let network = |id: &str, kind: &str| is_resource(id, kind);
    let subnet = &config.subnet;
    let there = network(subnet, "Microsoft.Network/virtualNetworks") && subnet.contains("/subnets/");
    errors.check(there, "subnet", subnet, "the resource id of a subnet");
    if let Some(id) = &config.security_group {
        let there = network(id, "Microsoft.Network/networkSecurityGroups");
        errors.check(there, "security group", id, "the resource id of a network security group");
    }
    if let Some(id) = &config.scale_set {
        let there = is_resource(id, "Microsoft.Compute/virtualMachineScaleSets");
        errors.check(there, "scale set", id, "the resource id of a scale set");
    }
    for id in &config.identities {
        let there = is_resource(id, "Microsoft.ManagedIdentity/userAssignedIdentities");
        errors.check(there, "identity", id, "the resource id of a user-assigned identity");
    }
    let endpoint = &config.endpoint;
    let local = matches!(endpoint.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let safe = endpoint.host_str().is_some()
        && (endpoint.scheme() == "https" || endpoint.scheme() == "http" && local)
        && endpoint.query().is_none()
        && endpoint.username().is_empty()
        && endpoint.password().is_none();
    errors.check(
        safe,
        "endpoint",
        endpoint.as_str(),
        "an https URL, or http to this machine, without user or query",
    );
    let scope = Url::parse(&config.scope).is_ok_and(|url| url.scheme() == "https");
    errors.check(
        scope,
        "scope",
        &config.scope,
        "the scope of a token, such as https://management.azure.com/.default",
    );
}

fn machine(config: &VmConfig, errors: &mut ConfigErrors) {
    match &config.image {
        Image::Gallery { definition, version } => {
            let there = is_resource(definition, "Microsoft.Compute/galleries")
                && definition.contains("/images/")
                && !definition.contains("/versions/");
            errors.check(
                there,
                "image definition",
                definition,
                "the resource id of a gallery's image, without a version",
            );
            errors.check(is_version(version), "image version", version, VERSION);
        }
        Image::Marketplace { publisher, offer, sku, version } => {
            for (field, text) in [("image publisher", publisher), ("image offer", offer), ("image sku", sku)]
            {
                let fits =
                    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic());
                errors.check(fits, field, text, "1 to 128 printable characters");
            }
            errors.check(is_version(version), "image version", version, VERSION);
        }
    }
    let (user, key) = &config.admin;
    let named = !user.is_empty()
        && user.len() <= 32
        && user.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        && user.starts_with(|c: char| c.is_ascii_lowercase())
        && !matches!(user.as_str(), "root" | "admin" | "administrator" | "user");
    errors.check(
        named,
        "admin user",
        user,
        "1 to 32 of a-z, 0-9, - and _, beginning with a letter, no reserved name",
    );
    let is_key = key.starts_with("ssh-") && key.split_whitespace().count() >= 2 && key.len() <= 8_192;
    let is_key = is_key && !key.chars().any(char::is_control);
    if !is_key {
        // Not shown: the private key is what is given by mistake.
        let what = format!("{} bytes", key.len());
        errors.described("admin ssh key", what, "a public key as in authorized_keys, on one line");
    }
    if let Some(data) = &config.custom_data {
        let many = data.len().to_string();
        errors.check(!data.is_empty() && data.len() <= 65_535, "custom data", &many, "1 to 65535 bytes");
    }
    if let Some(size) = config.disk.1 {
        errors.check((1..=4_095).contains(&size), "disk size", &size.to_string(), "1 to 4095 GB");
    }
}

fn labels(config: &VmConfig, errors: &mut ConfigErrors) {
    let prefix = &config.prefix;
    let short = (1..=40).contains(&prefix.len())
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    errors.check(short, "tag prefix", prefix, "1 to 40 letters, digits, dots, dashes and underscores");
    let ours = |name: &str| name.to_ascii_lowercase().starts_with(&format!("{prefix}-").to_ascii_lowercase());
    for (name, value) in config.tags.iter().chain(config.worker_tag.iter().map(|(name, value)| (name, value)))
    {
        let fits = !name.is_empty()
            && name.len() <= 128
            && !name.chars().any(|c| c.is_control() || "<>%&\\?/".contains(c))
            && !ours(name);
        errors.check(
            fits,
            "tag",
            name,
            "1 to 128 characters without <>%&\\?/ that do not begin with our prefix",
        );
        let fits = value.len() <= 256 && !value.chars().any(char::is_control);
        errors.check(fits, "tag value", value, "at most 256 characters without control characters");
    }
    let many = config.tags.len();
    errors.check(many <= 40, "tags", &many.to_string(), "at most 40");
}

fn limits(config: &VmConfig, errors: &mut ConfigErrors) {
    let within =
        |span: Span, least: u64, most: u64| (Span::from_secs(least)..=Span::from_secs(most)).contains(&span);
    errors.check(within(config.watch, 0, 4), "watch", &config.watch.to_string(), "0s to 4s");
    errors.check(within(config.timeout, 1, 60), "timeout", &config.timeout.to_string(), "1s to 60s");
    let pages = config.max_pages;
    errors.check((1..=10_000).contains(&pages), "pages", &pages.to_string(), "1 to 10000");
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
