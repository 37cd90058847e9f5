//! A service in this process, at the SDK's own transport: requests come signed and serialised, answers go as bytes.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

/// An answer of a service.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self { code: 200, body: body.into() }
    }
}

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is carried out, and the connection is reset before the answer.
    AnswerLost,
    /// The connection is reset before it arrives.
    RequestLost,
    /// It is carried out, and half of the answer arrives.
    AnswerCut,
    /// It is refused with this code of the service under this HTTP code.
    Refused(u16, &'static str, &'static str),
    /// Something in between answers, with no word of the service.
    Gateway(u16),
}

/// A service: what it does with a request, and how its errors look.
pub(crate) trait Service: std::fmt::Debug + Send + Sync + 'static {
    /// The operation that a request asks for.
    fn operation(&self, request: &HttpRequest) -> String;
    /// Carries it out.
    fn answer(&self, operation: &str, body: &[u8]) -> Answer;
    /// An error answer.
    fn error(&self, http: u16, code: &str, message: &str) -> Answer;
    /// Its clock, in milliseconds since 1970.
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        i64::try_from(since.unwrap().as_millis()).unwrap()
    }
}

#[derive(Debug, Default)]
struct Line {
    faults: Vec<(String, VecDeque<Fault>)>,
    sent: Vec<String>,
}

/// The way to a service. A clone is the same one.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    pub(crate) service: Arc<S>,
    line: Arc<Mutex<Line>>,
}

impl<S> Clone for Wire<S> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), line: self.line.clone() }
    }
}

impl<S: Service> Wire<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service: Arc::new(service), line: Arc::default() }
    }

    /// What will happen to the next request of that operation, behind what is planned already.
    pub(crate) fn plan(&self, operation: &str, fault: Fault) {
        let mut line = self.line.lock().unwrap();
        match line.faults.iter_mut().find(|(name, _)| name == operation) {
            Some((_, faults)) => faults.push_back(fault),
            None => line.faults.push((operation.to_owned(), VecDeque::from([fault]))),
        }
    }

    /// How many requests of an operation have been sent, counting each copy.
    pub(crate) fn sent(&self, operation: &str) -> usize {
        self.line.lock().unwrap().sent.iter().filter(|sent| *sent == operation).count()
    }

    fn take(&self, operation: &str) -> Option<Fault> {
        let mut line = self.line.lock().unwrap();
        line.sent.push(operation.to_owned());
        line.faults.iter_mut().find(|(name, _)| name == operation)?.1.pop_front()
    }

    fn deal(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let service = &*self.service;
        let operation = service.operation(request);
        assert!(request.headers().get("authorization").is_some(), "{operation} came without a signature");
        let body = request.body().bytes().unwrap_or_default();
        let reset = || Err(ConnectorError::io("connection reset by peer".into()));
        let answer = match self.take(&operation) {
            None => service.answer(&operation, body),
            Some(Fault::RequestLost) => return reset(),
            Some(Fault::AnswerLost) => {
                service.answer(&operation, body);
                return reset();
            }
            Some(Fault::AnswerCut) => {
                let Answer { code, mut body } = service.answer(&operation, body);
                body.truncate(body.len() / 2);
                Answer { code, body }
            }
            Some(Fault::Refused(http, code, message)) => service.error(http, code, message),
            Some(Fault::Gateway(code)) => Answer { code, body: "<html>bad gateway</html>".to_owned() },
        };
        let mut response = HttpResponse::new(answer.code.try_into().unwrap(), SdkBody::from(answer.body));
        let date = jiff::Timestamp::from_millisecond(service.now()).unwrap();
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
        response.headers_mut().insert("date", date);
        Ok(response)
    }
}

impl<S: Service> HttpConnector for Wire<S> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        // What was handed over arrives, whether or not somebody still waits for the answer.
        let task = tokio::spawn(async move {
            tokio::task::yield_now().await;
            wire.deal(&request)
        });
        HttpConnectorFuture::new(async move {
            task.await.unwrap_or_else(|panic| Err(ConnectorError::other(panic.into(), None)))
        })
    }
}

impl<S: Service> HttpClient for Wire<S> {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
