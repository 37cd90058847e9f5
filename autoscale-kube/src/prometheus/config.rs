//! What a source on Prometheus has to be told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use autoscale_core::words::{ConfigErrors, SignalName, Span};

use super::check;
use super::client::Login;
use super::request::Matcher;
use super::secret::Secret;
use super::signal::Signal;
use super::{Prometheus, check::Checked};

/// What a source on Prometheus has to be told. Nothing is checked before [`build`](Self::build).
#[must_use = "nothing is set up before `build`"]
pub struct PrometheusBuilder {
    pub(super) url: String,
    pub(super) signals: BTreeMap<SignalName, Signal>,
    /// Said twice.
    pub(super) repeated: Vec<SignalName>,
    pub(super) pool_label: String,
    pub(super) matchers: Vec<Matcher>,
    pub(super) logins: Vec<Login>,
    pub(super) ca: Option<Vec<u8>>,
    pub(super) identity: Option<(Vec<u8>, Secret)>,
    pub(super) insecure: bool,
    pub(super) loopback: bool,
    pub(super) limit: Span,
}

impl PrometheusBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            signals: BTreeMap::new(),
            repeated: Vec::new(),
            pool_label: "pool".to_owned(),
            matchers: Vec::new(),
            logins: Vec::new(),
            ca: None,
            identity: None,
            insecure: false,
            loopback: false,
            limit: super::LIMIT,
        }
    }

    /// Adds a signal by the name that policies have for it.
    pub fn with_signal(mut self, name: SignalName, signal: Signal) -> Self {
        if self.signals.insert(name.clone(), signal).is_some() {
            self.repeated.push(name);
        }
        self
    }

    /// Adds the reference set: `cpu`, `memory` and `unschedulable_pods`, as [`Signal`] has them.
    pub fn with_reference_signals(mut self) -> Self {
        for (name, signal) in [
            ("cpu", Signal::node_cpu()),
            ("memory", Signal::node_memory()),
            ("unschedulable_pods", Signal::unschedulable_pods()),
        ] {
            if let Ok(name) = SignalName::new(name) {
                self = self.with_signal(name, signal);
            }
        }
        self
    }

    /// The label of series whose value is the pool's name; default `pool`.
    pub fn with_pool_label(mut self, label: impl Into<String>) -> Self {
        self.pool_label = label.into();
        self
    }

    /// A label that all series must have, such as `cluster`, where one Prometheus knows several. It is put, escaped, wherever a
    /// query has `$labels`.
    pub fn with_matcher(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.matchers.push(Matcher { label: label.into(), value: value.into() });
        self
    }

    /// Logs in with a token.
    pub fn with_bearer(mut self, token: impl Into<Secret>) -> Self {
        self.logins.push(Login::Bearer(token.into()));
        self
    }

    /// Logs in with the token in a file, which is read for every sample: a projected token of a service account is renewed
    /// where it lies.
    pub fn with_bearer_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.logins.push(Login::BearerFile(path.into()));
        self
    }

    /// Logs in with a user's name and password.
    pub fn with_basic(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.logins.push(Login::Basic(user.into(), password.into()));
        self
    }

    /// Trusts these authorities alone, in PEM, instead of those of the machine.
    pub fn with_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Shows a certificate to the server: its chain and its private key, both in PEM. Build anew when it is renewed.
    pub fn with_identity_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Secret>) -> Self {
        self.identity = Some((chain.into(), key.into()));
        self
    }

    /// Allows `http`. **Whoever is on the way can then read the login and make up the numbers.** Say so at each start: see
    /// [`Prometheus::is_insecure`].
    pub const fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Allows loopback addresses, as for a Prometheus in the same pod or a test.
    pub const fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// How long one request may take, with connecting and reading: above zero, at most 10 s, which is the default. A driver waits
    /// 5 s for a whole sample.
    pub const fn with_limit(mut self, limit: Span) -> Self {
        self.limit = limit;
        self
    }

    /// Sets it up. Nothing is sent yet.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn build(self) -> Result<Prometheus, ConfigErrors> {
        let Checked { base, client, login } = check::check(&self)?;
        let Self { signals, pool_label, matchers, insecure, .. } = self;
        Ok(Prometheus { base, client, login, signals, pool_label, matchers, insecure })
    }
}

/// Without tokens, passwords and keys.
impl fmt::Debug for PrometheusBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusBuilder")
            .field("signals", &self.signals)
            .field("pool_label", &self.pool_label)
            .field("matchers", &self.matchers)
            .field("logins", &self.logins)
            .finish_non_exhaustive()
    }
}
