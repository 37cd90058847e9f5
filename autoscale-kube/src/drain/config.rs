//! What a drainer has to be told.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use autoscale_core::words::ConfigErrors;

use crate::request::is_dns;

/// What a drainer has to be told. The defaults suit a cluster that nothing else scales.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DrainConfig {
    /// The prefix of our annotations and of the label of pools, a DNS name; default `autoscale.local`. All programs that
    /// work on one cluster have to agree on it.
    pub prefix: String,
    /// The label whose value is the pool of a node; default `autoscale.local/pool`. A value that is no name of a pool
    /// (1 to 63 of a-z, 0-9 and inner dashes) is as good as none: such a node is in no pool.
    pub pool_label: String,
    /// How many objects one answer of a list has at most; default 500.
    pub page: u32,
    /// How many evictions are under way at a time within one pass; default 8.
    pub evictions_at_once: usize,
    /// Kinds of controllers, beside those of Kubernetes itself, that make their pods again when these are evicted; default
    /// none. Pods of any other kind hold their nodes: that they have an owner does not say that what it does survives a move.
    /// Pods annotated `cluster-autoscaler.kubernetes.io/safe-to-evict: "true"` do not.
    pub trusted_owners: BTreeSet<OwnerKind>,
}

impl DrainConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            prefix: "autoscale.local".to_owned(),
            pool_label: "autoscale.local/pool".to_owned(),
            page: 500,
            evictions_at_once: 8,
            trusted_owners: BTreeSet::new(),
        }
    }

    /// Another label for pools, such as one that the machine image sets already. Its values have to be names of pools: a node
    /// with any other value, such as `Workers_A`, is in no pool.
    #[must_use]
    pub fn with_pool_label(mut self, label: impl Into<String>) -> Self {
        self.pool_label = label.into();
        self
    }

    /// Trusts one more kind of controllers to make their pods again.
    #[must_use]
    pub fn with_trusted_owner(mut self, kind: OwnerKind) -> Self {
        self.trusted_owners.insert(kind);
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

/// A kind of controllers, written `Kind.group` as `kubectl` has it: `CloneSet.apps.kruise.io`. Whatever the version.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerKind {
    kind: Box<str>,
    group: Box<str>,
}

impl OwnerKind {
    /// As an API server says it.
    pub(super) fn said(kind: &str, group: &str) -> Self {
        Self { kind: kind.into(), group: group.into() }
    }
}

impl FromStr for OwnerKind {
    type Err = ConfigErrors;

    fn from_str(text: &str) -> Result<Self, ConfigErrors> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase())
            && kind.len() <= 63
            && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        let mut errors = ConfigErrors::default();
        let holds = is_kind && (is_dns(group) || !text.contains('.'));
        errors.check(holds, "trusted_owners", text, "a kind and its group, such as CloneSet.apps.kruise.io");
        errors.or(Self::said(kind, group))
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, group } = self;
        if group.is_empty() { f.write_str(kind) } else { write!(f, "{kind}.{group}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_with_their_group() {
        for text in ["CloneSet.apps.kruise.io", "Workflow.argoproj.io", "Job.batch", "Thing"] {
            assert_eq!(text.parse::<OwnerKind>().unwrap().to_string(), text);
        }
        for text in [
            "",
            ".",
            "CloneSet.",
            "cloneset.apps",
            "apps/v1",
            "A b",
            "A.b c",
            "A.B",
            "Ä.b",
            "apps.kruise.io/v1/CloneSet",
        ] {
            let error = text.parse::<OwnerKind>().unwrap_err().to_string();
            let expected = "expected a kind and its group, such as CloneSet.apps.kruise.io";
            assert_eq!(error, format!("trusted_owners: \"{text}\": {expected}"));
        }
    }
}
