//! What machines on Azure are made of, and whose rights are used.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Tag;

/// What machines on Azure are made of, and whose rights are used.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --provider azure")]
#[non_exhaustive]
pub struct AzureOptions {
    /// Whose rights are used: `managed`, `workload`, `service-principal` or `developer`; the rest from AZURE_CLIENT_ID,
    /// AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_SECRET_FILE
    #[arg(
        id = "azure-identity",
        long = "azure-identity",
        global = true,
        env = "AUTOSCALE_AZURE_IDENTITY",
        value_name = "WAY"
    )]
    pub identity: Option<String>,

    /// The subscription, by id; a part of what the record is for
    #[arg(
        id = "azure-subscription",
        long = "azure-subscription",
        global = true,
        env = "AUTOSCALE_AZURE_SUBSCRIPTION",
        value_name = "ID"
    )]
    pub subscription: Option<String>,

    /// The resource group of workers, and of nothing else; a part of what the record is for
    #[arg(
        id = "azure-resource-group",
        long = "azure-resource-group",
        global = true,
        env = "AUTOSCALE_AZURE_RESOURCE_GROUP",
        value_name = "NAME"
    )]
    pub resource_group: Option<String>,

    /// The location, such as `westeurope`; the policy's zones are `westeurope-1` and so on
    #[arg(
        id = "azure-location",
        long = "azure-location",
        global = true,
        env = "AUTOSCALE_AZURE_LOCATION",
        value_name = "LOCATION"
    )]
    pub location: Option<String>,

    /// The subnet of machines, by its resource id
    #[arg(
        id = "azure-subnet",
        long = "azure-subnet",
        global = true,
        env = "AUTOSCALE_AZURE_SUBNET",
        value_name = "ID"
    )]
    pub subnet: Option<String>,

    /// What machines boot from: a gallery's image by its resource id, with `/versions/1.2.3` at its end, or one of the
    /// marketplace as PUBLISHER:OFFER:SKU:VERSION; a pool's `template` is another version
    #[arg(
        id = "azure-image",
        long = "azure-image",
        global = true,
        env = "AUTOSCALE_AZURE_IMAGE",
        value_name = "IMAGE"
    )]
    pub image: Option<String>,

    /// The first user of a machine
    #[arg(
        id = "azure-admin-user",
        long = "azure-admin-user",
        global = true,
        env = "AUTOSCALE_AZURE_ADMIN_USER",
        value_name = "NAME"
    )]
    pub admin_user: Option<String>,

    /// A file with the public SSH key of that user
    #[arg(
        id = "azure-admin-key-file",
        long = "azure-admin-key-file",
        global = true,
        env = "AUTOSCALE_AZURE_ADMIN_KEY_FILE",
        value_name = "FILE"
    )]
    pub admin_key_file: Option<PathBuf>,

    /// A network security group on every interface, by its resource id
    #[arg(
        id = "azure-security-group",
        long = "azure-security-group",
        global = true,
        env = "AUTOSCALE_AZURE_SECURITY_GROUP",
        value_name = "ID"
    )]
    pub security_group: Option<String>,

    /// A scale set in flexible orchestration that machines join, by its resource id
    #[arg(
        id = "azure-scale-set",
        long = "azure-scale-set",
        global = true,
        env = "AUTOSCALE_AZURE_SCALE_SET",
        value_name = "ID"
    )]
    pub scale_set: Option<String>,

    /// User-assigned identities of every machine, by resource id
    #[arg(
        id = "azure-machine-identity",
        long = "azure-machine-identity",
        global = true,
        env = "AUTOSCALE_AZURE_MACHINE_IDENTITY",
        value_name = "IDS",
        value_delimiter = ','
    )]
    pub machine_identities: Vec<String>,

    /// A file that is the custom data of every machine, as it is: no secrets
    #[arg(
        id = "azure-custom-data-file",
        long = "azure-custom-data-file",
        global = true,
        env = "AUTOSCALE_AZURE_CUSTOM_DATA_FILE",
        value_name = "FILE"
    )]
    pub custom_data_file: Option<PathBuf>,

    /// The disk of every machine
    #[arg(
        id = "azure-disk",
        long = "azure-disk",
        global = true,
        env = "AUTOSCALE_AZURE_DISK",
        value_name = "KIND",
        default_value = "standard-ssd"
    )]
    pub disk: Disk,

    /// The size of that disk in GB [default: that of the image]
    #[arg(
        id = "azure-disk-size",
        long = "azure-disk-size",
        global = true,
        env = "AUTOSCALE_AZURE_DISK_SIZE",
        value_name = "GB"
    )]
    pub disk_size: Option<u32>,

    /// Accelerated networking, which not every machine type has
    #[arg(
        id = "azure-accelerated",
        long = "azure-accelerated",
        global = true,
        env = "AUTOSCALE_AZURE_ACCELERATED"
    )]
    pub accelerated: bool,

    /// The prefix of our tags
    #[arg(
        id = "azure-tag-prefix",
        long = "azure-tag-prefix",
        global = true,
        env = "AUTOSCALE_AZURE_TAG_PREFIX",
        value_name = "PREFIX",
        default_value = "autoscale"
    )]
    pub tag_prefix: String,

    /// A tag of workers that somebody else made: they are counted
    #[arg(
        id = "azure-worker-tag",
        long = "azure-worker-tag",
        global = true,
        env = "AUTOSCALE_AZURE_WORKER_TAG",
        value_name = "KEY=VALUE"
    )]
    pub worker_tag: Option<Tag>,

    /// More tags of every machine
    #[arg(
        id = "azure-tag",
        long = "azure-tag",
        global = true,
        env = "AUTOSCALE_AZURE_TAG",
        value_name = "KEY=VALUE",
        value_delimiter = ','
    )]
    pub tags: Vec<Tag>,

    /// Another Azure than the public one: its resource manager; with --azure-token-scope
    #[arg(
        id = "azure-endpoint",
        long = "azure-endpoint",
        global = true,
        env = "AUTOSCALE_AZURE_ENDPOINT",
        value_name = "URL"
    )]
    pub endpoint: Option<String>,

    /// The scope of tokens for it
    #[arg(
        id = "azure-token-scope",
        long = "azure-token-scope",
        global = true,
        env = "AUTOSCALE_AZURE_TOKEN_SCOPE",
        value_name = "SCOPE"
    )]
    pub token_scope: Option<String>,
}

/// The disk of a machine.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Disk {
    /// A spinning disk
    Standard,
    /// A standard SSD
    #[default]
    StandardSsd,
    /// A premium SSD
    Premium,
}
