//! S3, for those who keep their clusters' configuration there: a policy, and the record beside it.

use std::sync::Arc;

use autoscale_aws::s3::{BucketStore, S3Config, S3Place, emulator_port};
use autoscale_core::ports::Clock;
use autoscale_core::words::ClusterId;
use aws_credential_types::provider::SharedCredentialsProvider;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::bad::Bad;
use crate::clients::Clients;
use crate::settings::Settings;

/// No policy is larger.
const LARGEST: u64 = 1 << 20;

/// How buckets are reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Buckets {
    /// Over HTTPS.
    Aws {
        /// Who asks.
        credentials: SharedCredentialsProvider,
        /// Another endpoint than the region's.
        endpoint: Option<String>,
    },
    /// A stand-in for S3 on a port of this machine.
    Here(u16),
}

impl Buckets {
    /// With these credentials; `endpoint` is what the variable `AWS_ENDPOINT_URL_S3` says.
    pub fn new(credentials: SharedCredentialsProvider, endpoint: Option<String>) -> Self {
        match endpoint.as_deref().and_then(emulator_port) {
            Some(port) => Self::Here(port),
            None => Self::Aws { credentials, endpoint },
        }
    }
}

/// What it takes to reach the buckets of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Reach<'a> {
    buckets: Option<&'a Buckets>,
    region: &'a str,
    cluster: &'a ClusterId,
    clock: Arc<dyn Clock>,
}

impl<'a> Reach<'a> {
    /// As the settings and the clients say.
    pub(crate) const fn new(settings: &'a Settings, clients: &'a Clients, clock: Arc<dyn Clock>) -> Self {
        Self {
            buckets: clients.buckets.as_ref(),
            region: clients.region.as_str(),
            cluster: &settings.cluster,
            clock,
        }
    }

    fn open(&self, name: &str, bucket: &str, prefix: Option<String>) -> Result<BucketStore, Bad> {
        let mut config = S3Config::new(self.cluster.clone(), bucket, self.region);
        if let Some(prefix) = prefix {
            config = config.with_prefix(prefix);
        }
        if let Some(Buckets::Aws { endpoint: Some(endpoint), .. }) = self.buckets {
            config = config.with_endpoint(endpoint);
        }
        let config = config.build().map_err(|errors| {
            let mut bad = Bad::default();
            errors.iter().for_each(|error| bad.add(Bad::of(format!("{name}: {error}"))));
            bad
        })?;
        let store = match self.buckets {
            Some(Buckets::Aws { credentials, .. }) => {
                BucketStore::new(config, credentials.clone(), self.clock.clone())
            }
            Some(Buckets::Here(port)) => BucketStore::on_emulator(config, *port),
            None => return Err(Bad::of(format!("{name}: there are no credentials for S3"))),
        };
        store.map_err(|error| Bad::of(format!("{name}: {}", error.chain())))
    }

    /// The record of the cluster, in an object of its own below the place: `s3://bucket/path/autoscale/<cluster>.record`.
    ///
    /// # Errors
    /// The place cannot be used.
    pub(crate) fn state(&self, place: &S3Place) -> Result<BucketStore, Bad> {
        self.open("STATE_S3", &place.bucket, Some(format!("{}/autoscale", place.path)))
    }

    /// The text of an object.
    ///
    /// # Errors
    /// It cannot be read, or is no text, or longer than 1 MiB.
    pub(crate) async fn text(&self, name: &str, place: &S3Place) -> Result<String, Bad> {
        let whole = place.to_string();
        let failed =
            |why: &dyn std::fmt::Display| Bad::setting(name, &whole, format!("an object to read: {why}"));
        let path = Path::parse(&place.path).map_err(|error| failed(&error))?;
        let objects = self.open(name, &place.bucket, None)?.objects();
        let found = objects.get(&path).await.map_err(|error| failed(&error))?;
        if found.meta.size > LARGEST {
            return Err(failed(&"it is longer than 1 MiB"));
        }
        let bytes = found.bytes().await.map_err(|error| failed(&error))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| failed(&"it is not UTF-8"))
    }
}
