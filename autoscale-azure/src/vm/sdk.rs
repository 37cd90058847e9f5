//! [`ArmCompute`] on the crates of the SDK: they make the requests; what is sent, how often and until when is decided here.
//!
//! Three things are kept from them. **The token**: they print the `Authorization` header in their debug logs, so they get a placeholder,
//! and the token is put in behind them. **The answer**: their errors lose the headers, among them `Retry-After`, so it is kept
//! here. **The body** of a machine: their model has no place for the ids of user-assigned identities.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use autoscale_core::ports::Clock;
use autoscale_core::words::Deadline;
use azure_core::credentials::TokenCredential;
use azure_core_021 as azure;
use azure_mgmt_compute::package_2024_07_01::Client;
use azure_mgmt_compute::package_2024_07_01::models::VirtualMachine;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture};
use serde_json::Value;
use url::Url;

use super::arm::{Answer, ArmCompute, Heard, Unheard};
use super::config::VmConfig;
use super::transport::NotConnected;

/// No answer is read beyond this: a page of machines is far below it.
const MAX_BODY: usize = 16 << 20;
/// The version of the network interfaces' API; machines and disks have the SDK's.
const NETWORK_API: &str = "2024-01-01";

/// The SDK's client, made anew for every call: it is a handful of pointers.
pub(super) struct Sdk {
    pub(super) config: Arc<VmConfig>,
    pub(super) transport: Arc<dyn azure::HttpClient>,
    pub(super) credential: Arc<dyn TokenCredential>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Without the credential, whose output is not ours to vouch for.
impl fmt::Debug for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sdk").field("endpoint", &self.config.endpoint.as_str()).finish_non_exhaustive()
    }
}

impl Sdk {
    fn once(&self, until: Deadline, body: Option<Bytes>) -> Arc<Once> {
        Arc::new(Once {
            transport: Arc::clone(&self.transport),
            credential: Arc::clone(&self.credential),
            clock: Arc::clone(&self.clock),
            scope: self.config.scope.clone(),
            until,
            body,
            asked: AtomicBool::new(false),
            heard: Mutex::new(None),
        })
    }

    /// Lets the SDK make one request, and gives the answer to it.
    async fn call<T>(
        &self,
        until: Deadline,
        body: Option<Bytes>,
        send: impl FnOnce(Client) -> BoxFuture<'static, azure::Result<T>> + Send,
    ) -> Heard {
        let once = self.once(until, body);
        let transport = azure::TransportOptions::new(Arc::clone(&once) as Arc<dyn azure::HttpClient>);
        let options = azure::ClientOptions::new(transport).retry(azure::RetryOptions::none());
        let scopes = vec![self.config.scope.clone()];
        let client = Client::new(self.config.endpoint.clone(), Arc::new(Placeholder), scopes, options);
        let told = send(client).await;
        once.heard(told.err())
    }

    /// A request that the SDK has no form for.
    async fn bare(&self, method: azure::Method, url: Url, until: Deadline) -> Heard {
        use azure::HttpClient as _;
        let once = self.once(until, None);
        let told = once.execute_request(&azure::Request::new(url, method)).await;
        once.heard(told.err())
    }

    fn place(&self) -> (String, String) {
        (self.config.group.clone(), self.config.subscription.clone())
    }
}

#[async_trait]
impl ArmCompute for Sdk {
    async fn machines(&self, scale_set: Option<&str>, until: Deadline) -> Heard {
        let (group, subscription) = self.place();
        let filter = scale_set.map(|id| format!("'virtualMachineScaleSet/id' eq '{id}'"));
        self.call(until, None, move |client| {
            let mut list = client.virtual_machines_client().list(group, subscription);
            if let Some(filter) = filter {
                list = list.filter(filter).expand("instanceView");
            }
            // One page; the next is followed here, after a look at its host.
            Box::pin(async move { list.into_stream().next().await.transpose() })
        })
        .await
    }

    async fn follow(&self, url: &Url, until: Deadline) -> Heard {
        self.bare(azure::Method::Get, url.clone(), until).await
    }

    async fn machine(&self, name: &str, until: Deadline) -> Heard {
        let ((group, subscription), name) = (self.place(), name.to_owned());
        self.call(until, None, move |client| {
            client.virtual_machines_client().get(group, name, subscription).expand("instanceView").send()
        })
        .await
    }

    async fn create(&self, name: &str, body: &Value, until: Deadline) -> Heard {
        let ((group, subscription), name) = (self.place(), name.to_owned());
        let not_sent =
            |error| Unheard::NotSent { why: "its body is no machine".to_owned(), source: Some(error) };
        let model: VirtualMachine =
            serde_json::from_value(body.clone()).map_err(|error| not_sent(error.into()))?;
        self.call(until, Some(Bytes::from(body.to_string())), move |client| {
            let machines = client.virtual_machines_client();
            machines.create_or_update(group, name, model, subscription).if_none_match("*").send()
        })
        .await
    }

