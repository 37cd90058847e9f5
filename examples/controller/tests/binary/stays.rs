//! The program that stays up: probes, metrics, decisions, a policy that changes, and an end.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{House, PATIENCE, POLICY, Running};

/// Puts a policy where a mounted ConfigMap puts it: a new folder, and a link that is swapped.
fn mount(house: &House, number: u32, policy: &str) {
    let folder = house.folder.join(format!("..{number}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("policy.yaml"), policy).unwrap();
    let (data, next) = (house.folder.join("..data"), house.folder.join("..next"));
    let _ = std::fs::remove_file(&next);
    std::os::unix::fs::symlink(&folder, &next).unwrap();
    std::fs::rename(&next, &data).unwrap();
    let link = house.folder.join("mounted.yaml");
    if !link.exists() {
        std::os::unix::fs::symlink("..data/policy.yaml", link).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_of_itself_takes_new_policies_and_stops() {
    let house = House::new("stays", 1).await;
    mount(&house, 1, POLICY);
    let mut command = house.program(&["--policy", "mounted.yaml", "--policy-every", "1s"]);
    command.env("AUTOSCALE_NAME", "pod-1").env("AUTOSCALE_AUDIT", "audit.log");
    let mut running = Running::start(command).await;

    running.until("/readyz", |code, _| code == 200).await;
    assert_eq!(running.ask("GET", "/healthz").await, (200, "{\"ok\":true}".to_owned()));
    let joined = |_: u16, body: &str| {
        body.lines().any(|line| {
            line.starts_with("autoscale_instances{")
                && line.contains("state=\"serving\"")
                && line.ends_with(" 1")
        })
    };
    let metrics = running.until("/metrics", joined).await;
    for name in ["autoscale_ticks_total", "controller_info", "autoscale_tick_duration_seconds_bucket"] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    let body = running.until("/decisions?limit=50", |_, body| body.contains("\"launch\"")).await;
    let decisions: Value = serde_json::from_str(&body).unwrap();
    assert!(decisions["decisions"].as_array().unwrap().len() <= 50);
    let first = &decisions["decisions"][0];
    assert_eq!(first["rounds"][0]["explanation"]["pools"][0]["pool"], "web", "{first:#}");
    let one: Value = serde_json::from_str(&running.ask("GET", "/decisions?limit=1").await.1).unwrap();
    assert_eq!(one["decisions"].as_array().unwrap().len(), 1);

    for (method, path, code) in [
        ("POST", "/decisions", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/debug/pprof", 404),
        ("GET", "/decisions?limit=0", 400),
        ("GET", "/decisions?limit=x", 400),
    ] {
        assert_eq!(running.ask(method, path).await.0, code, "{method} {path}");
    }
    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    assert_eq!(running.send(&long).await.0, 431, "a long request is refused");

    mount(&house, 2, &POLICY.replace("min: 1", "min: 9"));
    let refused = |_: u16, body: &str| body.contains("\ncontroller_policy_refused 1\n");
    running.until("/metrics", refused).await;
    let body = running.ask("GET", "/decisions").await.1;
    assert!(body.contains("expected at most max, which is 3"), "{body}");
    assert_eq!(running.ask("GET", "/readyz").await.0, 200, "the last good policy is at work");

    mount(&house, 3, &POLICY.replace("cluster: shop", "cluster: other"));
    running.until("/decisions", |_, body| body.contains("as long as this process runs")).await;

    mount(&house, 4, &POLICY.replace("min: 1", "min: 2"));
    running.until("/metrics", |_, body| body.contains("\ncontroller_policy_refused 0\n")).await;
    let two = |_: u16, body: &str| {
        body.lines().any(|line| line.starts_with("autoscale_wanted_nodes{") && line.ends_with(" 2"))
    };
    running.until("/metrics", two).await;

    let pid = running.child.id().unwrap().to_string();
    let begun = Instant::now();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, running.child.wait()).await.expect("it stops").unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(40), "as --stop-within says");
    assert_eq!(house.record().unwrap()["lease"], Value::Null, "its lease is given back");
    let logs = running.logs.await.unwrap();
    let said = |message: &str| logs.iter().any(|log| log["message"] == message);
    assert!(said("ends") && said("a new version of the policy counts from now on"), "{logs:#?}");
    let audit = std::fs::read_to_string(house.folder.join("audit.log")).unwrap();
    assert!(audit.lines().count() >= 2, "ticks are in the audit log");
}
