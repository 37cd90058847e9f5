//! How the agent of a node runs.

use autoscale_core::words::Span;
use clap::ValueEnum;

/// How the agent of a node runs: it reads what Azure announces to the machine, and marks the machine's Node with it.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "With --node-agent")]
#[non_exhaustive]
pub struct AgentOptions {
    /// Be the agent of the machine this runs on, and nothing else: for nodes on Azure. Needs neither a policy nor a provider
    #[arg(id = "node-agent", long = "node-agent", env = "AUTOSCALE_NODE_AGENT")]
    pub node_agent: bool,

    /// The name of its Node
    #[arg(id = "node-name", long = "node-name", env = "AUTOSCALE_NODE_NAME", value_name = "NAME")]
    pub node_name: Option<String>,

    /// How often the scheduled events are read
    #[arg(
        id = "node-agent-every",
        long = "node-agent-every",
        env = "AUTOSCALE_NODE_AGENT_EVERY",
        value_name = "SPAN",
        default_value = "1s"
    )]
    pub every: Span,

    /// What an announced redeploy is taken for
    #[arg(
        id = "node-agent-redeploy",
        long = "node-agent-redeploy",
        env = "AUTOSCALE_NODE_AGENT_REDEPLOY",
        value_name = "WHAT",
        default_value = "rebalance"
    )]
    pub redeploy: Taken,

    /// What an announced reboot is taken for
    #[arg(
        id = "node-agent-reboot",
        long = "node-agent-reboot",
        env = "AUTOSCALE_NODE_AGENT_REBOOT",
        value_name = "WHAT",
        default_value = "rebalance"
    )]
    pub reboot: Taken,

    /// What an announced freeze is taken for
    #[arg(
        id = "node-agent-freeze",
        long = "node-agent-freeze",
        env = "AUTOSCALE_NODE_AGENT_FREEZE",
        value_name = "WHAT",
        default_value = "ignore"
    )]
    pub freeze: Taken,
}

/// What an event that a machine survives is taken for.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Taken {
    /// The machine ends: it is drained at once and replaced
    Interruption,
    /// The machine is at risk: it is replaced as the policy says
    Rebalance,
    /// Nothing is done
    Ignore,
}
