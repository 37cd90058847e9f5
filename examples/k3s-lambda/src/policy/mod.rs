//! The policy: from variables of the reference, or a document.

mod shape;

use std::sync::Arc;

use autoscale_aws::ec2::Ec2Nodes;
use autoscale_aws::ssm::SecretParameter;
use autoscale_core::data::policy::{Policy, PolicyFormat, PoolPolicy};
use autoscale_core::ports::Clock;

use crate::bad::Bad;
use crate::clients::Clients;
use crate::objects::Reach;
use crate::settings::{Lookup, PolicyPlace, PoolSettings, Settings};
pub use shape::allocatable;

/// The variables that the core's builder reads.
pub const VARIABLES: [&str; 12] = [
    "CPU_UP",
    "CPU_DOWN",
    "PENDING_UP_SEC",
    "IDLE_DOWN_SEC",
    "MIN_WORKERS",
    "MAX_WORKERS",
    "COOLDOWN_UP_SEC",
    "COOLDOWN_DOWN_SEC",
    "JOIN_TIMEOUT_SEC",
    "DRAIN_TIMEOUT_SEC",
    "MAX_BATCH_UP",
    "PODS_PER_NODE",
];

/// Finds the policy, and checks it.
///
/// # Errors
/// Everything that is wrong with it, or why it cannot be fetched.
pub async fn find(
    settings: &Settings,
    clients: &Clients,
    nodes: &Ec2Nodes,
    clock: Arc<dyn Clock>,
    lookup: Lookup<'_>,
) -> Result<Arc<Policy>, Bad> {
    let policy = match &settings.policy {
        PolicyPlace::Variables(pool) => of_variables(settings, pool, clients, nodes, lookup).await?,
        PolicyPlace::Inline(text) => parse("POLICY", text, None)?,
        PolicyPlace::Parameter(name) => {
            let failed =
                |error: autoscale_core::ports::Error| Bad::of(format!("POLICY_PARAM: {}", error.chain()));
            let parameter =
                SecretParameter::new(clients.ssm.clone(), name, clock).map_err(failed)?.with_plain();
            parse("POLICY_PARAM", parameter.get().await.map_err(failed)?.expose(), None)?
        }
        PolicyPlace::S3(place) => {
            let text = Reach::new(settings, clients, clock).text("POLICY_S3", place).await?;
            parse("POLICY_S3", &text, PolicyFormat::of_path(place.path.as_ref()))?
        }
    };
    if *policy.cluster() != settings.cluster {
        let expected = format!("{}, as CLUSTER_ID or CLUSTER_TAG_VALUE says", settings.cluster);
        return Err(Bad::setting("the policy's cluster", policy.cluster().as_str(), expected));
    }
    Ok(Arc::new(policy))
}

/// A document. Without a name that tells, JSON begins with a brace and everything else is YAML.
fn parse(name: &str, text: &str, format: Option<PolicyFormat>) -> Result<Policy, Bad> {
    let guess = if text.trim_start().starts_with('{') { PolicyFormat::Json } else { PolicyFormat::Yaml };
    Policy::parse(text, format.unwrap_or(guess)).map_err(|errors| Bad::policy(Some(name), &errors))
}

/// One pool, as the reference has it. Zones are those of the subnets.
async fn of_variables(
    settings: &Settings,
    pool: &PoolSettings,
    clients: &Clients,
    nodes: &Ec2Nodes,
    lookup: Lookup<'_>,
) -> Result<Policy, Bad> {
    let mut bad = Bad::default();
    let zones = nodes.zones().await.map_err(|error| Bad::of(format!("WORKER_SUBNET_IDS: {}", error.chain())));
    let zones = bad.take(zones);
    let has = match pool.allocatable {
        Some(has) => Some(has),
        None => bad.take(shape::look_up(&clients.ec2, &pool.instance_type).await),
    };
    bad.into_result()?;
    let (cpu, memory) = has.unwrap_or_default();
    let mut built = PoolPolicy::builder(pool.name.as_str())
        .with_adopt(pool.adopt)
        .with_zones(zones.unwrap_or_default())
        .with_shape(&pool.instance_type, cpu, memory, pool.pods);
    if !pool.purchases.is_empty() {
        built = built.with_purchases(pool.purchases.clone());
    }
    let policy = Policy::builder(settings.cluster.as_str()).with_pool(built.with_env(lookup)).build();
    policy.map_err(|errors| Bad::policy(None, &errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_in_its_format_and_refused_by_its_variable() {
        let json = r#"{"version": 1, "cluster": "shop", "pools": {"web": {"zones": ["a"],
            "shapes": [{"name": "m6i.large", "cpu": "1930m", "memory": "7Gi", "pods": 110}]}}}"#;
        assert_eq!(parse("POLICY", json, None).unwrap().cluster().as_str(), "shop");
        let yaml = "version: 1\ncluster: shop\npools:\n  web:\n    zones: [a]\n    min: many\n";
        let errors = parse("POLICY_S3", yaml, Some(PolicyFormat::Yaml)).unwrap_err().to_string();
        assert!(errors.lines().all(|line| line.starts_with("POLICY_S3: ")), "{errors}");
        assert!(errors.contains("pools.web.min") && errors.contains("6:"), "{errors}");
    }
}
