//! The program with the providers of the clouds, over sockets of this machine: credentials as in a pod, requests as they are sent.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::house::{CANARY, House, PATIENCE, POLICY, err};

/// Whatever a stand-in answers, and what it was asked.
struct Asked {
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Answers HTTP until it is dropped.
struct StandIn {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StandIn {
    async fn new(answer: impl Fn(Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, answer) = (listener.local_addr().unwrap(), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let answer = answer.clone();
                        async move {
                            let (head, body) = request.into_parts();
                            let headers = head.headers.iter();
                            let headers = headers.map(|(name, value)| {
                                (name.to_string(), value.to_str().unwrap_or_default().to_owned())
                            });
                            let body =
                                body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
                            let asked =
                                Asked { path: head.uri.to_string(), headers: headers.collect(), body };
                            let (code, body) = answer(asked);
                            let response = Response::builder().status(code).header("date", date());
                            Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, task }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn date() -> String {
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    printer.timestamp_to_rfc9110_string(&jiff::Timestamp::now()).unwrap()
}

async fn ended(mut command: Command) -> (Option<i32>, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    for text in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(text).contains(CANARY), "a secret was printed");
    }
    (output.status.code(), err(&output))
}

#[cfg(feature = "aws")]
mod aws {
    use super::*;
    use crate::account::Account;
    use crate::wire::Service as _;

    const STS: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
        <AccessKeyId>AKIDOFTHEROLE</AccessKeyId><SecretAccessKey>canary-7f3a91</SecretAccessKey>\
        <SessionToken>canary-7f3a91</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";

    /// EC2 and STS at one address; what was asked of which, and by whom.
    async fn service(account: Arc<Account>) -> (StandIn, Arc<Mutex<Vec<String>>>) {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let asked = told.clone();
        let stand_in = StandIn::new(move |request| {
            let form = crate::query::form(&request.body);
            let action = form["Action"].clone();
            if action == "AssumeRoleWithWebIdentity" {
                let whole = form["RoleArn"].ends_with("role/autoscale") && form["WebIdentityToken"] == CANARY;
                asked.lock().unwrap().push(format!("{action} {whole}"));
                return (200, STS.to_owned());
            }
            let signed = request
                .headers
                .get("authorization")
                .is_some_and(|by| by.contains("Credential=AKIDOFTHEROLE/"));
            asked.lock().unwrap().push(format!("{action} {signed}"));
            let answer = account.answer(&action, &request.body);
            (answer.code, answer.body)
        })
        .await;
        (stand_in, told)
    }

