//! AWS over HTTP: the services in memory behind one address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use tokio::sync::watch;

use crate::account::Account;
use crate::http::{Reply, Server, serve};
use crate::parameters::Parameters;
use crate::tables::Tables;
use crate::wire::Wire;

/// The services. A clone is the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    pub(crate) ec2: Wire<Account>,
    pub(crate) tables: Wire<Tables>,
    pub(crate) parameters: Wire<Parameters>,
    /// The address of all machines.
    address: IpAddr,
    /// What has been asked, in order: service and operation.
    log: Arc<Mutex<Vec<String>>>,
    /// While this is so, `RunInstances` is carried out and not answered.
    pub(crate) mute: watch::Sender<bool>,
}

impl Cloud {
    pub(crate) fn new(address: IpAddr) -> Self {
        Self {
            ec2: Wire::new(Account::new()),
            tables: Wire::new(Tables::new()),
            parameters: Wire::new(Parameters::default()),
            address,
            log: Arc::default(),
            mute: watch::Sender::new(false),
        }
    }

    pub(crate) async fn serve(&self) -> Server {
        let cloud = self.clone();
        let answer = move |request| {
            let cloud = cloud.clone();
            async move { cloud.answer(request).await }
        };
        serve(Ipv4Addr::LOCALHOST.into(), None, answer).await
    }

    /// What has been asked since the last look.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    async fn answer(&self, request: Request<Bytes>) -> Reply {
        let (head, body) = request.into_parts();
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let target = target.unwrap_or_default().to_owned();
        let named = String::from_utf8_lossy(&body).split('&').find_map(|pair| {
            pair.strip_prefix("Action=").map(|action| format!("EC2.{action}"))
        });
        let operation = if target.is_empty() { named.unwrap_or_default() } else { target.clone() };
        self.log.lock().unwrap().push(operation.clone());
        let request = Request::from_parts(head, SdkBody::from(body.to_vec()));
        let request = HttpRequest::try_from(request).unwrap();
        let answer = if target.starts_with("DynamoDB_") {
            self.tables.call(request)
        } else if target.starts_with("AmazonSSM.") {
            self.parameters.call(request)
        } else {
            self.ec2.call(request)
        };
        let answer = answer.await.ok()?.try_into_http1x().unwrap();
        if operation == "EC2.RunInstances" {
            let mut mute = self.mute.subscribe();
            mute.wait_for(|mute| !mute).await.unwrap();
        }
        let (head, body) = answer.into_parts();
        let text = String::from_utf8(body.bytes().unwrap().to_vec()).unwrap();
        let text = text.replace("10.0.0.7", &self.address.to_string());
        Some(Response::from_parts(head, Full::from(text)))
    }
}
