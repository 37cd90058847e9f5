//! AWS over HTTP: the services in memory behind one address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use tokio::sync::watch;

use crate::account::Account;
use crate::http::{Asked, Reply, Server, Told, serve};
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
    /// Whether one was carried out yet.
    pub(crate) bought: watch::Sender<bool>,
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
            bought: watch::Sender::new(false),
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

    async fn answer(&self, asked: Asked) -> Reply {
        let target = asked.header("x-amz-target").unwrap_or_default().to_owned();
        let body = String::from_utf8(asked.body).unwrap();
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let operation =
            if target.is_empty() { format!("EC2.{}", action.unwrap_or_default()) } else { target.clone() };
        self.log.lock().unwrap().push(operation.clone());
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(asked.target).unwrap();
        for (name, value) in asked.headers {
            request.headers_mut().append(name.to_lowercase(), value);
        }
        let answer = if target.starts_with("DynamoDB_") {
            self.tables.call(request)
        } else if target.starts_with("AmazonSSM.") {
            self.parameters.call(request)
        } else {
            self.ec2.call(request)
        };
        let answer = answer.await.ok()?;
        if operation == "EC2.RunInstances" {
            self.bought.send_replace(true);
            let mut mute = self.mute.subscribe();
            mute.wait_for(|mute| !mute).await.unwrap();
        }
        let body = String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap();
        let body = body.replace("10.0.0.7", &self.address.to_string());
        let headers = answer.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Told { code: answer.status().as_u16(), headers: headers.collect(), body })
    }
}
