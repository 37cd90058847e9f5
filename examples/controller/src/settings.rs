//! What the command line means: every mistake at once.

use std::path::PathBuf;
use std::sync::Arc;

use autoscale_core::data::policy::Policy;
use autoscale_core::words::Span;
use clap::ValueEnum;

use crate::args::{Options, ProviderName};
use crate::bad::Bad;
use crate::policy;
use crate::provider::Machines;

/// Options that have been understood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where the policy is.
    pub path: PathBuf,
    /// What it says.
    pub policy: Arc<Policy>,
    /// Where nodes come from.
    pub provider: ProviderName,
    /// What machines it makes.
    pub machines: Machines,
    /// Everything else.
    pub options: Options,
}

impl Settings {
    /// Reads the policy and checks the rest.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn new(options: Options) -> Result<Self, Bad> {
        let mut bad = Bad::default();
        let path = options.policy.clone().ok_or_else(|| missing("--policy", "AUTOSCALE_POLICY", "a file"));
        let path = bad.take(path);
        let policy = path.as_deref().and_then(|path| bad.take(policy::read(path)));
        let provider =
            options.provider.ok_or_else(|| missing("--provider", "AUTOSCALE_PROVIDER", &providers()));
        let provider = bad.take(provider);
        let machines = provider.map(|name| Machines::new(name, &options, policy.as_deref()));
        let machines = machines.and_then(|machines| bad.take(machines));
        if let (Some(policy), Some(cluster)) = (&policy, &options.cluster)
            && policy.cluster() != cluster
        {
            bad.add(Bad::setting("--cluster", cluster, format!("{}, as the policy says", policy.cluster())));
        }
        if options.policy_every < Span::from_secs(1) {
            bad.add(Bad::setting("--policy-every", options.policy_every, "at least 1s"));
        }
        if options.stop_within < Span::from_secs(1) {
            bad.add(Bad::setting("--stop-within", options.stop_within, "at least 1s"));
        }
        if options.pool_label.is_empty() || options.pool_label.len() > 317 {
            bad.add(Bad::setting("--pool-label", &options.pool_label, "the key of a label"));
        }
        bad.take(
            tracing_subscriber::EnvFilter::try_new(&options.log).map_err(|error| {
                Bad::setting("--log", &options.log, format!("a level or a filter: {error}"))
            }),
        );
        bad.into_result()?;
        match (path, policy, provider, machines) {
            (Some(path), Some(policy), Some(provider), Some(machines)) => {
                Ok(Self { path, policy, provider, machines, options })
            }
            // Whatever is not there has been said above.
            _ => Err(Bad::of("not enough was set")),
        }
    }
}

/// Those of this build.
fn providers() -> String {
    let all = ProviderName::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    all.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(" or ")
}

fn missing(flag: &str, variable: &str, expected: &str) -> Bad {
    Bad::of(format!("{flag}: missing: expected {expected}, here or in {variable}"))
}
