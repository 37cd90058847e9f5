//! Tokens that are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use autoscale_core::ports::Clock;
use autoscale_core::words::{Span, Timestamp};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use tokio::sync::Mutex;

/// So long before its end a token is renewed.
const RENEW: Span = Span::from_mins(5);
/// A token that is good for less is as good as none: a request takes time, and clocks differ.
const SPARE: Span = Span::from_secs(30);
/// After a failed renewal the old token is used for so long before the next.
const PATIENCE: Span = Span::from_secs(15);

pub(super) struct Cache {
    inner: Arc<dyn TokenCredential>,
    clock: Arc<dyn Clock>,
    kept: Mutex<BTreeMap<Vec<String>, Kept>>,
}

struct Kept {
    token: AccessToken,
    renew_at: Timestamp,
}

impl Cache {
    pub(super) fn new(inner: Arc<dyn TokenCredential>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, kept: Mutex::new(BTreeMap::new()) }
    }

    /// A token for these scopes. Whoever comes while one is being renewed waits for it.
    pub(super) async fn token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let key: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let mut kept = self.kept.lock().await;
        if let Some(found) = kept.get(&key).filter(|found| self.clock.now() < found.renew_at) {
            return Ok(found.token.clone());
        }
        match self.inner.get_token(scopes, options).await {
            Ok(token) => {
                // From now on, whatever the wall clock said before: a jump must not keep an old token alive.
                let renew_at = ends(&token).before(RENEW);
                kept.insert(key, Kept { token: token.clone(), renew_at });
                Ok(token)
            }
            Err(error) => {
                let now = self.clock.now();
                let good = kept.get_mut(&key).filter(|found| now < ends(&found.token).before(SPARE));
                let Some(found) = good else {
                    kept.remove(&key);
                    return Err(error);
                };
                found.renew_at = now.after(PATIENCE);
                Ok(found.token.clone())
            }
        }
    }
}

fn ends(token: &AccessToken) -> Timestamp {
    let ms = token.expires_on.unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}
