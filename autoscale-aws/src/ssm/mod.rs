//! Secrets from Parameter Store, such as the token for the Kubernetes API and its certificate authority.
//!
//! A secret is fetched when it is first needed and held for some minutes, so that a parameter that was rotated is picked up
//! without a restart; [`SecretParameter::refused`] fetches it anew at once, for when the one at hand was not accepted. It never
//! appears in a `Debug`, an error or a log, and its memory is cleared when it is given up.
//!
//! # Permissions
//!
//! `ssm:GetParameter` on the parameter and, for a key of your own, `kms:Decrypt` on that key under the condition
//! `kms:ViaService = ssm.<region>.amazonaws.com`. The token that lets a machine join is not for this: the machine reads it with
//! its own role.

mod secret;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use autoscale_core::ports::{Clock, Error, ErrorKind, Result};
use autoscale_core::words::{Deadline, Span, truncated};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::{Builder, Config};
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_sdk_ssm::types::{Parameter, ParameterType};

pub use secret::Secret;

use crate::failure::Failure;
use crate::watch::Watch;

/// For so long a secret is held by default.
const KEEP: Span = Span::from_mins(5);

/// One secret in Parameter Store.
#[derive(Clone)]
pub struct SecretParameter {
    client: Client,
    name: Arc<str>,
    plain: bool,
    keep: Span,
    clock: Arc<dyn Clock>,
    held: Arc<Mutex<Option<Held>>>,
}

/// What was fetched, and until when it is good without looking again.
#[derive(Clone)]
struct Held {
    secret: Arc<Secret>,
    until: Deadline,
}

impl SecretParameter {
    /// The parameter of that name or ARN, which must be a `SecureString`. It is not fetched yet.
    ///
    /// # Errors
    /// `Invalid` for what can be no name of a parameter.
    pub fn new(client: Client, name: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/:".contains(&b);
        if !(1..=2_048).contains(&name.len()) || !name.bytes().all(allowed) {
            let name = truncated(name, 80);
            let attempted =
                format!("parameter \"{name}\": expected 1 to 2048 letters, digits and any of . _ - / :");
            return Err(Error::new(ErrorKind::Invalid, attempted));
        }
        let held = Arc::default();
        Ok(Self { client, name: Arc::from(name), plain: false, keep: KEEP, clock, held })
    }

    /// Takes a `String` as well: for a certificate authority, which is nobody's secret.
    #[must_use]
    pub const fn with_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Looks again after so long. Default: 5 minutes.
    #[must_use]
    pub const fn with_keep(mut self, keep: Span) -> Self {
        self.keep = keep;
        self
    }

    /// The secret: the one at hand, or as it is now. Where Parameter Store does not answer, the one that was fetched last.
    ///
    /// # Errors
    /// `NotFound`; `Denied` with the missing action; `Invalid` if it is no `SecureString` or empty; `Throttled` or
    /// `Unavailable` if there is none at hand.
    pub async fn get(&self) -> Result<Arc<Secret>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.boot();
        if let Some(held) = held.as_ref().filter(|held| now < held.until) {
            return Ok(held.secret.clone());
        }
        match (self.fetch().await, held) {
            (Ok(secret), _) => {
                let secret = Arc::new(secret);
                let until = now.after(self.keep);
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Held { secret: secret.clone(), until });
                Ok(secret)
            }
            (Err(error), Some(held))
                if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Throttled { .. }) =>
            {
                Ok(held.secret)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The secret was not accepted: the next [`get`](Self::get) fetches it anew. Nothing happens if another one is at hand by now.
    pub fn refused(&self, secret: &Secret) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut().filter(|held| *held.secret == *secret) {
            held.until = Deadline::from_millis(0);
        }
    }

    async fn fetch(&self) -> Result<Secret> {
        let (watch, attempted) = (Watch::new(), format!("fetch the parameter {}", self.name));
        let ask = self.client.get_parameter().name(&*self.name).with_decryption(true).customize();
        match ask.config_override(once()).interceptor(watch.clone()).send().await {
            Ok(found) => self
                .secret(found.parameter)
                .map_err(|why| Error::new(ErrorKind::Invalid, format!("{attempted}: {why}"))),
            Err(error) => {
                let failure = Failure::new(&error, &watch);
                let absent = matches!(
                    error.as_service_error(),
                    Some(
                        GetParameterError::ParameterNotFound(_)
                            | GetParameterError::ParameterVersionNotFound(_)
                    )
                );
                Err(match absent {
                    true => Error::new(ErrorKind::NotFound, attempted).with_source(failure),
                    false => failure.looking(&attempted, "ssm:GetParameter"),
                })
            }
        }
    }

    /// The secret in an answer.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn secret(&self, parameter: Option<Parameter>) -> Result<Secret, &'static str> {
        let parameter = parameter.ok_or("the answer has no parameter")?;
        let fits = match parameter.r#type {
            Some(ParameterType::SecureString) => true,
            Some(ParameterType::String) => self.plain,
            _ => false,
        };
        if !fits {
            return Err("it is no SecureString: store it as one, and consider what it held as known");
        }
        let value = parameter.value.map(Secret::new).ok_or("the answer has no value")?;
        if value.expose().is_empty() { Err("it is empty") } else { Ok(value) }
    }
}

/// Each request is sent once.
fn once() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

impl fmt::Debug for SecretParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretParameter").field("name", &self.name).finish_non_exhaustive()
    }
}
