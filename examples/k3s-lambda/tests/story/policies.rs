//! Where the policy comes from, and what is said of one that cannot be used.

use autoscale_core::words::PoolName;
use k3s_lambda::command::{Command, Exit};

use crate::house::House;

pub(crate) const DOCUMENT: &str = "
version: 1
cluster: shop
pools:
  web:
    min: 3
    max: 5
    zones: [eu-central-1a, eu-central-1b]
    shape: { name: m6i.large, cpu: 1930m, memory: 7Gi, pods: 110 }
";

/// The pool's variables are not there when a document is.
pub(crate) const NONE: [(&str, &str); 11] = [
    ("MIN_WORKERS", ""),
    ("MAX_WORKERS", ""),
    ("PENDING_UP_SEC", ""),
    ("CPU_UP", ""),
    ("CPU_DOWN", ""),
    ("IDLE_DOWN_SEC", ""),
    ("COOLDOWN_UP_SEC", ""),
    ("COOLDOWN_DOWN_SEC", ""),
    ("JOIN_TIMEOUT_SEC", ""),
    ("DRAIN_TIMEOUT_SEC", ""),
    ("WORKER_INSTANCE_TYPE", ""),
];

#[tokio::test(start_paused = true)]
async fn a_document_in_a_parameter_or_a_variable() {
    let mut house = House::new().await;
    let with = |more: &[(&'static str, &'static str)]| [&NONE, more].concat();
    let missing =
        house.function_with(&with(&[("POLICY_PARAM", "/shop/policy")])).await.unwrap_err().to_string();
    assert!(missing.starts_with("POLICY_PARAM: "), "{missing}");
    let parameters = &house.parameters.service.0;
    parameters.lock().unwrap().insert("/shop/policy".to_owned(), DOCUMENT.to_owned());
    for variable in [("POLICY_PARAM", "/shop/policy"), ("POLICY", DOCUMENT)] {
        let function = house.function_with(&with(&[variable])).await.unwrap();
        let pools: Vec<&str> = function.setup().policy.pools().keys().map(PoolName::as_str).collect();
        assert_eq!(pools, ["web"], "{variable:?}");
    }
    house.function = house.function_with(&with(&[("POLICY_PARAM", "/shop/policy")])).await.unwrap();
    house.until("three workers", 12, |house| house.running().len() == 3).await;
    let state = house.ec2.service.lock();
    let pool = ("asc:pool".to_owned(), "web".to_owned());
    let ours = state.machines.iter().filter(|machine| !machine.token.is_empty());
    assert!(ours.clone().count() == 3 && ours.clone().all(|machine| machine.tags.contains(&pool)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_refused_by_its_variable() {
    let house = House::new().await;
    let other = DOCUMENT.replace("cluster: shop", "cluster: other");
    let broken = DOCUMENT.replace("min: 3", "min: many");
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("WORKER_SUBNET_IDS", "subnet-0000000a,subnet-0000000f")], "WORKER_SUBNET_IDS: "),
        // The EC2 of this test knows no types.
        (
            &[("WORKER_CPU_MILLI", ""), ("WORKER_MEMORY_MIB", "")],
            "WORKER_INSTANCE_TYPE: \"m6i.large\": expected a type of EC2",
        ),
        (&[("CPU_UP", "20")], "CPU_"),
        (&[("POLICY", &other)], "the policy's cluster: \"other\": expected shop"),
        (&[("POLICY", &broken)], "POLICY: 5:10: pools.web.min"),
    ];
    for (variables, expected) in cases {
        let document = variables.iter().any(|(name, _)| *name == "POLICY");
        let variables = [variables, if document { &NONE } else { &[] }].concat();
        let said = house.function_with(&variables).await.unwrap_err().to_string();
        assert!(said.contains(expected), "{variables:?}: {said}");
    }
    assert_eq!(house.ec2.sent("RunInstances"), 0);
}

#[tokio::test(start_paused = true)]
async fn check_asks_everything_and_changes_nothing() {
    let house = House::new().await;
    let check = async || {
        let mut out = Vec::new();
        let exit = Command::Check.run(house.function.setup(), &mut out).await.unwrap();
        (exit, String::from_utf8(out).unwrap())
    };
    let (exit, said) = check().await;
    // The DynamoDB of this test describes no tables: that is said, and the rest is asked all the same.
    assert_eq!(exit, Exit::Failed);
    for what in [
        "the record's table: ",
        "the audit log's table: ",
        "EC2: well",
        "the master and the Kubernetes API: well",
    ] {
        assert!(said.lines().any(|line| line.starts_with(what)), "{what}: {said}");
    }
    house.ec2.service.lock().machines[0].tags.clear();
    house.ec2.service.lock().forbidden.insert("RunInstances");
    // For so long the address is believed.
    for _ in 0..3 {
        house.pass_alone().await;
    }
    let (_, said) = check().await;
    assert!(said.contains("EC2: ") && said.contains("ec2:RunInstances"), "{said}");
    assert!(said.contains("find the master, tagged k3s-role=master and k3s-cluster=shop"), "{said}");
    // Two ways to buy in the first zone, one in the other: none is left out.
    assert_eq!(said.matches("(denied: ec2:RunInstances)").count(), 3, "{said}");
    assert!(house.machines().is_empty() && house.tables.service.items("state").is_empty());
}
