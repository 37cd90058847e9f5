//! Machines join by the script that they are given: what it registers is what the function sees.

use std::process::{Command, Stdio};

use autoscale_kube::fake::NodeSpec;
use serde_json::{Value, json};

use crate::house::House;

/// Runs `bootstrap/join.sh` with the stand-ins of its own tests, on a machine with these tags and facts.
const RUN: &str = r#"
import importlib.util, json, pathlib, sys
path = pathlib.Path(sys.argv[1], "bootstrap", "test.py")
spec = importlib.util.spec_from_file_location("join_test", path)
join = importlib.util.module_from_spec(spec)
spec.loader.exec_module(join)
asked = json.load(sys.stdin)
machine = join.Machine(tags=asked["tags"], facts=asked["facts"], document=asked["document"])
if machine.start() != 0:
    sys.exit(machine.said)
print(json.dumps(machine.joined()))
join.tearDownModule()
"#;

/// What k3s is configured with on a machine. `None` where there is no Python or bash, which is said; a failure where `CI` is set.
fn joined(ask: &Value) -> Option<Value> {
    let there = |tool: &str| {
        Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    if !there("python3") || !there("bash") {
        assert!(std::env::var_os("CI").is_none(), "python3 or bash is not installed");
        println!("skipped: python3 or bash is not installed");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-I", "-B", "-c", RUN, env!("CARGO_MANIFEST_DIR")]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), ask).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn node(config: &Value) -> NodeSpec {
    let texts = |key: &str| -> Vec<String> {
        config[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let provider =
        texts("kubelet-arg").into_iter().find_map(|arg| Some(arg.strip_prefix("provider-id=")?.to_owned()));
    let mut node = NodeSpec::new(config["node-name"].as_str().unwrap()).with_provider_id(provider.unwrap());
    for label in texts("node-label") {
        let (key, value) = label.split_once('=').unwrap();
        node = node.with_label(key, value);
    }
    assert!(texts("node-taint").is_empty());
    node.with_allocatable("cpu", "1930m")
}

#[tokio::test(start_paused = true)]
async fn the_node_that_the_script_registers_is_the_one_that_joins() {
    let house = House::new().await;
    house.pass_alone().await;
    assert_eq!(house.invoke(&crate::house::schedule()).await.unwrap().orders, 1);
    house.pass_alone().await;
    let (id, tags) = {
        let state = house.ec2.service.lock();
        let machine = state.machines.iter().find(|machine| !machine.token.is_empty()).unwrap();
        (machine.id.clone(), machine.tags.clone())
    };
    let worker = house.running().remove(0);
    let life = if worker.spot { "spot" } else { "on-demand" };
    let tags: serde_json::Map<String, Value> =
        tags.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
    let ask = json!({
        "tags": tags,
        "facts": {"instance-id": id, "placement/availability-zone": worker.zone, "instance-type": "m6i.large",
            "instance-life-cycle": life},
        "document": {"cluster": "shop", "labels": {}, "taints": []},
    });
    let Some(config) = joined(&ask) else { return };
    let serving = |house: &House| {
        let told = house.told.lock().unwrap();
        let mut instances = told.iter().rev().filter(|line| line["autoscale_instances"].is_number());
        instances.find(|line| line["state"] == "serving").map(|line| line["autoscale_instances"].clone())
    };
    house.invoke(&crate::house::schedule()).await.unwrap();
    assert_eq!(serving(&house), Some(json!(0.0)), "serving before its node is there");
    house.server.add_node(node(&config));
    house.pass_alone().await;
    house.invoke(&crate::house::schedule()).await.unwrap();
    assert_eq!(serving(&house), Some(json!(1.0)), "{config}");
    // Nothing is open, and nothing more is bought.
    for _ in 0..10 {
        house.pass_alone().await;
        assert_eq!(house.invoke(&crate::house::schedule()).await.unwrap().orders, 0);
    }
    assert_eq!(house.machines().len(), 1);
}
