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
