//! Credentials for Azure: whose tokens the other modules send.
//!
//! | way | where | how it is known |
//! |---|---|---|
//! | [`managed`](Credential::managed) | a machine or function of Azure | the platform's own token service |
//! | [`workload`](Credential::workload) | a pod of Kubernetes | the service account's token, which the workload identity webhook mounts |
//! | [`service_principal`](Credential::service_principal) | anywhere | a client secret, from the environment or a mounted file |
//! | [`developer`](Credential::developer) | at a desk | the login of the Azure CLI or of `azd` |
//!
//! There is no chain that tries one after the other: a program says which it is. A token is kept and renewed five minutes before it ends; while
//! it cannot be renewed the old one is used as long as it is good. No token and no secret is ever printed.

mod cache;
mod env;
mod principal;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::ports::{Clock, Error, ErrorKind, Result};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential,
};

use cache::Cache;
pub use principal::SecretSource;

/// A credential that keeps its tokens. Cheap to clone.
#[derive(Clone)]
pub struct Credential {
    way: &'static str,
    cache: Arc<Cache>,
}

/// Only which way it is.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("way", &self.way).finish_non_exhaustive()
    }
}

fn set_up<T>(way: &str, made: azure_core::Result<T>) -> Result<T> {
    made.map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("set up the credential: {way}")).with_source(error)
    })
}

impl Credential {
    /// The managed identity of the machine or function this runs on: the one with this client id, or the only one.
    ///
    /// # Errors
    /// `Invalid`: this kind of host is not supported.
    pub fn managed(client_id: Option<String>, clock: Arc<dyn Clock>) -> Result<Self> {
        let way = "managed identity";
        let user_assigned_id = client_id.map(UserAssignedId::ClientId);
        let options = ManagedIdentityCredentialOptions { user_assigned_id, ..Default::default() };
        Ok(Self::keeping(way, set_up(way, ManagedIdentityCredential::new(Some(options)))?, clock))
    }

    /// The workload identity of a pod, from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_FEDERATED_TOKEN_FILE`, which the webhook sets.
    ///
    /// # Errors
    /// `Invalid`: one of them is missing.
    pub fn workload(clock: Arc<dyn Clock>) -> Result<Self> {
        let way = "workload identity";
        Ok(Self::keeping(way, set_up(way, WorkloadIdentityCredential::new(None))?, clock))
    }

    /// A service principal with a client secret. A mounted secret is read again for every new token, so that it may be rotated.
    ///
    /// # Errors
    /// `Invalid`: an id is none, or the secret cannot be read.
    pub fn service_principal(
        tenant: impl Into<String>,
        client: impl Into<String>,
        secret: SecretSource,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let way = "service principal";
        let principal = principal::Principal::new(tenant.into(), client.into(), secret);
        Ok(Self::keeping(way, Arc::new(set_up(way, principal)?), clock))
    }

    /// The login of the Azure CLI or of `azd`, for work at a desk.
    ///
    /// # Errors
    /// `Invalid`: neither can be asked.
    pub fn developer(clock: Arc<dyn Clock>) -> Result<Self> {
        let way = "developer login";
        Ok(Self::keeping(way, set_up(way, DeveloperToolsCredential::new(None))?, clock))
    }

    /// Keeps the tokens of a credential of yours.
    pub fn around(credential: Arc<dyn TokenCredential>, clock: Arc<dyn Clock>) -> Self {
        Self::keeping("given", credential, clock)
    }

    fn keeping(way: &'static str, inner: Arc<dyn TokenCredential>, clock: Arc<dyn Clock>) -> Self {
        Self { way, cache: Arc::new(Cache::new(inner, clock)) }
    }

    /// Which way it is, in words.
    pub const fn way(&self) -> &'static str {
        self.way
    }
}

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.cache.token(scopes, options).await
    }
}
