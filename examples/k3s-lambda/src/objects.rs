//! S3, for those who keep their clusters' configuration there: a policy, and the record beside it.

use std::sync::Arc;
use std::time::Duration;

use autoscale_core::objects::ObjectsStore;
use autoscale_core::ports::StateStore;
use autoscale_core::words::ClusterId;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};

use crate::bad::Bad;
use crate::settings::S3Place;

/// No policy is larger.
const LARGEST: u64 = 1 << 20;

/// A client that repeats nothing: the driver repeats what has to be repeated.
fn client(name: &str, place: &S3Place) -> Result<Arc<dyn ObjectStore>, Bad> {
    let limits = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(2))
        .with_timeout(Duration::from_secs(4));
    let retries = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let built = AmazonS3Builder::from_env()
        .with_bucket_name(&place.bucket)
        .with_client_options(limits)
        .with_retry(retries)
        .build();
    let store = built
        .map_err(|error| Bad::setting(name, &place.to_string(), format!("a bucket to reach: {error}")))?;
    Ok(Arc::new(store))
}

/// The record of a cluster, in an object of its own below the place: `s3://bucket/path/autoscale/<cluster>.record`.
///
/// # Errors
/// The place cannot be used.
pub fn record(place: &S3Place, cluster: &ClusterId) -> Result<Arc<dyn StateStore>, Bad> {
    let path = format!("{}/autoscale/{cluster}.record", place.path);
    let store = ObjectsStore::new(client("STATE_S3", place)?, path);
    Ok(Arc::new(store.map_err(|error| Bad::of(format!("STATE_S3: {}", error.chain())))?))
}

/// The text of an object.
///
/// # Errors
/// It cannot be read, or is no text, or longer than 1 MiB.
pub(crate) async fn text(name: &str, place: &S3Place) -> Result<String, Bad> {
    let whole = place.to_string();
    let failed =
        |why: &dyn std::fmt::Display| Bad::setting(name, &whole, format!("an object to read: {why}"));
    let path = Path::parse(&place.path).map_err(|error| failed(&error))?;
    let found = client(name, place)?.get(&path).await.map_err(|error| failed(&error))?;
    if found.meta.size > LARGEST {
        return Err(failed(&"it is longer than 1 MiB"));
    }
    let bytes = found.bytes().await.map_err(|error| failed(&error))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| failed(&"it is not UTF-8"))
}
