//! The metadata service of the machine this runs on.

use std::fmt;

use autoscale_core::ports::{Error, ErrorKind, Result};
use autoscale_core::words::Span;
use futures_util::StreamExt;
use serde_json::json;
use url::Url;

use super::document::{Document, MAX_DOCUMENT};

/// The service's only address; no route leads there from elsewhere.
const SERVICE: &str = "http://169.254.169.254";
const EVENTS: &str = "/metadata/scheduledevents?api-version=2020-07-01";
const NAME: &str = "/metadata/instance/compute/name?api-version=2021-02-01&format=text";

/// Reads and approves scheduled events. Cheap to clone.
#[derive(Clone)]
pub struct Metadata {
    client: reqwest::Client,
    events: Url,
    name: Url,
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata").field("url", &self.events.as_str()).finish_non_exhaustive()
    }
}

impl Metadata {
    /// The service of this machine. `timeout` is for one request: the first after a machine's start may take two minutes, because it
    /// switches the events on; later ones take milliseconds.
    ///
    /// # Errors
    /// `Invalid`: the client cannot be set up.
    pub fn new(timeout: Span) -> Result<Self> {
        Self::at(SERVICE, timeout)
    }

    /// A stand-in of the service on a port of this machine, for tests.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on_port(port: u16, timeout: Span) -> Result<Self> {
        Self::at(&format!("http://127.0.0.1:{port}"), timeout)
    }

    fn at(service: &str, timeout: Span) -> Result<Self> {
        let attempted = "set up a client of the metadata service";
        let invalid = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Invalid, attempted).with_source(cause)
        };
        let url = |path: &str| Url::parse(&format!("{service}{path}")).map_err(|error| invalid(error.into()));
        let (events, name) = (url(EVENTS)?, url(NAME)?);
        let client = reqwest::Client::builder()
            .timeout(timeout.into())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // The service refuses what has gone through a proxy, and a proxy could tell anything.
            .no_proxy()
            .build()
            .map_err(|error| invalid(error.into()))?;
        Ok(Self { client, events, name })
    }

    /// What is announced now.
    ///
    /// # Errors
    /// `Throttled`, or `Unavailable`: no answer, or none that can be read. Nothing follows from either.
    pub async fn read(&self) -> Result<Document> {
        let attempted = "read the scheduled events";
        let answer = self.client.get(self.events.clone()).header("Metadata", "true").send().await;
        let bytes = body(answer, attempted).await?;
        Document::parse(&bytes)
            .map_err(|error| Error::new(ErrorKind::Unavailable, attempted).with_source(error))
    }

    /// The name of this machine, as documents have it.
    ///
    /// # Errors
    /// `Throttled`, or `Unavailable`: no answer, or one that is no name.
    pub async fn machine(&self) -> Result<String> {
        let attempted = "ask for the name of this machine";
        let answer = self.client.get(self.name.clone()).header("Metadata", "true").send().await;
        let bytes = body(answer, attempted).await?;
        let name = String::from_utf8(bytes).unwrap_or_default().trim().to_owned();
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=80).contains(&name.len()) && name.bytes().all(is_name) {
            return Ok(name);
        }
        Err(Error::new(ErrorKind::Unavailable, format!("{attempted}: answered with something else")))
    }

    /// Lets events begin at once, by their ids: only for a node that is empty. One that has begun, or is gone, is left as it is.
    ///
    /// # Errors
    /// `Throttled` or `Unavailable`. Nothing is lost: the event begins at its time.
    pub async fn approve(&self, ids: &[String]) -> Result<()> {
        let attempted = "approve scheduled events";
        if ids.is_empty() {
            return Ok(());
        }
        let requests: Vec<_> = ids.iter().map(|id| json!({ "EventId": id })).collect();
        let request = self.client.post(self.events.clone()).header("Metadata", "true");
        let answer = request.json(&json!({ "StartRequests": requests })).send().await;
        body(answer, attempted).await.map(|_| ())
    }
}

async fn body(answer: reqwest::Result<reqwest::Response>, attempted: &str) -> Result<Vec<u8>> {
    let unavailable =
        |error: reqwest::Error| Error::new(ErrorKind::Unavailable, attempted).with_source(error);
    let answer = answer.map_err(unavailable)?;
    let status = answer.status().as_u16();
    if status == 429 || status == 410 {
        return Err(Error::new(ErrorKind::Throttled { retry_after: None }, attempted));
    }
    if !answer.status().is_success() {
        return Err(Error::new(ErrorKind::Unavailable, format!("{attempted}: answered with {status}")));
    }
    let (mut bytes, mut parts) = (Vec::new(), answer.bytes_stream());
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part.map_err(unavailable)?);
        if bytes.len() > MAX_DOCUMENT {
            return Err(Error::new(ErrorKind::Unavailable, format!("{attempted}: an answer without end")));
        }
    }
    Ok(bytes)
}
