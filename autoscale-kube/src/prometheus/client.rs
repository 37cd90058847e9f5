//! One request, once, within its limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use autoscale_core::words::{Span, truncated};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Identity, Url, redirect, retry};
use zeroize::Zeroizing;

use super::address::{Refused, Resolver};
use super::error::{Trouble, chain};
use super::response::Answer;
use super::secret::Secret;

/// No answer is read beyond this.
pub(super) const MAX_BODY: usize = 8 << 20;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(2);

/// A file with a token is no longer than this.
const MAX_TOKEN: u64 = 64 << 10;

/// How a request is logged in.
#[derive(Clone)]
pub(super) enum Login {
    None,
    Bearer(Secret),
    /// Read anew for every sample: such tokens are renewed where they lie.
    BearerFile(PathBuf),
    Basic(String, Secret),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bearer(_) => f.write_str("Bearer(..)"),
            Self::BearerFile(path) => f.debug_tuple("BearerFile").field(path).finish(),
            Self::Basic(user, _) => f.debug_tuple("Basic").field(user).finish_non_exhaustive(),
        }
    }
}

impl Login {
    /// The header of one sample.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, Trouble> {
        match self {
            Self::None => Ok(None),
            Self::Bearer(token) => bearer(token.expose()).map(Some),
            Self::BearerFile(path) => {
                let told =
                    |what: &str| Trouble::Token(truncated(&format!("{}: {what}", path.display()), 200));
                let size =
                    tokio::fs::metadata(path).await.map_err(|error| told(&error.kind().to_string()))?.len();
                if size > MAX_TOKEN {
                    return Err(told("more than 64 KiB"));
                }
                let read = tokio::fs::read(path).await.map_err(|error| told(&error.kind().to_string()))?;
                let read = Zeroizing::new(read);
                let token = std::str::from_utf8(&read).map_err(|_| told("not text"))?.trim();
                if token.is_empty() { Err(told("empty")) } else { bearer(token).map(Some) }
            }
            Self::Basic(user, password) => {
                let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
                secret_header(&Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))))
                    .map(Some)
            }
        }
    }
}

fn bearer(token: &str) -> Result<HeaderValue, Trouble> {
    secret_header(&Zeroizing::new(format!("Bearer {token}")))
}

fn secret_header(text: &str) -> Result<HeaderValue, Trouble> {
    let header = HeaderValue::from_str(text);
    let mut header =
        header.map_err(|_| Trouble::Token("it has characters that no header can have".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// How the other side is known, and this one to it.
pub(super) struct Tls {
    /// `None`: what the machine trusts.
    pub(super) authorities: Option<Vec<Certificate>>,
    pub(super) identity: Option<Identity>,
}

/// A client of HTTP that follows nothing, repeats nothing and goes through no proxy.
pub(super) fn client(https: bool, tls: Tls, resolver: Resolver, limit: Span) -> Result<Client, String> {
    let builder = Client::builder()
        .user_agent(concat!("autoscale-kube/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .https_only(https)
        .connect_timeout(CONNECT)
        .timeout(Duration::from_millis(limit.as_millis()))
        .dns_resolver(resolver);
    let builder = match (tls.authorities, https) {
        (Some(authorities), _) => builder.tls_certs_only(authorities),
        // Without TLS nobody has to be trusted, and a machine that trusts nobody will do.
        (None, false) => builder.tls_certs_only([]),
        (None, true) => builder,
    };
    let builder = if let Some(identity) = tls.identity { builder.identity(identity) } else { builder };
    builder.build().map_err(|error| chain(&error))
}

/// Sends a request, and reads the answer as far as it may go.
pub(super) async fn get(client: &Client, url: Url, login: Option<HeaderValue>) -> Result<Answer, Trouble> {
    let request = client.get(url).header(ACCEPT, "application/json");
    let request = if let Some(login) = login { request.header(AUTHORIZATION, login) } else { request };
    let mut response = request.send().await.map_err(trouble)?;
    let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let content_type = text(CONTENT_TYPE).unwrap_or_default().to_owned();
    let retry_after = text(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let code = response.status().as_u16();
    if response.content_length().is_some_and(|length| length > MAX_BODY as u64) {
        return Err(Trouble::Huge(MAX_BODY));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(trouble)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Trouble::Huge(MAX_BODY));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { code, content_type, retry_after, body })
}

/// What kept an answer from coming.
fn trouble(error: reqwest::Error) -> Trouble {
    // The URL is long, and is known.
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return Trouble::Refused(refused.clone());
        }
        cause = inner.source();
    }
    if error.is_timeout() { Trouble::Late } else { Trouble::Silent(chain(&error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logins_are_not_shown() {
        for login in [Login::Bearer("s3cret".into()), Login::Basic("me".to_owned(), "s3cret".into())] {
            assert!(!format!("{login:?}").contains("s3cret"));
            let header = login.header().await.unwrap().unwrap();
            assert!(header.is_sensitive() && !format!("{header:?}").contains("s3cret"));
        }
        let header = Login::Basic("me".to_owned(), "pass:wörd".into()).header().await.unwrap().unwrap();
        assert_eq!(header.as_bytes(), b"Basic bWU6cGFzczp3w7ZyZA==");
        let trouble = Login::Bearer("s3cret\nHost: x".into()).header().await.unwrap_err().to_string();
        assert_eq!(trouble, "the token cannot be read: it has characters that no header can have");
    }
}
