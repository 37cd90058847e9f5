//! The command line. Every option has an environment variable, so that a Deployment needs no arguments.

#[cfg(feature = "azure")]
mod agent;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
mod prometheus;
#[cfg(any(feature = "aws", feature = "azure"))]
mod tag;

use std::net::SocketAddr;
use std::path::PathBuf;

use autoscale_core::words::{ClusterId, Span};
use autoscale_kube::drain::OwnerKind;
use clap::{Parser, ValueEnum};

use crate::command::Command;
use crate::provider::sim::Limit;
#[cfg(feature = "azure")]
pub use agent::{AgentOptions, Taken};
#[cfg(feature = "aws")]
pub use aws::AwsOptions;
#[cfg(feature = "azure")]
pub use azure::{AzureOptions, Disk};
pub use prometheus::{Matcher, MetricSignal, PrometheusOptions};
#[cfg(any(feature = "aws", feature = "azure"))]
pub use tag::Tag;

/// Scales the worker nodes of this cluster, safely, and says why.
///
/// Without a command it runs until it is told to stop. Connects as the pod it runs in, or by the kubeconfig. The exit code is
/// 0 when all is well, 1 when something could not be done or a person has to look, 2 when the settings are no good.
#[derive(Parser, Clone, Debug)]
#[non_exhaustive]
#[command(name = "controller", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Args {
    /// What to do besides running.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// How to run.
    #[command(flatten)]
    pub options: Options,
}

/// Everything that can be set.
#[derive(clap::Args, Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The policy: a YAML, TOML or JSON file; looked at again every few seconds while running
    #[arg(long, global = true, env = "AUTOSCALE_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// How often the policy file is looked at
    #[arg(long, global = true, env = "AUTOSCALE_POLICY_EVERY", value_name = "SPAN", default_value = "5s")]
    pub policy_every: Span,

    /// The cluster that the policy must be for; a guard against the file of another one
    #[arg(long, global = true, env = "AUTOSCALE_CLUSTER", value_name = "NAME")]
    pub cluster: Option<ClusterId>,

    /// The namespace of the Lease [default: that of the pod, or of the kubeconfig]
    #[arg(long, global = true, env = "AUTOSCALE_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,

    /// The Lease that holds the record
    #[arg(long, global = true, env = "AUTOSCALE_LEASE", value_name = "NAME", default_value = "autoscale")]
    pub lease: String,

    /// The context of the kubeconfig; without it the pod's own account is used where there is one
    #[arg(long, global = true, env = "AUTOSCALE_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,

    /// Who this replica is, for people who look at the Lease
    #[arg(long, global = true, env = "AUTOSCALE_NAME", value_name = "NAME", default_value = "controller")]
    pub name: String,

    /// The label of a node whose value is its pool
    #[arg(
        long,
        global = true,
        env = "AUTOSCALE_POOL_LABEL",
        value_name = "KEY",
        default_value = "autoscale.local/pool"
    )]
    pub pool_label: String,

    /// Controllers that make their pods again, beside those of Kubernetes itself, as KIND.GROUP, such as CloneSet.apps.kruise.io;
    /// pods of all others hold their nodes
    #[arg(long, global = true, env = "AUTOSCALE_TRUSTED_OWNER", value_name = "KIND", value_delimiter = ',')]
    pub trusted_owner: Vec<OwnerKind>,

    /// Where nodes come from
    #[arg(long, global = true, env = "AUTOSCALE_PROVIDER", value_name = "NAME")]
    pub provider: Option<ProviderName>,

    /// Where signals come from; pending pods are seen without
    #[arg(long, global = true, env = "AUTOSCALE_SIGNALS", value_name = "SOURCE", default_value = "none")]
    pub signals: SignalSource,

    /// How the cluster is looked at: every time anew, or from what a watch has kept, as far as that is safe
    #[arg(long, global = true, env = "AUTOSCALE_SURVEYS", value_name = "WAY", default_value = "list")]
    pub surveys: Surveys,

    /// Write no events about nodes, pods and the Lease
    #[arg(long, global = true, env = "AUTOSCALE_NO_EVENTS")]
    pub no_events: bool,

    /// Where /healthz, /readyz, /metrics and /decisions are served
    #[arg(
        long,
        global = true,
        env = "AUTOSCALE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,

    /// How many of the last decisions are kept for /decisions
    #[arg(long, global = true, env = "AUTOSCALE_DECISIONS", value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub decisions: u16,

    /// Write an audit log: a file of a folder that only this replica writes to. `explain` reads it
    #[arg(long, global = true, env = "AUTOSCALE_AUDIT", value_name = "FILE")]
    pub audit: Option<PathBuf>,

    /// How logs look
    #[arg(long, global = true, env = "AUTOSCALE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// What is logged: a level, or a filter like `info,autoscale=debug`
    #[arg(long, global = true, env = "AUTOSCALE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// Decide and explain, and change nothing: no Lease is written, nothing is bought, cordoned or evicted
    #[arg(long, global = true, env = "AUTOSCALE_DRY_RUN")]
    pub dry_run: bool,

    /// One tick; its report is printed
    #[arg(long, env = "AUTOSCALE_ONCE")]
    pub once: bool,

    /// How long stopping may take; a pod's `terminationGracePeriodSeconds` has to be longer
    #[arg(long, global = true, env = "AUTOSCALE_STOP_WITHIN", value_name = "SPAN", default_value = "40s")]
    pub stop_within: Span,

    /// With --provider sim: how long a machine takes until it has a Node
    #[arg(long, global = true, env = "AUTOSCALE_SIM_BOOT", value_name = "SPAN", default_value = "30s")]
    pub sim_boot: Span,

    /// With --provider sim: how many machines there are at most, as ZONE/PURCHASE/SHAPE=N; `*` is any
    #[arg(long, global = true, env = "AUTOSCALE_SIM_LIMIT", value_name = "LIMIT", value_delimiter = ',')]
    pub sim_limit: Vec<Limit>,

    /// What machines on AWS are made of.
    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub aws: AwsOptions,

    /// What machines on Azure are made of.
    #[cfg(feature = "azure")]
    #[command(flatten)]
    pub azure: AzureOptions,

    /// How the agent of a node runs.
    #[cfg(feature = "azure")]
    #[command(flatten)]
    pub agent: AgentOptions,

    /// How Prometheus is reached, and what it is asked.
    #[command(flatten)]
    pub prometheus: PrometheusOptions,
}

/// A provider of this build.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProviderName {
    /// Machines that are ConfigMaps, to try it out: Nodes without a kubelet
    Sim,
    /// Instances of EC2
    #[cfg(feature = "aws")]
    Aws,
    /// Virtual machines of Azure
    #[cfg(feature = "azure")]
    Azure,
}

/// Where signals come from.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SignalSource {
    /// Nowhere: every signal is missing, and only pods that wait make a pool grow
    None,
    /// What pods ask for over what nodes offer: `cpu` and `memory` without a metrics server
    Requests,
    /// What nodes use, as the metrics server measured it; what pods ask for as `cpu_requests` and `memory_requests`
    MetricsServer,
    /// `cpu`, `memory`, `unschedulable_pods` and metrics of your own from Prometheus, the rest as with metrics-server
    Prometheus,
}

/// How the cluster is looked at.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Surveys {
    /// Lists, every time
    List,
    /// A cache that list and watch keep; needs the verb `watch`
    Watch,
}

/// How logs look.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people
    Text,
    /// One object a line
    Json,
}
