//! The environment: what is missing and what is wrong is said at once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use k3s_lambda::settings::{PolicyPlace, Settings, StatePlace};

/// As the reference system has it.
const GOOD: [(&str, &str); 19] = [
    ("CPU_UP", "70"),
    ("MIN_WORKERS", "2"),
    ("MASTER_TAG_KEY", "k3s-role"),
    ("MASTER_TAG_VALUE", "master"),
    ("WORKER_TAG_KEY", "k3s-role"),
    ("WORKER_TAG_VALUE", "worker"),
    ("CLUSTER_TAG_KEY", "k3s-cluster"),
    ("CLUSTER_TAG_VALUE", "shop"),
    ("WORKER_SUBNET_IDS", "subnet-0123456789abcdef0, subnet-0123456789abcdef1"),
    ("WORKER_SG_ID", "sg-0123456789abcdef0"),
    ("WORKER_INSTANCE_PROFILE", "k3s-worker"),
    ("WORKER_KEY_NAME", "ops"),
    ("WORKER_AMI_ID", "ami-0123456789abcdef0"),
    ("WORKER_INSTANCE_TYPE", "m6i.large"),
    ("K3S_CLUSTER_TOKEN_PARAM", "/shop/k3s/token"),
    ("K8S_API_TOKEN_PARAM", "/shop/k8s/token"),
    ("K8S_CA_PARAM", "/shop/k8s/ca"),
    ("PROM_NODEPORT", "30090"),
    ("LOGS_TABLE", "shop-logs"),
];

fn read(changes: &[(&str, &str)]) -> Result<Settings, String> {
    let mut variables: BTreeMap<&str, &str> = GOOD.into();
    variables.insert("STATE_TABLE", "shop-state");
    variables.extend(changes.iter().copied());
    let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Settings::from_env(&lookup).map_err(|bad| bad.to_string())
}

#[test]
fn the_reference_is_enough() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.cluster.as_str(), "shop");
    assert_eq!(settings.state, StatePlace::Table("shop-state".to_owned()));
    let tags = [("k3s-role", "master"), ("k3s-cluster", "shop")];
    assert_eq!(settings.master, tags.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!((settings.prometheus.port, settings.prometheus.insecure), (30_090, false));
    let PolicyPlace::Variables(pool) = settings.policy else { panic!("{:?}", settings.policy) };
    assert_eq!((pool.name.as_str(), pool.instance_type.as_str(), pool.pods), ("workers", "m6i.large", 110));
}

#[test]
fn everything_that_is_missing_is_said_at_once() {
    let nothing = Settings::from_env(&|_| None).unwrap_err().to_string();
    let named: Vec<&str> = nothing.lines().map(|line| line.split(':').next().unwrap()).collect();
    let expected = [
        "MASTER_TAG_KEY",
        "MASTER_TAG_VALUE",
        "WORKER_TAG_KEY",
        "WORKER_TAG_VALUE",
        "CLUSTER_TAG_KEY",
        "CLUSTER_TAG_VALUE",
        "WORKER_SUBNET_IDS",
        "WORKER_SG_ID",
        "WORKER_AMI_ID",
        "WORKER_INSTANCE_TYPE",
        "STATE_TABLE",
        "LOGS_TABLE",
        "K8S_API_TOKEN_PARAM",
        "K8S_CA_PARAM",
        "K3S_CLUSTER_TOKEN_PARAM",
        "PROM_NODEPORT",
    ];
    assert_eq!(named, expected, "{nothing}");
    assert!(nothing.lines().all(|line| line.contains("missing: expected ")), "{nothing}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let wrong = [
        ("CLUSTER_TAG_VALUE", "The Shop"),
        ("WORKER_SUBNET_IDS", "subnet-0123456789abcdef0,net"),
        ("WORKER_SG_ID", "default"),
        ("WORKER_AMI_ID", "ubuntu"),
        ("WORKER_CPU_MILLI", "many"),
        ("WORKER_PURCHASES", "spot,stolen"),
        ("PROM_NODEPORT", "0"),
        ("PROM_INSECURE", "yes"),
        ("STATE_S3", "s3://shop/records"),
        ("LOGS_TABLE", "a b"),
        ("K8S_API_TOKEN_PARAM", "eyJhbGci canary"),
        ("EMF_METRICS", "autoscale_ticks_total,cpu"),
        ("LOG", "autoscale_core=loud"),
    ];
    let errors = read(&wrong).unwrap_err();
    for (name, _) in wrong {
        assert!(errors.lines().any(|line| line.starts_with(&format!("{name}: "))), "{name}: {errors}");
    }
    assert!(!errors.contains("canary"), "what may be a secret is shown: {errors}");
}

#[test]
fn one_source_of_the_policy_and_one_token_each() {
    let document = [("POLICY", "version: 1"), ("POLICY_S3", "s3://shop/policy.yaml")];
    let errors = read(&document).unwrap_err();
    for name in ["POLICY_S3", "CPU_UP", "MIN_WORKERS", "WORKER_INSTANCE_TYPE"] {
        assert!(errors.contains(&format!("{name}: set beside POLICY")), "{name}: {errors}");
    }
    let errors = read(&[("K3S_CLUSTER_TOKEN_PARAM", "/shop/k8s/token")]).unwrap_err();
    assert!(errors.contains("must not be able to read it"), "{errors}");
    let errors = read(&[("WORKER_TAG_VALUE", "master")]).unwrap_err();
    assert!(errors.contains("a tag that workers do not carry"), "{errors}");
}
