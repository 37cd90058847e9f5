//! What an author of events has to be told.

use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::Span;

use crate::request::is_dns;

/// Who writes, about which object of the pools, and how much at most.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct EventConfig {
    /// The namespace of the object that stands for the pools; default `kube-system`.
    pub namespace: String,
    /// Its API version and kind; default the Lease of the record (`coordination.k8s.io/v1`, `Lease`).
    pub api_version: String,
    /// See [`api_version`](Self::api_version).
    pub kind: String,
    /// Its name; default `autoscale`.
    pub name: String,
    /// Which replica writes, such as the pod's name: 1 to 128 bytes.
    pub instance: String,
    /// The prefix of the name of the reporting controller, a DNS name; default `autoscale.local`.
    pub prefix: String,
    /// How many events of one round are written at most, failures and actions first; default 20. The rest is counted as dropped.
    pub per_round: usize,
    /// How many writes may follow each other at once; default 50.
    pub burst: u32,
    /// After the burst, one more for each of these spans; default 3 seconds.
    pub every: Span,
    /// The same event within this is counted, and told as a series only after it; default 5 minutes.
    pub repeat: Span,
}

impl EventConfig {
    /// The defaults, for a replica of this name.
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            namespace: "kube-system".to_owned(),
            api_version: "coordination.k8s.io/v1".to_owned(),
            kind: "Lease".to_owned(),
            name: "autoscale".to_owned(),
            instance: instance.into(),
            prefix: "autoscale.local".to_owned(),
            per_round: 20,
            burst: 50,
            every: Span::from_secs(3),
            repeat: Span::from_mins(5),
        }
    }

    /// Another object that stands for the pools, such as a ConfigMap.
    #[must_use]
    pub fn with_object(mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        self.api_version = api_version.to_owned();
        self.kind = kind.to_owned();
        self.namespace = namespace.to_owned();
        self.name = name.to_owned();
        self
    }

    /// As reporting controllers are named.
    pub(super) fn controller(&self) -> String {
        format!("{}/autoscaler", self.prefix)
    }

    /// Everything that the API server would refuse, at once.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        for (field, text) in [("namespace", &self.namespace), ("name", &self.name), ("prefix", &self.prefix)]
        {
            if !is_dns(text) {
                wrong.push(format!(
                    "{field} \"{text}\": expected lower-case letters, digits, dots and inner dashes"
                ));
            }
        }
        for (field, text) in [("api_version", &self.api_version), ("kind", &self.kind)] {
            if text.is_empty() {
                wrong.push(format!("{field} \"\": expected the one of an object, such as Lease"));
            }
        }
        if self.instance.is_empty() || self.instance.len() > 128 {
            wrong.push(format!("instance \"{}\": expected 1 to 128 bytes", self.instance));
        }
        for (field, zero) in [("per_round", self.per_round == 0), ("burst", self.burst == 0)] {
            if zero {
                wrong.push(format!("{field} 0: expected at least 1"));
            }
        }
        if self.every == Span::ZERO {
            wrong.push("every 0s: expected more".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::new(ErrorKind::Invalid, wrong.join("; "))) }
    }
}
