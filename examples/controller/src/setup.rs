//! Connects, and puts the ports together.

use std::sync::Arc;
use std::time::Duration;

use autoscale_core::data::policy::Policy;
use autoscale_core::driver::{Driver, Ports};
use autoscale_core::ports::{Clock, Error, Ids};
use autoscale_core::words::Span;
use autoscale_kube::Connection;
use autoscale_kube::drain::{CacheConfig, CachedDrain, Drain, DrainConfig};
use autoscale_kube::events::{EventConfig, Events};
use autoscale_kube::lease::LeaseStore;
use futures_util::future::BoxFuture;
use kube::config::KubeConfigOptions;
use tokio::sync::watch;

use crate::bad::Bad;
use crate::notices::Inbox;
use crate::provider::{Given, Provider};
use crate::settings::Settings;
use crate::signals::Signals;

/// So long an API server may say nothing in the middle of an answer: longer than any watch is left quiet, which hears of its
/// server about once a minute, and which [`CacheConfig::silence`] ends before. The driver and all who write have limits of their own.
const SILENCE: Duration = Duration::from_secs(180);

/// Connects by the kubeconfig, else as the pod: a client that does not repeat requests by itself, and the namespace it is in.
///
/// # Errors
/// No way to a cluster is known, or it cannot be used.
pub async fn connect(context: Option<&str>) -> Result<(kube::Client, String), Bad> {
    let refused = |error: &dyn std::fmt::Display| {
        Bad::of(format!("no cluster: {error}: expected a kubeconfig, or a pod with an account"))
    };
    let mut config = match context {
        Some(context) => {
            let options = KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
            kube::Config::from_kubeconfig(&options).await.map_err(|error| refused(&error))?
        }
        None => kube::Config::infer().await.map_err(|error| refused(&error))?,
    };
    limit(&mut config);
    let namespace = config.default_namespace.clone();
    Ok((kube::Client::try_from(config).map_err(|error| refused(&error))?, namespace))
}

/// How long a client of this program waits for what, and that it repeats nothing by itself.
pub fn limit(config: &mut kube::Config) {
    // A pod that a budget protects is answered with 429; a client that repeats that does not return for a minute.
    config.default_retry = false;
    (config.connect_timeout, config.read_timeout) = (Some(Duration::from_secs(5)), Some(SILENCE));
}

