//! `--provider azure`: virtual machines, and notices from the marks of their nodes.

use std::sync::Arc;

use autoscale_azure::identity::Credential;
use autoscale_azure::vm::{DiskKind, Image, LAUNCH_DELAY, VmConfig, VmConfigBuilder, Vms};
use autoscale_core::data::policy::Policy;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::NodeProvider;
use autoscale_core::words::{ConfigError, InstanceId};
use url::Url;

use super::{Given, Provider, cluster_of, content, missing};
use crate::args::{AzureOptions, Disk};
use crate::bad::Bad;
use crate::notices::marks::{Follower, InstanceOf};

/// The most that Azure takes as custom data.
const CUSTOM_DATA: u64 = 65_535;
/// No public key is longer.
const KEY: u64 = 8 << 10;
/// Which environment variable says whose rights are used.
const WAY: &str = "AUTOSCALE_AZURE_IDENTITY";

/// Options for Azure that have been understood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AzureSettings {
    /// The subscription.
    pub subscription: String,
    /// The resource group of workers.
    pub group: String,
    /// What machines are made of.
    pub config: VmConfig,
    /// Whose rights are used.
    pub credential: Credential,
}

impl AzureSettings {
    /// Understands the options.
    ///
    /// # Errors
    /// Everything that is wrong; never a secret.
    pub fn new(options: &AzureOptions, policy: Option<&Policy>) -> Result<Self, Bad> {
        let mut bad = Bad::default();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let (subscription, group) = (text(&options.subscription), text(&options.resource_group));
        let mut config =
            VmConfig::builder(cluster_of(policy)?, &subscription, &group, text(&options.location))
                .with_subnet(text(&options.subnet))
                .with_tag_prefix(&options.tag_prefix)
                .with_accelerated_networking(options.accelerated);
        let image =
            options.image.as_deref().ok_or_else(|| missing("--azure-image", "AUTOSCALE_AZURE_IMAGE", IMAGE));
        // A placeholder that is good: what is wrong with the option has been told.
        let image = bad.take(image.and_then(image_of)).unwrap_or_else(|| Image::Marketplace {
            publisher: "none".to_owned(),
            offer: "none".to_owned(),
            sku: "none".to_owned(),
            version: "latest".to_owned(),
        });
        config = config.with_image(image);
        let key = match &options.admin_key_file {
            None => Err(missing("--azure-admin-key-file", "AUTOSCALE_AZURE_ADMIN_KEY_FILE", "a file")),
            Some(path) => content("--azure-admin-key-file", path, KEY),
        };
        let key = bad.take(key).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        let has_key = key.is_some();
        config = config.with_admin(text(&options.admin_user), key.unwrap_or_default());
        config = optional(options, config, &mut bad);
        let config = match config.build() {
            Ok(config) => Some(config),
            Err(errors) => {
                let others = errors.iter().filter(|error| has_key || error.field != "admin ssh key");
                others.for_each(|error| bad.add(told(error)));
                None
            }
        };
        let read = |name: &str| {
            if name == WAY { options.identity.clone() } else { std::env::var(name).ok() }
        };
        // Its tokens end by the wall clock, whatever the driver goes by.
        let credential = Credential::from_env(read, Arc::new(SystemClock::new()));
        let credential =
            bad.take(credential.map_err(|error| Bad::of(format!("--azure-identity: {}", error.chain()))));
        bad.into_result()?;
        match (config, credential) {
            (Some(config), Some(credential)) => Ok(Self { subscription, group, config, credential }),
            // Whatever is not there has been said above.
            _ => Err(Bad::of("not enough was set")),
        }
    }

    /// The provider over HTTPS. Nothing is sent yet.
    ///
    /// # Errors
    /// No HTTPS client can be set up.
    pub fn open(&self, given: &Given) -> Result<Provider, Bad> {
        let vms = Vms::new(self.config.clone(), Arc::new(self.credential.clone()), given.clock.clone());
        vms.map(|vms| self.over(given, vms)).map_err(|error| Bad::of(error.chain()))
    }

