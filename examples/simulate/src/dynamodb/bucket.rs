//! The bucket that entries are in which are too large for the table.

use std::sync::Arc;

use autoscale_aws::s3::{BucketStore, S3Config, S3Place, emulator_port};
use autoscale_core::data::audit::Sum;
use autoscale_core::driver::SystemClock;
use autoscale_core::objects::LargeLines;
use autoscale_core::words::{ClusterId, ConfigErrors, Span, Timestamp};
use aws_config::SdkConfig;

/// The option.
const OPTION: &str = "--large";
/// Another endpoint than the region's.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";
/// An entry may have 64 MiB, and a person is waiting for it.
const TIMEOUT: Span = Span::from_secs(60);

/// Where entries are that are too large for the table.
pub(super) struct Bucket {
    name: String,
    pub(super) large: LargeLines,
}

impl Bucket {
    /// From what the option says and what the environment does; everything that is wrong goes to `errors`.
    pub(super) fn open(
        option: &str,
        cluster: Option<&ClusterId>,
        environment: &SdkConfig,
        errors: &mut ConfigErrors,
    ) -> Option<Self> {
        let place = S3Place::parse(option);
        if place.is_none() {
            errors.wrong(OPTION, option, "s3://bucket/path");
        }
        let credentials = environment.credentials_provider();
        if credentials.is_none() {
            errors.described("AWS_ACCESS_KEY_ID", "missing", "credentials for S3");
        }
        let endpoint = std::env::var(ENDPOINT).ok().filter(|url| !url.is_empty());
        let port = endpoint.as_deref().and_then(emulator_port);
        // What the environment says is looked at even where the option is no good, or the cluster.
        let id = cluster.cloned().or_else(|| ClusterId::new("cluster").ok())?;
        let region = environment.region().map(ToString::to_string).unwrap_or_default();
        let (bucket, path) =
            place.as_ref().map_or(("bucket", "path"), |place| (place.bucket.as_str(), place.path.as_str()));
        let config = S3Config::new(id, bucket, region).with_timeout(TIMEOUT);
        let config = config.with_prefix(format!("{path}/autoscale"));
        let config = match endpoint.filter(|_| port.is_none()) {
            Some(endpoint) => config.with_endpoint(endpoint),
            None => config,
        };
        let config = config.build().map_err(|wrong| blame(&wrong, errors)).ok()?;
        let (credentials, _, _) = (credentials?, place.as_ref()?, cluster?);
        let store = match port {
            Some(port) => BucketStore::on_emulator(config, port),
            None => BucketStore::new(config, credentials, Arc::new(SystemClock::new())),
        };
        let large = store.and_then(|store| store.large());
        let large = large.map_err(|error| errors.wrong(OPTION, option, error.chain())).ok()?;
        Some(Self { name: bucket.to_owned(), large })
    }

    /// Where an entry is looked for.
    pub(super) fn place_of(&self, at: Timestamp, sum: Sum) -> String {
        format!("s3://{}/{}", self.name, self.large.path(at, sum))
    }
}

/// The same errors, under the names that the person knows who has to mend them.
fn blame(wrong: &ConfigErrors, errors: &mut ConfigErrors) {
    for error in wrong.iter() {
        let field = match error.field.as_str() {
            "region" => "AWS_REGION".to_owned(),
            "endpoint" => ENDPOINT.to_owned(),
            field => format!("{OPTION}: {field}"),
        };
        errors.described(field, &error.value, &error.expected);
    }
}
