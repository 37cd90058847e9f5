//! Credentials of the SDK for the object store.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use autoscale_core::ports::Clock;
use autoscale_core::words::{Deadline, Span, Timestamp};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

/// So long credentials are used before the provider is asked again; the SDK's clients do the same with those without an end.
const KEEP: Span = Span::from_mins(15);
/// So long before their end there may be new ones.
const RENEW: Span = Span::from_mins(5);
/// Credentials that are good for less are as good as none: a request takes time, and clocks differ.
const SPARE: Span = Span::from_secs(30);
/// Where there are no new ones yet, the provider is asked again after so long.
const PATIENCE: Span = Span::from_secs(15);

/// What the SDK's chain of providers gives, held for a while: a provider asks its source each time.
pub(super) struct Held {
    provider: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Found>>,
}

#[derive(Clone)]
struct Found {
    credential: Arc<AwsCredential>,
    ends: Option<Timestamp>,
    /// The provider is asked again then.
    until: Deadline,
}

impl Found {
    /// How long these are good.
    fn left(&self, now: Timestamp) -> Option<Span> {
        self.ends.map(|ends| ends.since(now))
    }

    fn is_good(&self, now: Timestamp) -> bool {
        self.left(now).is_none_or(|left| left > SPARE)
    }
}

/// Without the provider, whose output is not ours to vouch for.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// They cannot stand in a header, for which the client would have no answer.
#[derive(Debug, thiserror::Error)]
#[error("the credentials hold characters that no credentials have")]
struct Unfit;

impl Held {
    pub(super) fn new(provider: SharedCredentialsProvider, clock: Arc<dyn Clock>) -> Self {
        Self { provider, clock, held: Mutex::default() }
    }

    fn held(&self) -> Option<Found> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, found: Found) -> Arc<AwsCredential> {
        let credential = found.credential.clone();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        credential
    }

    /// What was found, and how long it is held.
    fn found(&self, credentials: &Credentials) -> Result<Found, Unfit> {
        let (key_id, token) = (credentials.access_key_id(), credentials.session_token());
        let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits(key_id) || !token.is_none_or(fits) {
            return Err(Unfit);
        }
        let credential = AwsCredential {
            key_id: key_id.to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: token.map(str::to_owned),
        };
        let millis = |ends: std::time::SystemTime| {
            let since = ends.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            Timestamp::from_millis(i64::try_from(since).unwrap_or(i64::MAX))
        };
        let ends = credentials.expiry().map(millis);
        let left = ends.map(|ends| ends.since(self.clock.now()));
        let keep = left.map_or(KEEP, |left| left.minus(RENEW).max(PATIENCE).min(KEEP));
        Ok(Found { credential: Arc::new(credential), ends, until: self.clock.boot().after(keep) })
    }
}

#[async_trait]
impl CredentialProvider for Held {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let held = self.held();
        let good = held.filter(|held| held.is_good(self.clock.now()));
        if let Some(held) = good.as_ref().filter(|held| self.clock.boot() < held.until) {
            return Ok(held.credential.clone());
        }
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            object_store::Error::Unauthenticated { path: "the credentials".to_owned(), source }
        };
        match self.provider.provide_credentials().await {
            Ok(found) => {
                self.found(&found).map(|found| self.hold(found)).map_err(|unfit| failed(unfit.into()))
            }
            Err(error) => match good {
                Some(mut held) => {
                    held.until = self.clock.boot().after(PATIENCE);
                    Ok(self.hold(held))
                }
                None => Err(failed(error.into())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
    use std::time::Duration;

    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future;

    /// Both clocks, in milliseconds.
    #[derive(Debug, Default)]
    struct Time(AtomicI64);

    #[async_trait]
    impl Clock for Time {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }

        fn boot(&self) -> Deadline {
            Deadline::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
        }

        async fn sleep(&self, _: Span) {}
    }

    /// Numbered credentials, good for so many minutes each; or none.
    #[derive(Debug, Default)]
    struct Source {
        time: Arc<Time>,
        asked: AtomicUsize,
        minutes: AtomicI64,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            let minutes = self.minutes.load(Ordering::SeqCst);
            if minutes == 0 {
                return future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none today")));
            }
            let ends = u64::try_from(self.time.now().as_millis() + minutes * 60_000);
            // Fewer than none: those have no end.
            let ends = ends.ok().filter(|_| minutes > 0).map(|ends| UNIX_EPOCH + Duration::from_millis(ends));
            let token = if asked == 99 { "two\r\nlines" } else { "token" };
            let key = format!("key{asked}");
            future::ProvideCredentials::ready(Ok(Credentials::new(
                key,
                "secret",
                Some(token.into()),
                ends,
                "test",
            )))
        }
    }

    fn stage(minutes: i64) -> (Arc<Source>, Held) {
        let source = Arc::new(Source::default());
        source.minutes.store(minutes, Ordering::SeqCst);
        let held = Held::new(SharedCredentialsProvider::new(Shared(source.clone())), source.time.clone());
        (source, held)
    }

    #[derive(Debug)]
    struct Shared(Arc<Source>);

    impl ProvideCredentials for Shared {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.provide_credentials()
        }
    }

    async fn key(held: &Held) -> Option<String> {
        held.get_credential().await.ok().map(|credential| credential.key_id.clone())
    }

    #[tokio::test]
    async fn the_provider_is_asked_when_there_may_be_new_ones() {
        // An hour: after a quarter of one. Twelve minutes: five before their end. Three: again and again. No end: a quarter.
        for (minutes, kept) in [(60, 15 * 60), (12, 7 * 60), (3, 15), (-1, 15 * 60)] {
            let (source, held) = stage(minutes);
            for (second, name) in [(0, "key0"), (kept - 1, "key0"), (kept, "key1"), (kept + 1, "key1")] {
                source.time.0.store(second * 1_000, Ordering::SeqCst);
                assert_eq!(key(&held).await.as_deref(), Some(name), "{minutes} minutes, second {second}");
            }
        }
    }

    #[tokio::test]
    async fn those_at_hand_are_used_for_as_long_as_they_are_good() {
        let (source, held) = stage(10);
        assert_eq!(key(&held).await.as_deref(), Some("key0"));
        source.minutes.store(0, Ordering::SeqCst);
        for (second, name) in [(301, Some("key0")), (569, Some("key0")), (571, None)] {
            source.time.0.store(second * 1_000, Ordering::SeqCst);
            assert_eq!(key(&held).await.as_deref(), name, "second {second}");
        }
        assert_eq!(source.asked.load(Ordering::SeqCst), 4);
        source.minutes.store(10, Ordering::SeqCst);
        assert_eq!(key(&held).await.as_deref(), Some("key4"));
    }

    #[tokio::test]
    async fn what_cannot_stand_in_a_header_is_refused() {
        let (source, held) = stage(10);
        source.asked.store(99, Ordering::SeqCst);
        let error = held.get_credential().await.unwrap_err();
        assert!(matches!(error, object_store::Error::Unauthenticated { .. }), "{error}");
        assert!(!format!("{error:?} {held:?}").contains("two"), "{error:?}");
    }
}
