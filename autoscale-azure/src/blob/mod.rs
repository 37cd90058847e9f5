//! [`StateStore`] in one blob of Azure Storage, and the audit log in others beside it.
//!
//! A swap is one conditional put: `If-None-Match: *` for the first, `If-Match` with the ETag that was loaded for every other. No leases, no
//! retries. The record lies under a prefix of its own, `autoscale/<cluster>.record`, beside whatever else the container
//! holds; the container has to exist. The identity needs *Storage Blob Data Contributor* on that container alone.
//!
//! The audit log is a blob for each entry, `autoscale/<cluster>.audit/<day>/…`, created and never replaced: [`BlobStore::audit`].
//! Old days go by [`AuditObjects::prune`], or by a lifecycle rule of the account on that prefix; keep any such rule away from
//! the record.
//!
//! An account key is not a way in: whoever has it has the whole account. It is used for the emulator, where it is public.

mod config;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autoscale_core::objects::{AuditObjects, ObjectsStore};
use autoscale_core::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped};
use azure_core::credentials::TokenCredential;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

pub use config::BlobConfig;

/// The emulator's only account and its public key.
const EMULATOR: (&str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
);

/// The record in a blob, and the way to the audit log beside it.
#[derive(Clone)]
pub struct BlobStore {
    inner: ObjectsStore,
    objects: Arc<dyn ObjectStore>,
    config: BlobConfig,
}

impl fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStore").field("config", &self.config).finish_non_exhaustive()
    }
}

impl BlobStore {
    /// In a storage account, over HTTPS, with the tokens of a credential of the SDK.
    ///
    /// # Errors
    /// `Invalid`: the client cannot be set up.
    pub fn new(config: BlobConfig, credential: Arc<dyn TokenCredential>) -> Result<Self> {
        let builder = MicrosoftAzureBuilder::new()
            .with_account(&config.account)
            .with_endpoint(config.endpoint.clone())
            .with_credentials(Arc::new(token::Tokens::new(credential, &config.scope)));
        Self::build(config, builder)
    }

    /// In the emulator (Azurite) that listens on a port of this machine, with its public account and key; the account of the configuration is
    /// not looked at.
    ///
    /// # Errors
    /// `Invalid`: the client cannot be set up.
    pub fn on_emulator(config: BlobConfig, port: u16) -> Result<Self> {
        let (account, key) = EMULATOR;
        let builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_access_key(key)
            .with_endpoint(format!("http://127.0.0.1:{port}/{account}"));
        Self::build(config, builder)
    }

    fn build(config: BlobConfig, builder: MicrosoftAzureBuilder) -> Result<Self> {
        let attempted = || format!("set up the container {}", config.container);
        let invalid = |error| Error::new(ErrorKind::Invalid, attempted()).with_source(error);
        // One copy of every request: an error is an error of the only one. A call of the driver has 5 s.
        let once = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 0,
            retry_timeout: Duration::from_secs(4),
        };
        let emulated = builder.get_config_value(&object_store::azure::AzureConfigKey::Endpoint);
        let options = ClientOptions::new()
            .with_timeout(config.timeout.into())
            .with_connect_timeout(Duration::from_secs(2))
            // What is sent once is not to meet a connection that the server is about to close.
            .with_pool_idle_timeout(Duration::from_secs(4))
            .with_allow_http(emulated.is_some_and(|endpoint| endpoint.starts_with("http://127.0.0.1:")));
        let store = builder
            .with_container_name(&config.container)
            .with_retry(once)
            .with_client_options(options)
            .build()
            .map_err(invalid)?;
        let objects: Arc<dyn ObjectStore> = Arc::new(store);
        let inner = ObjectsStore::new(objects.clone(), config.path())?;
        Ok(Self { inner, objects, config })
    }

    /// The audit log beside the record. Take a new one for each writer.
    ///
    /// # Errors
    /// None for a configuration that was built.
    pub fn audit(&self) -> Result<AuditObjects> {
        AuditObjects::new(self.objects.clone(), self.config.audit())
    }
}

#[async_trait]
impl StateStore for BlobStore {
    async fn load(&self) -> Result<Option<Loaded>> {
        self.inner.load().await
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        self.inner.swap(expected, sealed).await
    }
}
