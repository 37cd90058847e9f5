//! A service principal whose secret may be rotated.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_identity::ClientSecretCredential;

/// Longer than any client secret.
const MAX_SECRET: usize = 4_096;

/// Where a client secret comes from.
#[derive(Clone)]
#[non_exhaustive]
pub enum SecretSource {
    /// It is given.
    Given(Secret),
    /// It is in a file, such as a mounted secret; read for every new token, spaces and line breaks around it cut off.
    File(PathBuf),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl SecretSource {
    fn read(&self) -> azure_core::Result<Secret> {
        let unusable = |why: String| azure_core::Error::with_message(ErrorKind::Credential, why);
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path).map_err(|error| {
                    unusable(format!("read the client secret in {shown}: {}", error.kind()))
                })?;
                let text = text.trim();
                if text.is_empty() || text.len() > MAX_SECRET {
                    return Err(unusable(format!(
                        "the client secret in {shown}: expected 1 to {MAX_SECRET} bytes"
                    )));
                }
                Ok(Secret::new(text.to_owned()))
            }
        }
    }
}

/// The credential of the secret as it was read last.
pub(super) struct Principal {
    tenant: String,
    client: String,
    source: SecretSource,
    current: Mutex<(Secret, Arc<ClientSecretCredential>)>,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Principal {
    pub(super) fn new(tenant: String, client: String, source: SecretSource) -> azure_core::Result<Self> {
        let secret = source.read()?;
        let credential = ClientSecretCredential::new(&tenant, client.clone(), secret.clone(), None)?;
        Ok(Self { tenant, client, source, current: Mutex::new((secret, credential)) })
    }

    /// The credential of the secret as it is now.
    fn current(&self) -> azure_core::Result<Arc<ClientSecretCredential>> {
        let secret = self.source.read()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != secret {
            let made = ClientSecretCredential::new(&self.tenant, self.client.clone(), secret.clone(), None)?;
            *current = (secret, made);
        }
        Ok(Arc::clone(&current.1))
    }
}

#[async_trait]
impl TokenCredential for Principal {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.current()?.get_token(scopes, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn a_rotated_secret_makes_a_new_credential_and_none_is_printed() {
        let path = std::env::temp_dir().join(format!("autoscale-secret-{}", std::process::id()));
        std::fs::write(&path, "canary-one\n").unwrap();
        let source = SecretSource::File(path.clone());
        let principal = Principal::new(TENANT.to_owned(), "me".to_owned(), source.clone()).unwrap();
        let first = principal.current().unwrap();
        assert!(Arc::ptr_eq(&first, &principal.current().unwrap()), "the same secret, the same credential");
        std::fs::write(&path, "canary-two").unwrap();
        assert!(!Arc::ptr_eq(&first, &principal.current().unwrap()));
        std::fs::write(&path, " \n").unwrap();
        let empty = principal.current().unwrap_err();
        std::fs::remove_file(&path).unwrap();
        let gone = principal.current().unwrap_err();
        let given = SecretSource::Given(Secret::new("canary-three"));
        for text in [format!("{principal:?} {source:?} {given:?} {first:?}"), format!("{empty:?} {gone:?}")] {
            assert!(!text.contains("canary"), "{text}");
        }
        assert!(gone.to_string().contains("autoscale-secret-"), "{gone}");
    }
}
