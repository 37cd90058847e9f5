//! What the machines are made of, and where.

use std::collections::BTreeMap;
use std::fmt;

use autoscale_core::words::{ClusterId, ConfigErrors, Span};
use url::Url;

use super::check;

/// Where the disks of a machine are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum DiskKind {
    /// `Standard_LRS`: spinning disks.
    Standard,
    /// `StandardSSD_LRS`; the default.
    #[default]
    StandardSsd,
    /// `Premium_LRS`.
    Premium,
}

impl DiskKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard_LRS",
            Self::StandardSsd => "StandardSSD_LRS",
            Self::Premium => "Premium_LRS",
        }
    }
}

/// What a machine boots from.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Image {
    /// An image definition of a gallery, by its resource id (`.../galleries/<gallery>/images/<image>`), and the version used
    /// when an order pins none: `1.2.3`, or `latest`.
    Gallery {
        /// The resource id of the image definition.
        definition: String,
        /// The version where an order pins none.
        version: String,
    },
    /// An image of the marketplace, and the version used when an order pins none.
    Marketplace {
        /// Such as `Canonical`.
        publisher: String,
        /// Such as `ubuntu-24_04-lts`.
        offer: String,
        /// Such as `server`.
        sku: String,
        /// The version where an order pins none.
        version: String,
    },
}

/// What machines are made of. Made by [`VmConfig::builder`]; a value of this type is valid.
#[derive(Clone, PartialEq, Eq)]
pub struct VmConfig {
    pub(super) cluster: ClusterId,
    pub(super) subscription: String,
    pub(super) group: String,
    pub(super) location: String,
    pub(super) subnet: String,
    pub(super) image: Image,
    pub(super) admin: (String, String),
    pub(super) security_group: Option<String>,
    pub(super) scale_set: Option<String>,
    pub(super) identities: Vec<String>,
    pub(super) custom_data: Option<Vec<u8>>,
    pub(super) disk: (DiskKind, Option<u32>),
    pub(super) accelerated: bool,
    pub(super) prefix: String,
    pub(super) worker_tag: Option<(String, String)>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) endpoint: Url,
    pub(super) scope: String,
    pub(super) watch: Span,
    pub(super) timeout: Span,
    pub(super) max_pages: u32,
}

