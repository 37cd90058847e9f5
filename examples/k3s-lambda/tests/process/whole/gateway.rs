//! What the function takes for AWS: one address in front of the services that this test was given. It counts what is asked, tells the
//! master's address as one of this machine, and can end the function where it asks.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use autoscale_kube::fake::ApiServer;
use reqwest::{Client, Method, Url};
use serde_json::Value;

use crate::function::signal;
use crate::http::{Asked, Reply, Server, Told, serve};
use crate::runtime::PATIENCE;

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    pub(crate) dynamodb: String,
    /// EC2 behind a proxy that makes faults.
    pub(crate) ec2: String,
    pub(crate) ssm: String,
}

/// Where a process ends: at the request of that number, before it is passed on or once it is carried out.
#[derive(Clone, Debug)]
pub(crate) struct Fatal {
    pub(crate) request: usize,
    pub(crate) carried_out: bool,
    pub(crate) function: String,
}

/// A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    services: Services,
    client: Client,
    /// The master's private address.
    master: String,
    /// That of this machine.
    here: IpAddr,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    fatal: Arc<Mutex<Option<Fatal>>>,
    cluster: ApiServer,
    /// Pods that were on machines when their end was asked for.
    harmed: Arc<Mutex<Vec<String>>>,
}

/// Headers that are of one connection.
const OWN: [&str; 5] = ["host", "connection", "content-length", "transfer-encoding", "expect"];

impl Gateway {
    pub(crate) fn new(services: Services, cluster: ApiServer, master: String, here: IpAddr) -> Self {
        Self {
            services,
            client: Client::builder().no_proxy().build().unwrap(),
            master,
            here,
            asked: Arc::default(),
            fatal: Arc::default(),
            cluster,
            harmed: Arc::default(),
        }
    }

    pub(crate) async fn serve(&self) -> Server {
        let gateway = self.clone();
        let answer = move |request| {
            let gateway = gateway.clone();
            async move { gateway.answer(request).await }
        };
        serve(Ipv4Addr::LOCALHOST.into(), None, answer).await
    }

    /// How often something was asked for, by the names of the services.
    pub(crate) fn asked(&self, operation: &str) -> usize {
        self.asked.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Pods that were on machines when their end was asked for.
    pub(crate) fn harmed(&self) -> Vec<String> {
        self.harmed.lock().unwrap().clone()
    }

    /// Ends a process at one of its next requests.
    pub(crate) fn kill(&self, fatal: Fatal) {
        *self.fatal.lock().unwrap() = Some(fatal);
    }

    /// Ends nobody any more; whether somebody was ended.
    pub(crate) fn spare(&self) -> bool {
        self.fatal.lock().unwrap().take().is_none()
    }

    /// Counts a request; what is to be ended, if it is the last one of it.
    fn count(&self, operation: &str) -> Option<Fatal> {
        *self.asked.lock().unwrap().entry(operation.to_owned()).or_default() += 1;
        let mut fatal = self.fatal.lock().unwrap();
        match fatal.as_mut()?.request.checked_sub(1) {
            Some(left) => {
                fatal.as_mut()?.request = left;
                None
            }
            None => fatal.take(),
        }
    }

    async fn answer(&self, asked: Asked) -> Reply {
        let target = asked.header("x-amz-target").unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
        let services = &self.services;
        let (operation, service) = match target.split_once('.') {
            Some((name, operation)) if name.starts_with("DynamoDB_") => (operation, &services.dynamodb),
            Some((_, operation)) => (operation, &services.ssm),
            None => (action, &services.ec2),
        };
        let fatal = self.count(operation);
        if operation == "TerminateInstances" {
            let machines = body.split('&').filter(|pair| pair.starts_with("InstanceId."));
            let machines = machines.filter_map(|pair| pair.split_once('='));
            let pods = machines.flat_map(|(_, id)| self.cluster.pods_on(id));
            self.harmed.lock().unwrap().extend(pods.map(|pod| pod["metadata"].to_string()));
        }
        if let Some(fatal) = fatal.as_ref().filter(|fatal| !fatal.carried_out) {
            signal("-KILL", &fatal.function);
            return None;
        }
        let told = self.pass_on(&asked, service).await;
        if let Some(fatal) = fatal {
            signal("-KILL", &fatal.function);
            return None;
        }
        told
    }

    async fn pass_on(&self, asked: &Asked, service: &str) -> Reply {
        let is_of_all = |name: &str| !OWN.iter().any(|own| name.eq_ignore_ascii_case(own));
        let method = Method::from_bytes(asked.method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{service}{}", asked.target)).timeout(PATIENCE);
        for (name, value) in asked.headers.iter().filter(|(name, _)| is_of_all(name)) {
            request = request.header(name, value);
        }
        // An answer that is lost on the way is lost here too.
        let answer = request.body(asked.body.clone()).send().await.ok()?;
        let code = answer.status().as_u16();
        let headers = answer.headers().iter().filter(|(name, _)| is_of_all(name.as_str()));
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let body = answer.text().await.ok()?;
        let Self { master, here, .. } = self;
        Some(Told { code, headers, body: body.replace(&format!(">{master}<"), &format!(">{here}<")) })
    }

    /// From now on calls of EC2 fail as these rules of microburst say.
    pub(crate) async fn rules(&self, rules: Value) {
        let url = Url::parse(&self.services.ec2).unwrap().join("/_microburst/rules").unwrap();
        let request = self.client.post(url).timeout(PATIENCE).header("content-type", "application/json");
        let answer = request.body(rules.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// How many calls have failed by rules, since the last look.
    pub(crate) async fn fired(&self) -> usize {
        let url = Url::parse(&self.services.ec2).unwrap().join("/_microburst/fired").unwrap();
        let answer = self.client.get(url.clone()).timeout(PATIENCE).send().await.unwrap();
        let fired: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let cleared = self.client.delete(url).timeout(PATIENCE).send().await.unwrap();
        assert!(cleared.status().is_success());
        fired.as_array().unwrap().len()
    }
}
