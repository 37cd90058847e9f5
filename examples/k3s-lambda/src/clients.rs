//! The SDK's clients, made once for a process and used by all of its invocations.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::objects::Buckets;

/// An attempt is given up before the driver's 5 seconds for a call are over.
const ATTEMPT: Duration = Duration::from_secs(4);
/// To connect.
const CONNECT: Duration = Duration::from_secs(2);

/// One client for each service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Clients {
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Parameter Store.
    pub ssm: aws_sdk_ssm::Client,
    /// S3, where there are credentials.
    pub buckets: Option<Buckets>,
    /// The region; part of the record's fingerprint.
    pub region: String,
}

impl Clients {
    /// These clients, and no buckets.
    pub const fn new(
        ec2: aws_sdk_ec2::Client,
        dynamodb: aws_sdk_dynamodb::Client,
        ssm: aws_sdk_ssm::Client,
        region: String,
    ) -> Self {
        Self { ec2, dynamodb, ssm, buckets: None, region }
    }

    /// With buckets.
    #[must_use]
    pub fn with_buckets(mut self, buckets: Buckets) -> Self {
        self.buckets = Some(buckets);
        self
    }

    /// As the environment says: region, credentials, endpoints.
    pub async fn from_env() -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let (ec2, dynamodb) = (aws_sdk_ec2::Client::new(&config), aws_sdk_dynamodb::Client::new(&config));
        let clients = Self::new(ec2, dynamodb, aws_sdk_ssm::Client::new(&config), region);
        match config.credentials_provider() {
            Some(credentials) => {
                let endpoint = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|url| !url.is_empty());
                clients.with_buckets(Buckets::new(credentials, endpoint))
            }
            None => clients,
        }
    }
}
