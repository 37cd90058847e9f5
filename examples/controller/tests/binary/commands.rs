//! What ends by itself: bad settings, one tick, a dry run, an operator's commands.

use std::time::{Duration, Instant};

use autoscale_kube::fake::{Fault, Requests, Trouble};

use crate::house::{House, PATIENCE, POLICY, Running, err, out};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_told_at_once() {
    let house = House::new("mistakes", 0).await;
    let bad = POLICY.replace("min: 1", "min: 7").replace("max: 3", "max: 3\n    cooldown: 5");
    std::fs::write(house.folder.join("policy.yaml"), bad).unwrap();
    let mut command = house.program(&["--policy-every", "10ms", "--log", "a=b=c"]);
    let output = command.env_remove("AUTOSCALE_PROVIDER").output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = err(&output);
    for expected in [
        "policy.yaml:7:10: pools.web.min: 7: expected at most max, which is 3",
        "pools.web.cooldown",
        "--provider: missing",
        "--policy-every: 10ms: expected at least 1s",
        "--log: a=b=c: expected",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(house.server.log().is_empty(), "nothing was asked of the cluster");
    std::fs::write(house.folder.join("policy.yaml"), POLICY).unwrap();
    let output = house.run(&["--cluster", "stop", "--once"]).await;
    assert_eq!((output.status.code(), err(&output).contains("expected shop")), (Some(2), true));
    // What only shows when everything is put together is told together too.
    let output = house
        .run(&[
            "--lease=../x",
            "--once",
            "--signals=prometheus",
            "--prometheus-url=http://prometheus",
            "--prometheus-metric=queue=jobs",
            "--prometheus-cert-file=x",
        ])
        .await;
    for expected in
        ["../x", "--prometheus: url", "queue: expected a signal that the policy declares", "both or none"]
    {
        assert!(err(&output).contains(expected), "{expected}: {}", err(&output));
    }
    let output = house.run(&["--lease", "../x", "--once"]).await;
    assert_eq!((output.status.code(), err(&output).contains("../x")), (Some(2), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_only_looks() {
    let house = House::new("dry", 1).await;
    let output = house.run(&["--once", "--dry-run"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    assert!(text.contains("dry run, not sent for operation 1.0: {\"launch\""), "{text}");
    let output = house.run(&["explain", "--pool", "web", "--json"]).await;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["pools"][0]["pool"], "web", "{answer}");
    let log = house.server.log();
    assert!(log.len() > 3, "it looked");
    let wrote: Vec<_> = log.iter().filter(|entry| !matches!(entry.verb.as_str(), "get" | "list")).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
    for command in [&["resume"][..], &["pause", "--why", "x"], &["adopt", "web"], &["unlock", "1"]] {
        let output = house.run(&[command, &["--dry-run"]].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{command:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tick_and_what_an_operator_does() {
    let house = House::new("once", 1).await;
    let output = house.run(&["status"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("there is no record yet"), "{}", out(&output));
    let output = house.run(&["status", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON also where there is none");
    let why = "there is no record yet: the first tick writes it";
    assert_eq!((output.status.code(), told["error"].as_str()), (Some(1), Some(why)), "{told}");

    let output = house.run(&["--once", "--audit", "audit.log"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).ends_with("ended: done\n"), "{}", out(&output));
    let record = house.record().expect("a record was written");
    assert_eq!(record["ops"][0]["pool"], "web");
    assert_eq!(house.server.objects("v1", "ConfigMap").len(), 1, "one machine was launched");

    let text = out(&house.run(&["status"]).await);
    assert!(text.contains("operation 1.0 of pool web") && text.contains("lease: free"), "{text}");
    let output = house.run(&["explain", "--audit", "audit.log"]).await;
    assert!(out(&output).contains("web"), "{}", out(&output));
    let output = house.run(&["explain", "--audit", "audit.log", "--node", "nowhere"]).await;
    assert_eq!((output.status.code(), out(&output).contains("nowhere")), (Some(1), true));
    let output = house.run(&["explain", "--audit", "audit.log", "--node", "nowhere", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON also without an answer");
    assert!(told["error"].as_str().is_some_and(|why| why.contains("nowhere")), "{told}");

    let output = house.run(&["pause", "--why", "a test", "--who", "ann", "--for", "5m"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains("paused by ann for 4m"), "{}", out(&output));
    assert_eq!(house.record().unwrap()["paused"]["who"], "ann");
    let output = house.run(&["resume"]).await;
    assert!(out(&output).starts_with("resumed"), "{}", out(&output));
    let output = house.run(&["resume"]).await;
    assert_eq!((output.status.code(), out(&output).contains("it is not paused")), (Some(1), true));

    let output = house.run(&["adopt", "api"]).await;
    assert_eq!((output.status.code(), err(&output).contains("expected web")), (Some(2), true));
    let output = house.run(&["adopt", "web"]).await;
    assert_eq!(house.record().unwrap()["pools"]["web"]["adopted"], true, "{}", out(&output));

    let version = house.record().unwrap()["ver"].as_u64().unwrap();
    let output = house.run(&["unlock", &(version + 7).to_string()]).await;
    assert_eq!((output.status.code(), out(&output).contains("is stale")), (Some(1), true));
    let output = house.run(&["unlock", &version.to_string()]).await;
    assert!(out(&output).contains("no lease is held"), "{}", out(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_not_there_is_no_success() {
    let house = House::new("gone", 0).await;
    let config = std::fs::read_to_string(house.folder.join("kubeconfig")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let url = config.split('"').find(|part| part.starts_with("http://")).unwrap().to_owned();
    std::fs::write(house.folder.join("kubeconfig"), config.replace(&url, &nowhere)).unwrap();
    let output = house.run(&["--once"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(out(&output).contains("the record could not be reached"), "{}", out(&output));

    let mut running = Running::start(house.program(&[])).await;
    running.until("/decisions", |_, body| body.contains("no_authority")).await;
    let (code, body) = running.ask("GET", "/readyz").await;
    assert_eq!(code, 503, "{body}");
    assert!(body.contains("could not be reached"), "{body}");
    assert_eq!(running.ask("GET", "/healthz").await.0, 200, "a restart would not help");
    let begun = Instant::now();
    running.child.start_kill().unwrap();
    running.child.wait().await.unwrap();
    assert!(begun.elapsed() < PATIENCE + Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_refused_is_not_repeated_by_the_client() {
    let house = House::new("once-only", 1).await;
    let launches = Requests::any().verb("create").resource("configmaps");
    house.server.add_fault(Fault::new("slow down", launches, Trouble::TooMany(1)));
    let output = house.run(&["--once"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(house.server.faults_left().is_empty(), "the fault struck");
    let log = house.server.log();
    let sent = log.iter().filter(|entry| entry.verb == "create" && entry.resource == "configmaps");
    let codes: Vec<u16> = sent.map(|entry| entry.status).collect();
    assert_eq!(codes.first(), Some(&429));
    // The driver asks again when it has seen the refusal, under a record that says so.
    let writes = log.iter().filter(|entry| entry.verb == "update" || entry.verb == "create");
    let order: Vec<&str> = writes.map(|entry| entry.resource.as_str()).collect();
    assert!(!order.windows(2).any(|two| two == ["configmaps", "configmaps"]), "{order:?} {codes:?}");
}

#[cfg(all(feature = "aws", feature = "azure"))]
/// What each provider has to be told, and what is wrong with what it was told.
const OPTIONS: [(&str, &[&str], &[&str]); 8] = [
    (
        "aws",
        &[],
        &[
            "--aws-region: missing: expected a region, such as eu-central-1, here or in AWS_REGION",
            "--aws-subnets: missing: expected at least one subnet id, here or in AUTOSCALE_AWS_SUBNETS",
            "--aws-launch-template: missing: expected a launch template",
        ],
    ),
    (
        "aws",
        &[
            "--aws-region=eu central",
            "--aws-subnets=subnet-1,subnet-0123456789abcdef0",
            "--aws-launch-template=workers",
            "--aws-image=ami-0123456789abcdef0",
            "--aws-security-groups=web",
            "--aws-worker-tag=asc:pool=web",
            "--aws-spot-max-price=cheap",
            "--aws-control-plane-instances=master",
            "--aws-user-data-file=nowhere",
            "--notices-queue=http://queue",
        ],
        &[
            "--aws-region: eu central: expected a region",
            "--aws-subnets: subnet-1: expected subnet- and 8 to 32 hexadecimal digits",
            "--aws-launch-template and --aws-image: both: expected one of them",
            "--aws-security-groups: web: expected sg-",
            "--aws-worker-tag: asc:pool: expected",
            "--aws-spot-max-price: cheap: expected dollars an hour",
            "--aws-control-plane-instances: master: expected i-",
            "--aws-user-data-file: nowhere: cannot read",
            "--notices-queue: http://queue: expected the https URL of a queue",
        ],
    ),
    (
        "aws",
        &["--aws-launch-template=workers:latest"],
        &["--aws-launch-template: workers:latest: expected a launch template and its version"],
    ),
    ("aws", &["--aws-image=ubuntu"], &["--aws-image: ubuntu: expected ami-"]),
    (
        "azure",
        &[],
        &[
            "--azure-subscription: missing: expected a subscription id of 36 characters, here or in AUTOSCALE_AZURE_SUBSCRIPTION",
            "--azure-resource-group: missing",
            "--azure-location: missing",
            "--azure-subnet: missing: expected the resource id of a subnet",
            "--azure-image: missing: expected the resource id of a gallery's image",
            "--azure-admin-user: missing",
            "--azure-admin-key-file: missing: expected a file, here or in AUTOSCALE_AZURE_ADMIN_KEY_FILE",
            "--azure-identity: choose a credential: AUTOSCALE_AZURE_IDENTITY: it is not set; expected managed",
        ],
    ),
    (
        "azure",
        &[
            "--azure-identity=service-principal",
            "--azure-subscription=mine",
            "--azure-location=West-Europe",
            "--azure-subnet=/subnets/x",
            "--azure-image=ubuntu",
            "--azure-admin-user=root",
            "--azure-admin-key-file=policy.yaml",
            "--azure-scale-set=x",
            "--azure-machine-identity=y",
            "--azure-disk-size=5000",
            "--azure-tag=autoscale-pool=x",
            "--azure-endpoint=https://management.example",
        ],
        &[
            "--azure-identity: choose a credential: service-principal needs AZURE_TENANT_ID, AZURE_CLIENT_ID",
            "--azure-subscription: \"mine\": expected a subscription id",
            "--azure-location: \"west-europe\": expected",
            "--azure-subnet: \"/subnets/x\": expected",
            "--azure-image: ubuntu: expected the resource id",
            "--azure-admin-user: \"root\": expected",
            "bytes: expected a public key as in authorized_keys, on one line",
            "--azure-scale-set: \"x\": expected",
            "--azure-machine-identity: \"y\": expected",
            "--azure-disk-size: \"5000\": expected 1 to 4095 GB",
            "--azure-tag: \"autoscale-pool\": expected",
            "--azure-endpoint and --azure-token-scope: one of them: expected both or none",
        ],
    ),
    (
        "azure",
        &[
            "--azure-image=/subscriptions/x/images/y/versions/new",
            "--azure-endpoint=x",
            "--azure-token-scope=y",
        ],
        &[
            "--azure-image: \"/subscriptions/x/images/y\": expected the resource id of a gallery's image",
            "--azure-image: \"new\": expected a version such as 1.2.3",
            "--azure-endpoint: x: expected a URL",
        ],
    ),
    ("azure", &["--azure-custom-data-file=nowhere"], &["--azure-custom-data-file: nowhere: cannot read"]),
];

#[cfg(all(feature = "aws", feature = "azure"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_has_to_be_told_is_told_at_once() {
    let house = House::new("providers", 0).await;
    for (provider, args, expected) in OPTIONS {
        let output = house.run(&[&["--provider", provider, "--once"], args].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{provider} {args:?}");
        let text = err(&output);
        for expected in expected {
            assert!(text.contains(expected), "{provider} {args:?}: {expected}: {text}");
        }
        // Nothing else than what was told, one line each, where all of it is listed.
        if args.is_empty() {
            assert_eq!(text.lines().count(), expected.len(), "{text}");
        }
    }
    assert!(house.server.log().is_empty(), "nothing was asked of the cluster");
}

#[cfg(feature = "azure")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_needs_a_node_and_nothing_else() {
    let house = House::new("agent", 0).await;
    for (args, expected) in [
        (&["--node-agent"][..], &["--node-name: missing: expected the name of a Node"][..]),
        (
            &["--node-agent", "--node-name=Not A Node", "--node-agent-every=1ms", "--once"],
            &[
                "--node-name: Not A Node: expected",
                "--node-agent-every: 1ms: expected 500ms to 60s",
                "--node-agent: with",
            ],
        ),
        (&["--node-agent", "--node-name=n1", "status"], &["--node-agent: with a command"]),
    ] {
        let mut command = house.program(args);
        let output =
            command.env_remove("AUTOSCALE_POLICY").env_remove("AUTOSCALE_PROVIDER").output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        for expected in expected {
            assert!(err(&output).contains(expected), "{args:?}: {expected}: {}", err(&output));
        }
    }
    assert!(house.server.log().is_empty(), "nothing was asked of the cluster");
}