/// The ports of a replica, and what makes drivers of them.
#[non_exhaustive]
pub struct Setup {
    /// Everything a driver talks to.
    pub ports: Ports,
    /// The policy that counts.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// Where the next version of it goes.
    pub next: watch::Sender<Arc<Policy>>,
    /// Where signals come from.
    pub signals: Signals,
    /// What has to run beside the ticks.
    pub beside: Option<BoxFuture<'static, ()>>,
    /// What hears of interruptions, where ticks store them.
    pub notices: Option<BoxFuture<'static, ()>>,
    /// Where it puts them.
    pub inbox: Inbox,
    /// Asks the provider whether everything is allowed that will be asked for. Gives what is not.
    pub check: Option<BoxFuture<'static, Vec<Error>>>,
    /// For what is written beside the ticks.
    pub connection: Connection,
    /// The namespace and the name of the Lease.
    pub lease: (String, String),
    drain: Drain,
    scope: String,
    launch_delay: Span,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("ports", &self.ports)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Setup {
    /// Puts together what the settings say, over a client of [`connect`]. `namespace` counts where none is set.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub async fn new(
        settings: &Settings,
        client: (kube::Client, String),
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, Bad> {
        let (given, next) = given(settings, client, clock);
        // Whatever else is wrong is told too.
        match settings.machines.open(&settings.options, &given).await {
            Ok(provider) => Self::with(settings, given, next, provider, ids),
            Err(mut bad) => {
                bad.add(parts(settings, &given).err().unwrap_or_default());
                Err(bad)
            }
        }
    }

    /// The same with a provider that is there already, for what [`given`] gives.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn with(
        settings: &Settings,
        given: Given,
        next: watch::Sender<Arc<Policy>>,
        provider: Provider,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, Bad> {
        let options = &settings.options;
        let (store, signals) = parts(settings, &given)?;
        let Given { client, namespace, policy, clock, inbox, .. } = given;
        let Provider { nodes, scope, launch_delay, beside, notices, check } = provider;
        let connection = Connection::from_client(client);
        let mut drain = DrainConfig::new().with_pool_label(&options.pool_label);
        drain.trusted_owners.extend(options.trusted_owner.iter().cloned());
        let drain = Drain::new(connection.clone(), drain, clock.clone());
        let drainer = Arc::new(drain.clone());
        let lease = (namespace, options.lease.clone());
        let ports = Ports::new(signals.source.clone(), nodes, drainer, Arc::new(store), clock, ids);
        Ok(Self {
            ports,
            policy,
            next,
            signals,
            beside,
            notices,
            inbox,
            check,
            connection,
            lease,
            drain,
            scope,
            launch_delay,
        })
    }

    /// Lets surveys come from a cache that list and watch keep, as far as that is safe. For programs that stay up.
    pub fn follow(&mut self) {
        self.ports.drainer = Arc::new(CachedDrain::spawn(self.drain.clone(), CacheConfig::new()));
    }

    /// Begins to write events, about nodes, pods and the Lease, in the name of a replica.
    ///
    /// # Errors
    /// The name is none.
    pub fn events(&self, name: &str) -> Result<Events, Bad> {
        let (namespace, lease) = &self.lease;
        let config = EventConfig::new(name).with_object("coordination.k8s.io/v1", "Lease", namespace, lease);
        let events = Events::spawn(self.connection.clone(), config, self.ports.clock.clone());
        events.map_err(|error| Bad::of(format!("--name: {}", error.chain())))
    }

    /// What makes drivers, without the rest.
    pub fn maker(&self) -> Maker {
        Maker { ports: self.ports.clone(), scope: self.scope.clone(), launch_delay: self.launch_delay }
    }
}

/// What a provider is given under these settings, and where the next version of the policy goes.
pub fn given(
    settings: &Settings,
    (client, namespace): (kube::Client, String),
    clock: Arc<dyn Clock>,
) -> (Given, watch::Sender<Arc<Policy>>) {
    let namespace = settings.options.namespace.clone().unwrap_or(namespace);
    let (next, policy) = watch::channel(settings.policy.clone());
    let inbox = Inbox::new(clock.clone());
    (Given { client, namespace, policy, clock, inbox }, next)
}

/// The record, and where signals come from.
fn parts(settings: &Settings, given: &Given) -> Result<(LeaseStore, Signals), Bad> {
    let (options, connection) = (&settings.options, Connection::from_client(given.client.clone()));
    let mut bad = Bad::default();
    let store = LeaseStore::new(connection.clone(), &given.namespace, &options.lease);
    let store = bad.take(store.map_err(|error| Bad::of(error.chain())));
    let signals = Signals::new(options, &settings.policy, connection, given.clock.clone());
    let signals = bad.take(signals.and_then(|signals| signals.fit(&settings.policy).map(|()| signals)));
    bad.into_result()?;
    match (store, signals) {
        (Some(store), Some(signals)) => Ok((store, signals)),
        // Whatever is not there has been said above.
        _ => Err(Bad::of("not enough was set")),
    }
}

/// Makes a driver for each version of the policy.
#[derive(Clone, Debug)]
pub struct Maker {
    ports: Ports,
    scope: String,
    launch_delay: Span,
}

impl Maker {
    /// A driver under a policy.
    pub fn driver(&self, policy: Arc<Policy>) -> Driver {
        Driver::new(policy, self.ports.clone()).with_scope(&self.scope).with_launch_delay(self.launch_delay)
    }
}
