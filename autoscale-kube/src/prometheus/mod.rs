//! [`MetricsSource`] on Prometheus: each signal is a query.
//!
//! ```no_run
//! use autoscale_core::words::{SignalName, Unit};
//! use autoscale_kube::prometheus::{Prometheus, Series, Signal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let jobs = Signal::metric(Unit::Count, "jobs_waiting", Series::Sum);
//! let source = Prometheus::builder("https://prometheus.monitoring.svc:9090")
//!     .with_reference_signals()
//!     .with_signal(SignalName::new("jobs")?, jobs)
//!     .with_matcher("cluster", "shop")
//!     .with_bearer_file("/var/run/secrets/tokens/prometheus")
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! What anything else than one number per signal becomes:
//!
//! | the answer | the reading |
//! |---|---|
//! | an empty result, NaN, an infinity, a number out of range, a negative share | missing |
//! | several series, unless [`Series`] says what becomes of them | missing |
//! | measured long ago | its age; the policy says what is stale |
//! | nothing that says when it was measured, or a time to come | missing |
//! | warnings, as of a store that did not take part | missing |
//! | a matrix, a string, a histogram | failed |
//! | a query that is not valid (400) or cannot be evaluated (422), a server that is ill (5xx) | failed, in the server's words |
//! | another type than JSON, such as a page to log in; JSON of another shape | failed |
//! | a redirection, a login that is refused | failed; neither is followed |
//! | more than 8 MiB, more than 2 s to connect, more than 10 s in all | failed |
//!
//! - **Where to**: `https`, unless [`insecure`](PrometheusBuilder::insecure) is said. Link-local, unspecified, multicast and metadata
//!   addresses are refused, loopback ones unless they are allowed: after the name was resolved, and what was judged is what is
//!   connected to. No redirections, no proxies, no repeats.
//! - **Login**: a token, a token in a file that is renewed, or a user's name and password; besides, a certificate. It is sent to the one
//!   origin that was configured. No text of this module shows a
//!   token, a password or a key. What this module keeps of them, and its own copies on the way to a request, is overwritten when it is
//!   dropped; the copies of the HTTP and TLS libraries (headers, the key of a certificate) are not.
//! - **Queries** are static text; [`Signal`] says how a pool gets into one. Each text is sent once in a sample, whatever the
//!   number of pools that it answers for; eight at a time.
//! - **History**: [`Prometheus::history`].

mod address;
mod check;
mod client;
mod config;
mod error;
mod history;
mod number;
mod request;
mod response;
mod secret;
mod signal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use autoscale_core::data::view::{Reading, Sample, SignalQuery};
use autoscale_core::ports::MetricsSource;
use autoscale_core::words::{PoolName, SignalName, Span, Unit};
use futures_util::stream::{StreamExt, iter};
use reqwest::{Client, Url};

use client::Login;
pub use config::PrometheusBuilder;
use error::Trouble;
pub use history::PastValue;
use request::Matcher;
use response::Point;
pub use secret::Secret;
pub use signal::{Series, Signal};

/// How long one request may take.
const LIMIT: Span = Span::from_secs(10);

/// Requests under way at a time.
const AT_ONCE: usize = 8;

/// Signals from one Prometheus, or from what speaks like one.
pub struct Prometheus {
    base: Url,
    client: Client,
    login: Login,
    signals: BTreeMap<SignalName, Signal>,
    pool_label: String,
    matchers: Vec<Matcher>,
    insecure: bool,
}

impl Prometheus {
    /// Begins to set one up: `https://host`, with a port and a path if need be.
    pub fn builder(url: impl Into<String>) -> PrometheusBuilder {
        PrometheusBuilder::new(url.into())
    }

    /// The signals it answers, and what each counts: a policy has to declare the same unit.
    pub fn signals(&self) -> impl Iterator<Item = (&SignalName, Unit)> {
        self.signals.iter().map(|(name, signal)| (name, signal.unit))
    }

    /// Whether it was set up to do without `https`. A program says so at each start.
    pub const fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// A query with its matchers.
    fn text(&self, query: &str, signal: &Signal, pool: &PoolName) -> String {
        let pool = Matcher { label: self.pool_label.clone(), value: pool.as_str().to_owned() };
        let pool = (!signal.of_cluster).then_some(&pool);
        request::filled(query, &request::matchers(self.matchers.iter().chain(pool)))
    }

    /// Both texts of a query, if there is such a signal.
    fn texts(&self, query: &SignalQuery) -> Option<(&Signal, [String; 2])> {
        let signal = self.signals.get(&query.signal)?;
        let texts = [&signal.value, &signal.measured].map(|text| self.text(text, signal, &query.pool));
        Some((signal, texts))
    }
}

/// Without what it logs in with.
impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus")
            .field("base", &self.base.as_str())
            .field("login", &self.login)
            .field("signals", &self.signals)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MetricsSource for Prometheus {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let found: Vec<_> = wanted.iter().map(|query| self.texts(query)).collect();
        let texts: BTreeSet<&String> = found.iter().flatten().flat_map(|(_, texts)| texts).collect();
        if texts.is_empty() {
            return wanted.iter().map(|query| Sample::new(query.clone(), unset(query))).collect();
        }
        let login = match self.login.header().await {
            Ok(login) => login,
            Err(trouble) => {
                let reading = trouble.into_reading();
                let sample = |query: &SignalQuery| Sample::new(query.clone(), reading.clone());
                return wanted.iter().map(sample).collect();
            }
        };
        // Read at once: of the bodies no more are held than requests are under way.
        let ask = async |text: &String| {
            let answer = client::get(&self.client, request::instant(&self.base, text), login.clone()).await;
            (text.clone(), answer.and_then(|answer| answer.instant()))
        };
        let answers: BTreeMap<String, Answered> =
            iter(texts).map(ask).buffer_unordered(AT_ONCE).collect().await;
        let reading = |query: &SignalQuery, found: &Option<(&Signal, [String; 2])>| match found {
            None => unset(query),
            Some((signal, [value, measured])) => {
                read(signal, answers.get(value), answers.get(measured)).unwrap_or_else(Trouble::into_reading)
            }
        };
        wanted
            .iter()
            .zip(&found)
            .map(|(query, found)| Sample::new(query.clone(), reading(query, found)))
            .collect()
    }
}

fn unset(query: &SignalQuery) -> Reading {
    Reading::Missing { why: format!("no query is set for the signal {}", query.signal) }
}

/// What came of one query: a number for each series.
type Answered = Result<Vec<Point>, Trouble>;

/// A signal from the answers to both of its queries.
fn read(signal: &Signal, value: Option<&Answered>, measured: Option<&Answered>) -> Result<Reading, Trouble> {
    let points = |answered: Option<&Answered>| {
        answered.cloned().unwrap_or_else(|| Err(Trouble::Silent("it was not asked".to_owned())))
    };
    let values: Vec<f64> = points(value)?.iter().map(|point| point.value).collect();
    let value = number::value(signal, &values)?;
    let age = points(measured).and_then(|points| number::age(&points));
    let age = age.map_err(|trouble| Trouble::Measured(Box::new(trouble)))?;
    Ok(Reading::Value { value, age })
}
