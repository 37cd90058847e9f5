//! What a drainer has to be told.

/// What a drainer has to be told. The defaults suit a cluster that nothing else scales.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DrainConfig {
    /// The prefix of our annotations and of the label of pools, a DNS name; default `autoscale.local`. All programs that
    /// work on one cluster have to agree on it.
    pub prefix: String,
    /// The label whose value is the pool of a node; default `autoscale.local/pool`.
    pub pool_label: String,
    /// How many objects one answer of a list has at most; default 500.
    pub page: u32,
    /// How many evictions are under way at a time within one pass; default 8.
    pub evictions_at_once: usize,
}

impl DrainConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            prefix: "autoscale.local".to_owned(),
            pool_label: "autoscale.local/pool".to_owned(),
            page: 500,
            evictions_at_once: 8,
        }
    }

    /// Another label for pools, such as one that the machine image sets already.
    #[must_use]
    pub fn with_pool_label(mut self, label: impl Into<String>) -> Self {
        self.pool_label = label.into();
        self
    }

    /// The annotation with the mark of our cordon.
    pub(super) fn mark(&self) -> String {
        format!("{}/cordon", self.prefix)
    }

    /// The annotation with the highest stamp.
    pub(super) fn stamp(&self) -> String {
        format!("{}/stamp", self.prefix)
    }

    /// The annotation that forbids to remove a node.
    pub(super) fn keep(&self) -> String {
        format!("{}/keep", self.prefix)
    }
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self::new()
    }
}
