//! How the modelled cluster behaves.

use autoscale_core::words::{Span, Timestamp};

/// How the modelled cluster behaves. All times are virtual.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The time at the beginning.
    pub start: Timestamp,
    /// From this every uid, every generated name and every random fault is drawn.
    pub seed: u64,
    /// How long controllers and the scheduler take to see a change. Zero: they have acted before the next request.
    pub reaction: Span,
    /// How long a kubelet takes until the pod it was given runs and is Ready.
    pub pod_boot: Span,
    /// How long the containers of a pod take to end, at most its grace period. `None`: all of it.
    pub pod_stop: Option<Span>,
    /// How long the kubelet of a node made through the API takes to say that it is ready.
    pub node_boot: Span,
    /// How long a node may say nothing before it counts as lost.
    pub node_grace: Span,
    /// How long each change of a CustomResourceDefinition takes to be served.
    pub definition: Span,
    /// How long a list can be continued.
    pub continue_for: Span,
    /// How long after its pod is gone a volume is detached from the node.
    pub detach: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // 2026-01-01T00:00:00Z
            start: Timestamp::from_millis(1_767_225_600_000),
            seed: 1,
            reaction: Span::ZERO,
            pod_boot: Span::from_secs(2),
            pod_stop: None,
            node_boot: Span::ZERO,
            node_grace: Span::from_secs(40),
            definition: Span::ZERO,
            continue_for: Span::from_secs(300),
            detach: Span::from_secs(5),
        }
    }
}

impl Settings {
    /// Begins at a time.
    #[must_use]
    pub const fn with_start(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// Draws from another seed.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Lets controllers take their time.
    #[must_use]
    pub const fn with_reaction(mut self, reaction: Span) -> Self {
        self.reaction = reaction;
        self
    }

    /// Lets pods take their time to start.
    #[must_use]
    pub const fn with_pod_boot(mut self, span: Span) -> Self {
        self.pod_boot = span;
        self
    }

    /// Lets pods end before their grace period does.
    #[must_use]
    pub const fn with_pod_stop(mut self, span: Span) -> Self {
        self.pod_stop = Some(span);
        self
    }

    /// Lets nodes made through the API take their time to become ready.
    #[must_use]
    pub const fn with_node_boot(mut self, span: Span) -> Self {
        self.node_boot = span;
        self
    }

    /// Lets volumes take their time to be detached.
    #[must_use]
    pub const fn with_detach(mut self, span: Span) -> Self {
        self.detach = span;
        self
    }

    /// Lets CustomResourceDefinitions take their time to be served.
    #[must_use]
    pub const fn with_definition(mut self, span: Span) -> Self {
        self.definition = span;
        self
    }
}