    fn program(house: &House, service: &StandIn, args: &[&str]) -> Command {
        let policy = POLICY.replace("[a]", "[eu-central-1a]").replace("name: m", "name: m6i.large");
        std::fs::write(house.folder.join("policy.yaml"), policy).unwrap();
        std::fs::write(house.folder.join("token"), CANARY).unwrap();
        let mut command = house.program(args);
        command
            .env("AUTOSCALE_PROVIDER", "aws")
            .env("AWS_ENDPOINT_URL", service.url())
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/autoscale")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", house.folder.join("token"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AUTOSCALE_AWS_SUBNETS", "subnet-0000000a")
            .env("AUTOSCALE_AWS_LAUNCH_TEMPLATE", "workers:7");
        command
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pod_with_a_web_identity_buys_a_machine() {
        let house = House::new("aws", 1).await;
        let account = Arc::new(Account::new());
        let (service, asked) = service(account.clone()).await;
        let (code, text) = ended(program(&house, &service, &["--once"])).await;
        assert_eq!(code, Some(0), "{text}");
        let machines = account.lock().machines.clone();
        assert_eq!(machines.len(), 1, "{text}");
        assert!(machines[0].tags.contains(&("asc:cluster".to_owned(), "shop".to_owned())));
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.iter().filter(|one| one.starts_with("Assume")).count(), 1, "{asked:?}");
        assert!(asked.iter().all(|one| one.ends_with(" true")), "by whom? {asked:?}");
        // Two ways to buy were asked about, and one machine was bought.
        assert_eq!(asked.iter().filter(|one| one.starts_with("RunInstances")).count(), 3, "{asked:?}");
        assert_eq!(house.record().unwrap()["fingerprint"], fingerprint("aws/eu-central-1"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rights_that_are_missing_are_told_at_the_start() {
        let house = House::new("aws-denied", 1).await;
        let account = Arc::new(Account::new());
        account.lock().forbidden.extend(["RunInstances", "DescribeInstances"]);
        let (service, _asked) = service(account.clone()).await;
        let (code, text) = ended(program(&house, &service, &["--once"])).await;
        assert_eq!(code, Some(2), "{text}");
        for expected in ["ec2:RunInstances", "ec2:DescribeInstances"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(house.record().is_none(), "nothing was begun");
        // A dry run looks as far as it may.
        let (code, text) = ended(program(&house, &service, &["--once", "--dry-run"])).await;
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("asked what is allowed"), "{text}");
    }
}

#[cfg(feature = "azure")]
mod azure {
    use super::*;
    use autoscale_azure::fake::{Arm, ArmSettings, ServeOptions};

    const GROUP: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups";

    /// What a host of Azure gives its programs: the token of its identity.
    async fn tokens(user: &'static str) -> StandIn {
        StandIn::new(move |asked| {
            let right = asked.path.contains("resource=https%3A%2F%2Fmanagement.azure.com")
                && asked.headers.get("x-identity-header").is_some_and(|header| header == "mine");
            if !right {
                return (400, "{}".to_owned());
            }
            let token = format!(r#"{{"access_token":"{user}","expires_on":"4102444800","resource":"r","token_type":"Bearer"}}"#);
            (200, token)
        })
        .await
    }

    fn program(house: &House, arm: SocketAddr, tokens: &StandIn, args: &[&str]) -> Command {
        let policy = POLICY.replace("[a]", "[westeurope-1]").replace("name: m", "name: Standard_D2s_v5");
        std::fs::write(house.folder.join("policy.yaml"), policy).unwrap();
        std::fs::write(house.folder.join("admin.pub"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdC test\n")
            .unwrap();
        let subnet = format!("{GROUP}/network/providers/Microsoft.Network/virtualNetworks/v/subnets/workers");
        let mut command = house.program(args);
        command
            .env("AUTOSCALE_PROVIDER", "azure")
            .env("IDENTITY_ENDPOINT", format!("{}/token", tokens.url()))
            .env("IDENTITY_HEADER", "mine")
            .env("AUTOSCALE_AZURE_IDENTITY", "managed")
            .env("AUTOSCALE_AZURE_ENDPOINT", format!("http://{arm}"))
            .env("AUTOSCALE_AZURE_TOKEN_SCOPE", "https://management.azure.com/.default")
            .env("AUTOSCALE_AZURE_SUBSCRIPTION", "11111111-2222-3333-4444-555555555555")
            .env("AUTOSCALE_AZURE_RESOURCE_GROUP", "workers")
            .env("AUTOSCALE_AZURE_LOCATION", "westeurope")
            .env("AUTOSCALE_AZURE_SUBNET", subnet)
            .env("AUTOSCALE_AZURE_IMAGE", "Canonical:ubuntu-24_04-lts:server:latest")
            .env("AUTOSCALE_AZURE_ADMIN_USER", "scale")
            .env("AUTOSCALE_AZURE_ADMIN_KEY_FILE", "admin.pub");
        command
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_host_with_an_identity_buys_a_machine() {
        let (house, tokens, arm) =
            (House::new("azure", 1).await, tokens(CANARY).await, Arm::new(ArmSettings::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = arm.serve(listener, ServeOptions::default()).unwrap();
        let (code, text) = ended(program(&house, serving.address(), &tokens, &["--once"])).await;
        assert_eq!(code, Some(0), "{text}");
        let truth = arm.truth();
        assert_eq!(truth.len(), 1, "{text}");
        assert_eq!(truth[0].tags["autoscale-cluster"], "shop");
        let scope = "azure/11111111-2222-3333-4444-555555555555/workers";
        assert_eq!(house.record().unwrap()["fingerprint"], fingerprint(scope));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rights_that_are_missing_are_told_at_the_start() {
        let (house, tokens, arm) =
            (House::new("azure-denied", 1).await, tokens("scaler").await, Arm::default());
        // The stand-in names its user in refusals, and the token is the user.
        arm.deny("scaler", "Microsoft.Compute/virtualMachines/read");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = arm.serve(listener, ServeOptions::default()).unwrap();
        let (code, text) = ended(program(&house, serving.address(), &tokens, &["--once"])).await;
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("Microsoft.Compute/virtualMachines/read"), "{text}");
        assert!(house.record().is_none(), "nothing was begun");
    }
}

fn fingerprint(scope: &str) -> serde_json::Value {
    let cluster = autoscale_core::words::ClusterId::new("shop").unwrap();
    serde_json::to_value(autoscale_core::data::record::Fingerprint::of(&cluster, scope)).unwrap()
}
