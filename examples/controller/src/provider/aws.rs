//! `--provider aws`: instances of EC2, and notices from a queue.

use std::sync::Arc;
use std::time::Duration;

use autoscale_aws::ec2::{Ec2Config, Ec2Nodes, LAUNCH_DELAY};
use autoscale_core::data::order::{LaunchOrder, Offering};
use autoscale_core::data::policy::Policy;
use autoscale_core::words::{Inc, Token};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};

use super::{Given, Provider, cluster_of, content, missing};
use crate::args::AwsOptions;
use crate::bad::Bad;
use crate::notices::queue::{self, Queue};

/// The most that EC2 takes as user data.
const USER_DATA: u64 = 16 << 10;
/// Shorter than the driver's limit for a call.
const ATTEMPT: Duration = Duration::from_secs(4);
/// So many launches are asked about at the start.
const ASKED: usize = 64;

/// Options for AWS that have been understood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AwsSettings {
    /// The region.
    pub region: String,
    /// What machines are made of.
    pub config: Ec2Config,
    /// The queue of notices.
    pub queue: Option<String>,
}

impl AwsSettings {
    /// Understands the options.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn new(options: &AwsOptions, policy: Option<&Policy>) -> Result<Self, Bad> {
        let mut bad = Bad::default();
        let region = options.region.clone().filter(|region| !region.is_empty());
        let region =
            region.ok_or_else(|| missing("--aws-region", "AWS_REGION", "a region, such as eu-central-1"));
        let region = bad.take(region.and_then(|region| {
            let right = region.len() <= 40
                && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if right {
                Ok(region)
            } else {
                Err(Bad::setting("--aws-region", region, "a region, such as eu-central-1"))
            }
        }));
        let mut config = Ec2Config::builder(cluster_of(policy)?)
            .with_security_groups(&options.security_groups)
            .with_control_plane_instances(&options.control_plane_instances);
        // An empty list is told by its own name.
        if options.subnets.is_empty() {
            bad.add(missing("--aws-subnets", "AUTOSCALE_AWS_SUBNETS", "at least one subnet id"));
        }
        config = config.with_subnets(&options.subnets);
        match (&options.launch_template, &options.image) {
            (Some(_), Some(_)) => {
                bad.add(Bad::of("--aws-launch-template and --aws-image: both: expected one of them"));
            }
            (Some(template), None) => {
                match template.rsplit_once(':').map(|(name, version)| (name, version.parse())) {
                    Some((name, Ok(version))) => config = config.with_launch_template(name, version),
                    _ => bad.add(Bad::setting(
                        "--aws-launch-template",
                        template,
                        "a launch template and its version, such as workers:7",
                    )),
                }
            }
            (None, Some(image)) => config = config.with_image(image),
            (None, None) => {
                for name in policy
                    .iter()
                    .flat_map(|policy| policy.pools())
                    .filter(|(_, pool)| pool.template.is_empty())
                    .map(|(name, _)| name)
                {
                    let expected = format!(
                        "a launch template and its version, here or in AUTOSCALE_AWS_LAUNCH_TEMPLATE, an --aws-image, or `template` in pool {name}"
                    );
                    bad.add(Bad::of(format!("--aws-launch-template: missing: expected {expected}")));
                }
            }
        }
        if let Some(name) = &options.key_name {
            config = config.with_key_name(name);
        }
        if let Some(profile) = &options.instance_profile {
            config = config.with_instance_profile(profile);
        }
        if let Some(price) = &options.spot_max_price {
            config = config.with_spot_max_price(price);
        }
        if let Some(path) = &options.user_data_file
            && let Some(bytes) = bad.take(content("--aws-user-data-file", path, USER_DATA))
        {
            match String::from_utf8(bytes) {
                Ok(text) => config = config.with_user_data(text),
                Err(_) => bad.add(Bad::setting("--aws-user-data-file", path.display(), "UTF-8")),
            }
        }
        for tag in &options.worker_tags {
            config = config.with_worker_tag(&tag.key, &tag.value);
        }
        for tag in &options.control_plane_tags {
            config = config.with_control_plane_tag(&tag.key, &tag.value);
        }
        let config = match config.build() {
            Ok(config) => Some(config),
            Err(errors) => {
                // Told above.
                let others = errors.iter().filter(|error| error.field != "subnets" || error.value != "\"\"");
                others.for_each(|error| {
                    bad.add(Bad::setting(&flag(&error.field), error.value.trim_matches('"'), &error.expected))
                });
                None
            }
        };
        let queue = options.notices_queue.as_ref().map(|url| {
            let right = url.len() <= 1_024
                && url.bytes().all(|b| b.is_ascii_graphic())
                && ["https://", "http://127.0.0.1:", "http://localhost:"]
                    .iter()
                    .any(|start| url.starts_with(start));
            if right {
                Ok(url.clone())
            } else {
                Err(Bad::setting("--notices-queue", url, "the https URL of a queue"))
            }
        });
        let queue = bad.take(queue.transpose());
        bad.into_result()?;
        match (region, config, queue) {
            (Some(region), Some(config), Some(queue)) => Ok(Self { region, config, queue }),
            // Whatever is not there has been said above.
            _ => Err(Bad::of("not enough was set")),
        }
    }

    /// The provider, with the SDK's default chain of credentials. Nothing is sent yet.
    pub async fn open(&self, given: &Given) -> Provider {
        let timeouts = |attempt| {
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(attempt)
                .build()
        };
        // Repeating is the driver's, and this program's.
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(ATTEMPT))
            .load()
            .await;
        let ec2 = aws_sdk_ec2::Client::new(&shared);
        let patient =
            aws_sdk_sqs::config::Builder::from(&shared).timeout_config(timeouts(queue::REQUEST)).build();
        self.over(given, ec2, aws_sdk_sqs::Client::from_conf(patient))
    }

    /// The provider over clients that are there already.
    pub fn over(&self, given: &Given, ec2: aws_sdk_ec2::Client, sqs: aws_sdk_sqs::Client) -> Provider {
        let nodes = Ec2Nodes::new(ec2, self.config.clone(), given.clock.clone());
        let (asking, policy) = (nodes.clone(), given.policy.borrow().clone());
        let mut provider = Provider::new(Arc::new(nodes), format!("aws/{}", self.region), LAUNCH_DELAY);
        provider.check =
            Some(Box::pin(async move { asking.check(&launches(&policy)).await.err().unwrap_or_default() }));
        if let Some(url) = &self.queue {
            let queue = Queue::new(sqs, url, given.inbox.clone(), given.clock.clone());
            provider.notices = Some(Box::pin(queue.run()));
        }
        provider
    }
}

/// The option of a field of the configuration.
fn flag(field: &str) -> String {
    let file = if field == "user_data" { "-file" } else { "" };
    format!("--aws-{}{file}", field.replace('_', "-"))
}

/// A launch of each kind that the policy may ask for.
fn launches(policy: &Policy) -> Vec<LaunchOrder> {
    let Ok(inc) = Inc::new("check") else { return Vec::new() };
    let mut orders = Vec::new();
    for (name, pool) in policy.pools() {
        for shape in &pool.shapes {
            for purchase in &pool.purchases {
                for zone in &pool.zones {
                    let offering = Offering::new(zone.clone(), *purchase, shape.name.clone());
                    let token = Token::of(&inc, orders.len() as u64, 0, 1);
                    let cluster = policy.cluster().clone();
                    orders.push(LaunchOrder::new(cluster, name.clone(), offering, token, &pool.template));
                }
            }
        }
    }
    orders.truncate(ASKED);
    orders
}