    /// The provider over machines that are reached already.
    pub fn over(&self, given: &Given, vms: Vms) -> Provider {
        let nodes = Arc::new(vms);
        let asking = nodes.clone();
        let scope = format!("azure/{}/{}", self.subscription, self.group);
        let mut provider = Provider::new(nodes, scope, LAUNCH_DELAY);
        // Azure has no dry run: whether machines may be made shows when the first one is.
        provider.check = Some(Box::pin(async move { asking.list().await.err().into_iter().collect() }));
        let Given { client, clock, inbox, .. } = given.clone();
        let follower = Follower::new(client, inbox, clock, self.instance_of());
        provider.notices = Some(Box::pin(follower.run()));
        provider
    }

    /// Which machine of the workers' group a provider id means: `azure://` and a resource id, whose case differs from list to list.
    fn instance_of(&self) -> InstanceOf {
        let place = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines",
            self.subscription, self.group
        );
        Arc::new(move |id| {
            let (there, name) = id.strip_prefix("azure://")?.rsplit_once('/')?;
            if !there.eq_ignore_ascii_case(&place) {
                return None;
            }
            InstanceId::new(format!("{place}/{name}")).ok()
        })
    }
}

const IMAGE: &str =
    "the resource id of a gallery's image with /versions/1.2.3 at its end, or PUBLISHER:OFFER:SKU:VERSION";

fn image_of(text: &str) -> Result<Image, Bad> {
    if let Some((definition, version)) = text.rsplit_once("/versions/") {
        return Ok(Image::Gallery { definition: definition.to_owned(), version: version.to_owned() });
    }
    let parts: Vec<&str> = text.split(':').collect();
    let &[publisher, offer, sku, version] = parts.as_slice() else {
        return Err(Bad::setting("--azure-image", text, IMAGE));
    };
    let [publisher, offer, sku, version] = [publisher, offer, sku, version].map(str::to_owned);
    Ok(Image::Marketplace { publisher, offer, sku, version })
}

/// What may be set and need not be.
fn optional(options: &AzureOptions, mut config: VmConfigBuilder, bad: &mut Bad) -> VmConfigBuilder {
    if let Some(id) = &options.security_group {
        config = config.with_security_group(id);
    }
    if let Some(id) = &options.scale_set {
        config = config.with_scale_set(id);
    }
    for id in &options.machine_identities {
        config = config.with_identity(id);
    }
    if let Some(path) = &options.custom_data_file
        && let Some(bytes) = bad.take(content("--azure-custom-data-file", path, CUSTOM_DATA))
    {
        config = config.with_custom_data(bytes);
    }
    let kind = match options.disk {
        Disk::Standard => DiskKind::Standard,
        Disk::StandardSsd => DiskKind::StandardSsd,
        Disk::Premium => DiskKind::Premium,
    };
    config = config.with_disk(kind, options.disk_size);
    if let Some(tag) = &options.worker_tag {
        config = config.with_worker_tag(&tag.key, &tag.value);
    }
    for tag in &options.tags {
        config = config.with_tag(&tag.key, &tag.value);
    }
    match (&options.endpoint, &options.token_scope) {
        (None, None) => config,
        (Some(endpoint), Some(scope)) => match Url::parse(endpoint) {
            Ok(url) => config.with_endpoint(url, scope),
            Err(error) => {
                bad.add(Bad::setting("--azure-endpoint", endpoint, format!("a URL: {error}")));
                config
            }
        },
        _ => {
            bad.add(Bad::of("--azure-endpoint and --azure-token-scope: one of them: expected both or none"));
            config
        }
    }
}

/// A fault of the configuration under the name of its option.
fn told(error: &ConfigError) -> Bad {
    let flag = match error.field.as_str() {
        "admin ssh key" => "admin-key-file",
        "identity" => "machine-identity",
        "custom data" => "custom-data-file",
        "scope" => "token-scope",
        "tag value" => "tag",
        image if image.starts_with("image ") => "image",
        other => other,
    };
    let flag = format!("--azure-{}", flag.replace(' ', "-"));
    if error.value == "\"\"" {
        let variable = flag.trim_start_matches("--").replace('-', "_").to_uppercase();
        let expected = &error.expected;
        return Bad::of(format!("{flag}: missing: expected {expected}, here or in AUTOSCALE_{variable}"));
    }
    Bad::setting(&flag, &error.value, &error.expected)
}