/// Without the custom data, which is only counted: somebody may have put a secret there.
impl fmt::Debug for VmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VmConfig")
            .field("cluster", &self.cluster)
            .field("subscription", &self.subscription)
            .field("group", &self.group)
            .field("location", &self.location)
            .field("image", &self.image)
            .field("custom_data_bytes", &self.custom_data.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl VmConfig {
    /// Begins a configuration: the machines of a cluster, in a resource group that holds **workers only**, because the
    /// permission to delete machines cannot be narrowed below the group. `location` as Azure writes it: `westeurope`.
    pub fn builder(
        cluster: ClusterId,
        subscription: impl Into<String>,
        group: impl Into<String>,
        location: impl Into<String>,
    ) -> VmConfigBuilder {
        VmConfigBuilder(Self {
            cluster,
            subscription: subscription.into(),
            group: group.into(),
            location: location.into(),
            subnet: String::new(),
            image: Image::Gallery { definition: String::new(), version: String::new() },
            admin: (String::new(), String::new()),
            security_group: None,
            scale_set: None,
            identities: Vec::new(),
            custom_data: None,
            disk: (DiskKind::default(), None),
            accelerated: false,
            prefix: "autoscale".to_owned(),
            worker_tag: None,
            tags: BTreeMap::new(),
            endpoint: check::public_endpoint(),
            scope: "https://management.azure.com/.default".to_owned(),
            watch: Span::from_secs(2),
            timeout: Span::from_secs(10),
            max_pages: 200,
        })
    }

    /// The path of a resource of a kind in the workers' group.
    pub(super) fn resource(&self, kind: &str, name: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{}/providers/{kind}/{name}", self.subscription, self.group)
    }

    /// A tag of ours.
    pub(super) fn tag(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }
}

/// A configuration in the making.
#[derive(Clone, Debug)]
pub struct VmConfigBuilder(VmConfig);

impl VmConfigBuilder {
    /// The subnet of every machine, by its resource id. Required.
    #[must_use]
    pub fn with_subnet(mut self, id: impl Into<String>) -> Self {
        self.0.subnet = id.into();
        self
    }

    /// What machines boot from. Required.
    #[must_use]
    pub fn with_image(mut self, image: Image) -> Self {
        self.0.image = image;
        self
    }

    /// The first user of a machine and its public SSH key, which Azure asks for. Required; passwords are switched off.
    #[must_use]
    pub fn with_admin(mut self, user: impl Into<String>, ssh_key: impl Into<String>) -> Self {
        self.0.admin = (user.into(), ssh_key.into());
        self
    }

    /// A network security group on every interface, by its resource id. Default: only the subnet's.
    #[must_use]
    pub fn with_security_group(mut self, id: impl Into<String>) -> Self {
        self.0.security_group = Some(id.into());
        self
    }

    /// A scale set in flexible orchestration that every machine joins, by its resource id. Default: none. With it a list also tells
    /// the power state of every machine.
    #[must_use]
    pub fn with_scale_set(mut self, id: impl Into<String>) -> Self {
        self.0.scale_set = Some(id.into());
        self
    }

    /// A user-assigned identity that every machine has, by its resource id; may be called again. Default: none.
    #[must_use]
    pub fn with_identity(mut self, id: impl Into<String>) -> Self {
        self.0.identities.push(id.into());
        self
    }

    /// Custom data of every machine, at most 65,535 bytes, passed on as they are: one fixed script. No secrets: any process of the
    /// machine can read them. Default: none.
    #[must_use]
    pub fn with_custom_data(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.custom_data = Some(bytes.into());
        self
    }

    /// The disk of every machine, and its size in GB where the image's is not enough. Default: a standard SSD of the image's size.
    #[must_use]
    pub const fn with_disk(mut self, kind: DiskKind, gigabytes: Option<u32>) -> Self {
        self.0.disk = (kind, gigabytes);
        self
    }

    /// Accelerated networking, which not every machine type has. Default: off.
    #[must_use]
    pub const fn with_accelerated_networking(mut self, on: bool) -> Self {
        self.0.accelerated = on;
        self
    }

    /// The prefix of our tags: `<prefix>-cluster`, `-pool`, `-role`, `-token`, `-keep`. Default: `autoscale`.
    #[must_use]
    pub fn with_tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.0.prefix = prefix.into();
        self
    }

    /// Your own tag of workers that somebody else bought: they are counted, and removed only if the policy adopts them.
    #[must_use]
    pub fn with_worker_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.worker_tag = Some((name.into(), value.into()));
        self
    }

    /// One more tag on every machine, from its birth; may be called again.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.tags.insert(name.into(), value.into());
        self
    }

    /// Another Azure than the public one: the endpoint of its resource manager and the scope of tokens. https, or http to this
    /// machine only. Default: `https://management.azure.com`.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Url, scope: impl Into<String>) -> Self {
        (self.0.endpoint, self.0.scope) = (endpoint, scope.into());
        self
    }

    /// How long a launch looks whether its machine fails at once, and waits for the removal of a failed one: 0 to 4 s, because a call
    /// of the driver takes at most 5 s. Default: 2 s.
    #[must_use]
    pub const fn with_watch(mut self, span: Span) -> Self {
        self.0.watch = span;
        self
    }

    /// How long a single request may take: 1 s to 60 s. Default: 10 s.
    #[must_use]
    pub const fn with_timeout(mut self, span: Span) -> Self {
        self.0.timeout = span;
        self
    }

    /// How many pages of a list are read; with more the list is incomplete. 1 to 10,000; default: 200.
    #[must_use]
    pub const fn with_max_pages(mut self, pages: u32) -> Self {
        self.0.max_pages = pages;
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn build(mut self) -> Result<VmConfig, ConfigErrors> {
        self.0.location = self.0.location.to_ascii_lowercase().replace(' ', "");
        check::errors(&self.0).or(self.0)
    }
}
