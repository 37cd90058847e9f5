//! The record and the audit log in the objects of an S3 bucket, on [`autoscale_core::objects`].
//!
//! They lie beside whatever else the bucket holds, such as an existing configuration of the cluster, under a prefix of their own:
//!
//! | object | what it is |
//! |---|---|
//! | `<prefix>/<cluster>.record` | the record: [`BucketStore`], by conditional puts on its ETag |
//! | `<prefix>/<cluster>.audit/…` | the audit log, an object for each entry: [`BucketStore::audit`] |
//! | `<prefix>/<cluster>.large/…` | entries that are too large for a DynamoDB table: [`BucketStore::large`] |
//!
//! The bucket has to exist. Nothing here removes an object except [`AuditObjects::prune`]; a lifecycle rule on
//! `<prefix>/<cluster>.audit/` does that as well, and nothing but such a rule removes what is below `<prefix>/<cluster>.large/`: let it
//! keep them longer than the table keeps their items. Keep any rule that removes objects away from the record.
//!
//! # Credentials
//!
//! Those of the SDK: what `SdkConfig::credentials_provider` of the `aws-config` crate gives. They are held for a quarter of an hour at most,
//! and renewed five minutes before their end.
//!
//! # Permissions
//!
//! `s3:GetObject` and `s3:PutObject` on `<bucket>/<prefix>/<cluster>.*`, and `s3:ListBucket` on the bucket under the condition that
//! `s3:prefix` is like `<prefix>/<cluster>.*`: without it S3 does not tell an object that is not there from one that may not be
//! read. `s3:DeleteObject` only to prune. With a key of your own `kms:Decrypt` and `kms:GenerateDataKey` on it.
//!
//! # Requests
//!
//! Each is sent once. A put that may have left and was not answered for certain is unclear. The body is signed, and its SHA-256 goes
//! with it.

mod config;
mod credentials;
mod place;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autoscale_core::objects::{AuditObjects, LargeLines, ObjectsStore};
use autoscale_core::ports::{Clock, Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped};
use aws_credential_types::provider::SharedCredentialsProvider;
use object_store::aws::{AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

pub use config::S3Config;
pub use place::{S3Place, emulator_port};

/// A [`StateStore`] in one object of a bucket, and the way to what else lies there.
#[derive(Clone)]
pub struct BucketStore {
    record: ObjectsStore,
    objects: Arc<dyn ObjectStore>,
    config: S3Config,
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketStore").field("config", &self.config).finish_non_exhaustive()
    }
}

impl BucketStore {
    /// In a bucket, over HTTPS, with the credentials of the SDK. Sends nothing yet.
    ///
    /// # Errors
    /// `Invalid`: the client cannot be set up.
    pub fn new(
        config: S3Config,
        credentials: SharedCredentialsProvider,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let (host, has_bucket) = config.host();
        let builder = AmazonS3Builder::new()
            .with_credentials(Arc::new(credentials::Held::new(credentials, clock)))
            .with_endpoint(host)
            .with_virtual_hosted_style_request(has_bucket);
        Self::build(config, builder, false)
    }

    /// In a stand-in for S3 that listens on a port of this machine; an endpoint in the configuration is not looked at.
    ///
    /// # Errors
    /// `Invalid`: the client cannot be set up.
    pub fn on_emulator(config: S3Config, port: u16) -> Result<Self> {
        let builder = AmazonS3Builder::new()
            .with_access_key_id("emulator")
            .with_secret_access_key("emulator")
            .with_endpoint(format!("http://127.0.0.1:{port}"));
        Self::build(config, builder, true)
    }

    fn build(config: S3Config, builder: AmazonS3Builder, plain: bool) -> Result<Self> {
        let attempted = || format!("set up the bucket {}", config.bucket);
        let invalid = |error| Error::new(ErrorKind::Invalid, attempted()).with_source(error);
        // One copy of every request: an error is an error of the only one. A call of the driver has 5 s.
        let once = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 0,
            retry_timeout: Duration::from_secs(4),
        };
        let options = ClientOptions::new()
            .with_timeout(config.timeout.into())
            .with_connect_timeout(Duration::from_secs(2))
            // What is sent once is not to meet a connection that the server is about to close.
            .with_pool_idle_timeout(Duration::from_secs(4))
            .with_allow_http(plain);
        let objects = builder
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_retry(once)
            .with_client_options(options)
            .build()
            .map_err(invalid)?;
        let objects: Arc<dyn ObjectStore> = Arc::new(objects);
        let record = ObjectsStore::new(objects.clone(), config.record())?;
        Ok(Self { record, objects, config })
    }

    /// The audit log beside the record. Take a new one for each writer.
    ///
    /// # Errors
    /// None for a configuration that was built.
    pub fn audit(&self) -> Result<AuditObjects> {
        AuditObjects::new(self.objects.clone(), self.config.audit())
    }

    /// Where entries go that are too large for a DynamoDB table.
    ///
    /// # Errors
    /// None for a configuration that was built.
    pub fn large(&self) -> Result<LargeLines> {
        LargeLines::new(self.objects.clone(), self.config.large())
    }

    /// The client, for other objects of the bucket.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }
}

#[async_trait]
impl StateStore for BucketStore {
    async fn load(&self) -> Result<Option<Loaded>> {
        self.record.load().await
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        self.record.swap(expected, sealed).await
    }
}