    async fn delete(&self, name: &str, until: Deadline) -> Heard {
        let ((group, subscription), name) = (self.place(), name.to_owned());
        self.call(until, None, move |client| {
            client.virtual_machines_client().delete(group, name, subscription).send()
        })
        .await
    }

    async fn delete_disk(&self, name: &str, until: Deadline) -> Heard {
        let ((group, subscription), name) = (self.place(), name.to_owned());
        self.call(until, None, move |client| client.disks_client().delete(subscription, group, name).send())
            .await
    }

    async fn delete_interface(&self, name: &str, until: Deadline) -> Heard {
        let mut url = self.config.endpoint.clone();
        url.set_path(&self.config.resource("Microsoft.Network/networkInterfaces", name));
        url.query_pairs_mut().append_pair("api-version", NETWORK_API);
        self.bare(azure::Method::Delete, url, until).await
    }
}

/// The credential that the SDK sees.
#[derive(Debug)]
struct Placeholder;

#[async_trait]
impl azure::auth::TokenCredential for Placeholder {
    async fn get_token(&self, _scopes: &[&str]) -> azure::Result<azure::auth::AccessToken> {
        let never = ::time::OffsetDateTime::UNIX_EPOCH;
        Ok(azure::auth::AccessToken::new("set-later", never))
    }

    async fn clear_cache(&self) -> azure::Result<()> {
        Ok(())
    }
}

/// The transport of one request: one copy, in time, with the token.
struct Once {
    transport: Arc<dyn azure::HttpClient>,
    credential: Arc<dyn TokenCredential>,
    clock: Arc<dyn Clock>,
    scope: String,
    until: Deadline,
    body: Option<Bytes>,
    asked: AtomicBool,
    heard: Mutex<Option<Heard>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Once {
    /// What was heard; if nothing was asked at all, why.
    fn heard(&self, told: Option<azure::Error>) -> Heard {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        heard.unwrap_or_else(|| {
            let source = told.map(Into::into);
            // A request that was begun and whose end nobody has written down may be under way.
            if self.asked.load(Ordering::SeqCst) {
                Err(Unheard::Silent(source.unwrap_or_else(|| "the call was dropped".into())))
            } else {
                Err(Unheard::NotSent { why: "the client did not send it".to_owned(), source })
            }
        })
    }

    async fn send(&self, request: &azure::Request) -> Heard {
        let token = self.credential.get_token(&[&self.scope], None).await;
        let token = token.map_err(|error| Unheard::NoToken(error.into()))?;
        let mut request = request.clone();
        request.insert_header(azure::headers::AUTHORIZATION, format!("Bearer {}", token.token.secret()));
        if let Some(body) = &self.body {
            request.set_body(body.clone());
        }
        if self.clock.boot() > self.until {
            return Err(Unheard::NotSent { why: "its time was over".to_owned(), source: None });
        }
        let response = self.transport.execute_request(&request).await.map_err(|error| match error
            .downcast_ref::<NotConnected>()
        {
            Some(_) => Unheard::NotSent { why: "no connection".to_owned(), source: Some(error.into()) },
            None => Unheard::Silent(error.into()),
        })?;
        let (status, headers, body) = response.deconstruct();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str().to_owned()));
        let headers = headers.collect();
        let mut answer = Answer { status: u16::from(status), headers, body: Vec::new() };
        let mut parts = body;
        while let Some(part) = parts.try_next().await.map_err(|error| Unheard::Silent(error.into()))? {
            answer.body.extend_from_slice(&part);
            if answer.body.len() > MAX_BODY {
                return Err(Unheard::Silent("an answer without end".into()));
            }
        }
        Ok(answer)
    }
}

#[async_trait]
impl azure::HttpClient for Once {
    async fn execute_request(&self, request: &azure::Request) -> azure::Result<azure::Response> {
        let failed = |why: &'static str| azure::Error::message(azure::error::ErrorKind::Other, why);
        if self.asked.swap(true, Ordering::SeqCst) {
            return Err(failed("a second copy of a request"));
        }
        let heard = self.send(request).await;
        let copy = heard.as_ref().ok().cloned();
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
        let answer = copy.ok_or_else(|| failed("no answer"))?;
        let status = azure::StatusCode::try_from(answer.status).map_err(|_| failed("an unknown status"))?;
        let body = futures_util::stream::once(async move { Ok(Bytes::from(answer.body)) });
        Ok(azure::Response::new(status, azure::headers::Headers::new(), Box::pin(body)))
    }
}
