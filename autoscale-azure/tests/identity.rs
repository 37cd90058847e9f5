//! Tokens are kept, renewed in time, and shown to nobody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autoscale_azure::fake::Arm;
use autoscale_azure::identity::{Credential, SecretSource};
use autoscale_core::ports::{Clock, ErrorKind};
use autoscale_core::words::Span;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use time::OffsetDateTime;

const SCOPE: &str = "https://management.azure.com/.default";

/// Gives `canary-<n>` for an hour from the clock's now, unless it is told to fail.
struct Service {
    clock: Arc<dyn Clock>,
    given: AtomicUsize,
    failing: Mutex<bool>,
    life: AtomicI64,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("canary: a credential that prints its secret")
    }
}

#[async_trait]
impl TokenCredential for Service {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if *self.failing.lock().unwrap() {
            let kind = azure_core::error::ErrorKind::Credential;
            return Err(azure_core::Error::with_message(kind, "the service is away"));
        }
        let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
        let now = self.clock.now().as_millis() / 1_000;
        let ends = OffsetDateTime::from_unix_timestamp(now + self.life.load(Ordering::SeqCst)).unwrap();
        Ok(AccessToken::new(format!("canary-{number}"), ends))
    }
}

fn service() -> (Arm, Arc<Service>, Credential) {
    let arm = Arm::default();
    let clock = arm.clock();
    let service = Arc::new(Service {
        clock: arm.clock(),
        given: AtomicUsize::new(0),
        failing: Mutex::new(false),
        life: AtomicI64::new(3_600),
    });
    let credential = Credential::around(Arc::clone(&service) as Arc<dyn TokenCredential>, clock);
    (arm, service, credential)
}

async fn token(credential: &Credential, scope: &str) -> Result<String, String> {
    let token = credential.get_token(&[scope], None).await;
    token.map(|token| token.token.secret().to_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_token_is_kept_and_renewed_before_it_ends() {
    let (arm, service, credential) = service();
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-1");
    arm.advance(Span::from_mins(54));
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-1");
    arm.advance(Span::from_mins(2));
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-2", "4 minutes before the end");
    assert_eq!(token(&credential.clone(), SCOPE).await.unwrap(), "canary-2");
    assert_eq!(token(&credential, "https://storage.azure.com/.default").await.unwrap(), "canary-3");
    assert_eq!(service.given.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn while_it_cannot_be_renewed_the_old_one_is_used_as_long_as_it_is_good() {
    let (arm, service, credential) = service();
    token(&credential, SCOPE).await.unwrap();
    *service.failing.lock().unwrap() = true;
    arm.advance(Span::from_mins(57));
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-1");
    arm.advance(Span::from_mins(2).plus(Span::from_secs(45)));
    assert_eq!(token(&credential, SCOPE).await.unwrap_err(), "the service is away");
    *service.failing.lock().unwrap() = false;
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-2");
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let (_arm, service, credential) = service();
    let asked = futures_util::future::join_all((0..32).map(|_| token(&credential, SCOPE))).await;
    assert!(asked.into_iter().all(|token| token.unwrap() == "canary-1"));
    assert_eq!(service.given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_that_is_too_short_is_not_kept() {
    let (_arm, service, credential) = service();
    service.life.store(60, Ordering::SeqCst);
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-1");
    assert_eq!(token(&credential, SCOPE).await.unwrap(), "canary-2");
}

#[tokio::test]
async fn nothing_that_is_printed_has_a_secret() {
    let (arm, service, credential) = service();
    token(&credential, SCOPE).await.unwrap();
    *service.failing.lock().unwrap() = true;
    arm.advance(Span::from_mins(120));
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    let given = SecretSource::Given(Secret::new("canary-secret"));
    let tenant = "11111111-2222-3333-4444-555555555555";
    let principal = Credential::service_principal(tenant, "me", given, arm.clock()).unwrap();
    let wrong = SecretSource::Given(Secret::new("canary-secret"));
    let refused = Credential::service_principal("not a tenant!", "me", wrong, arm.clock()).unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Invalid);
    for text in [
        format!("{credential:?} {principal:?}"),
        format!("{error:?} {error}"),
        format!("{refused:?} {}", refused.chain()),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(format!("{principal:?}"), "Credential { way: \"service principal\", .. }");
}
