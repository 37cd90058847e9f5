//! The command line.

use std::path::PathBuf;

use autoscale_kube::drain::OwnerKind;
use clap::Parser;

/// Says for each node of a cluster whether it may go, and why not. Reads only: nothing is changed, cordoned or evicted.
#[derive(Clone, PartialEq, Eq, Debug, Parser)]
#[command(
    name = "explain-drain",
    version,
    after_help = "Exit code: 0 when every node that was named may go, or none was named; 1 when one of them may not; 2 when there is no answer."
)]
pub(crate) struct Args {
    /// Nodes to ask about; without any, all of them. The others count all the same, as places to go to
    pub(crate) nodes: Vec<String>,

    /// The policy whose pools and settings are asked for (YAML, TOML or JSON); without it every value of the label is a pool
    /// with the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// The label whose value is the pool of a node
    #[arg(long, value_name = "LABEL", default_value = "autoscale.local/pool")]
    pub(crate) pool_label: String,

    /// Controllers that make their pods again, beside those of Kubernetes itself, as KIND.GROUP; several with commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) trusted_owner: Vec<OwnerKind>,

    /// The context of the kubeconfig; without it the current one, or the account of the pod that this runs in
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}
