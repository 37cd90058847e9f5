//! The manifests: they say what the program understands, they fit together, and they allow what the library's rules allow.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use autoscale_core::data::policy::Policy;
use autoscale_core::words::Span;
use clap::{Arg, ArgAction, CommandFactory, Parser};
use controller::args::{Args, Options};
#[cfg(all(feature = "aws", feature = "azure"))]
use controller::provider::{aws::AwsSettings, azure::AzureSettings};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document of a folder of the manifests, with the name of its file.
fn folder(name: &str) -> Vec<(String, Value)> {
    folder_at(&Path::new("manifests").join(name))
}

fn folder_at(path: &Path) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root().join(path)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            all.extend(documents(&path).into_iter().map(|document| (file.clone(), document)));
        }
    }
    all
}

fn one<'a>(all: &'a [(String, Value)], kind: &str, name: &str) -> &'a Value {
    let found = all.iter().find(|(_, one)| one["kind"] == kind && one["metadata"]["name"] == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name}")).1
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// The container, and its environment; what comes from fields of the pod has a value of its kind.
fn container(all: &[(String, Value)]) -> (&Value, BTreeMap<String, String>) {
    let container = &one(all, "Deployment", "autoscale")["spec"]["template"]["spec"]["containers"][0];
    (container, environment(container))
}

fn environment(container: &Value) -> BTreeMap<String, String> {
    let value = |env: &Value| {
        let field = env["valueFrom"]["fieldRef"]["fieldPath"].as_str();
        let value = field.map(|field| match field {
            "metadata.namespace" => "autoscale",
            "metadata.name" => "autoscale-5d4f-x",
            "spec.nodeName" => "worker-1",
            other => panic!("{other}"),
        });
        (env["name"].as_str().unwrap().to_owned(), value.or(env["value"].as_str()).unwrap().to_owned())
    };
    container["env"].as_array().unwrap().iter().map(value).collect()
}

/// The options that an environment means: each variable has to be one.
fn options(env: &BTreeMap<String, String>) -> Options {
    let command = Args::command();
    let known: BTreeMap<String, &Arg> =
        command.get_arguments().filter_map(|arg| Some((arg.get_env()?.to_str()?.to_owned(), arg))).collect();
    let mut line = vec!["controller".to_owned()];
    for (name, value) in env {
        let arg = known.get(name).unwrap_or_else(|| panic!("no option reads {name}"));
        let flag = arg.get_long().unwrap();
        match arg.get_action() {
            ArgAction::SetTrue if value == "true" => line.push(format!("--{flag}")),
            _ => line.push(format!("--{flag}={value}")),
        }
    }
    Args::try_parse_from(line).unwrap().options
}

#[test]
fn what_is_applied_is_what_is_there() {
    for name in ["manifests", "manifests/guard", "manifests/node-agent", "overlays/aws", "overlays/azure"] {
        let path = Path::new(name);
        let whole = &documents(&root().join(path).join("kustomization.yaml"))[0];
        let mut listed: BTreeSet<String> = texts(&whole["resources"]).into_iter().collect();
        let patches = whole["patches"].as_array().into_iter().flatten();
        listed.extend(patches.map(|patch| patch["path"].as_str().unwrap().to_owned()));
        for folder in listed.iter().filter(|one| one.starts_with("..")) {
            assert!(root().join(path).join(folder).join("kustomization.yaml").exists(), "{name}: {folder}");
        }
        let there: BTreeSet<String> = folder_at(path).into_iter().map(|(file, _)| file).collect();
        assert_eq!(
            there.into_iter().filter(|file| file != "kustomization.yaml").collect::<BTreeSet<_>>(),
            listed.into_iter().filter(|one| !one.starts_with("..")).collect(),
            "{name}"
        );
    }
}

#[test]
fn the_guard_is_that_of_the_library_for_this_account() {
    let ours = documents(&root().join("manifests/guard/admission-policy.yaml"));
    let text =
        std::fs::read_to_string(root().join("../../autoscale-kube/rbac/admission-policy.yaml")).unwrap();
    let account = one(&folder(""), "ServiceAccount", "autoscale")["metadata"]["namespace"].clone();
    let user = format!("system:serviceaccount:{}:autoscale", account.as_str().unwrap());
    let text = text.replace("system:serviceaccount:kube-system:autoscale", &user);
    assert!(text.contains(&user));
    assert_eq!(ours, serde_saphyr::from_multiple::<Value>(&text).unwrap());
}

#[test]
fn the_program_understands_its_environment() {
    let all = folder("");
    let (container, env) = container(&all);
    assert!(container.get("args").is_none(), "an option is nowhere but in the environment");
    let options = options(&env);
    let port = container["ports"][0]["containerPort"].as_u64().unwrap();
    assert_eq!(u64::from(options.listen.port()), port);
    assert!(options.listen.ip().is_unspecified(), "probes come from outside of the pod");
    assert!(!options.dry_run && !options.once);
    let grace =
        one(&all, "Deployment", "autoscale")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap();
    assert!(options.stop_within < Span::from_secs(grace));

    let config = one(&all, "ConfigMap", "autoscale-policy");
    let path = options.policy.unwrap();
    let (folder, file) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
    let policy = Policy::from_yaml(config["data"][file].as_str().unwrap()).unwrap();
    assert_eq!(Some(policy.cluster()), options.cluster.as_ref());
    // A stop waits for the tick under way, which a sensible limit bounds.
    assert!(policy.tick().limit < options.stop_within);
    let mounts = container["volumeMounts"].as_array().unwrap();
    let volume = |path: &Path| {
        let mount =
            mounts.iter().find(|mount| Path::new(mount["mountPath"].as_str().unwrap()) == path).unwrap();
        let spec = &one(&all, "Deployment", "autoscale")["spec"]["template"]["spec"];
        let volumes = spec["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap().clone()
    };
    assert_eq!(volume(folder)["configMap"]["name"], "autoscale-policy");
    assert!(volume(options.audit.unwrap().parent().unwrap())["emptyDir"].is_object());
    let lease = one(&all, "Lease", &options.lease);
    assert_eq!(lease["metadata"]["namespace"], "autoscale");
    let role = one(&all, "Role", "autoscale-record");
    assert_eq!(texts(&role["rules"][0]["resourceNames"]), [options.lease]);
}

#[test]
fn labels_names_and_namespaces_agree() {
    let all: Vec<_> = folder("").into_iter().chain(folder("sim")).collect();
    let labels = json!({"app.kubernetes.io/name": "autoscale"});
    let deployment = &one(&all, "Deployment", "autoscale")["spec"];
    let pod = &deployment["template"]["spec"];
    for (what, found) in [
        ("selector", &deployment["selector"]["matchLabels"]),
        ("template", &deployment["template"]["metadata"]["labels"]),
        ("spread", &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]),
        ("budget", &one(&all, "PodDisruptionBudget", "autoscale")["spec"]["selector"]["matchLabels"]),
        ("service", &one(&all, "Service", "autoscale")["spec"]["selector"]),
    ] {
        assert_eq!(*found, labels, "{what}");
    }
    assert!(deployment["replicas"].as_u64() >= Some(2));
    let account = &pod["serviceAccountName"];
    one(&all, "ServiceAccount", account.as_str().unwrap());
    for (file, document) in &all {
        let (kind, name) = (document["kind"].as_str().unwrap(), &document["metadata"]["name"]);
        let global = ["ClusterRole", "ClusterRoleBinding", "Namespace", "Kustomization"].contains(&kind);
        let namespace = document["metadata"].get("namespace");
        assert_eq!(namespace.is_none(), global, "{file}: {kind} {name}");
        assert!(namespace.is_none_or(|namespace| namespace == "autoscale"), "{file}: {kind} {name}");
        if kind.ends_with("Binding") {
            let subject = json!([{"kind": "ServiceAccount", "name": account, "namespace": "autoscale"}]);
            assert_eq!(document["subjects"], subject, "{file}");
            let role = &document["roleRef"];
            one(&all, role["kind"].as_str().unwrap(), role["name"].as_str().unwrap());
        }
    }
    let service = &one(&all, "Service", "autoscale")["spec"]["ports"][0];
    assert_eq!(service["targetPort"], pod["containers"][0]["ports"][0]["name"]);
}

#[test]
fn the_pod_is_restricted_and_probed() {
    let all = folder("");
    let pod = &one(&all, "Deployment", "autoscale")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for (expected, found) in [
        (json!(true), &pod["securityContext"]["runAsNonRoot"]),
        (json!("RuntimeDefault"), &pod["securityContext"]["seccompProfile"]["type"]),
        (json!(false), &container["securityContext"]["allowPrivilegeEscalation"]),
        (json!(true), &container["securityContext"]["readOnlyRootFilesystem"]),
        (json!(["ALL"]), &container["securityContext"]["capabilities"]["drop"]),
        (json!("/readyz"), &container["readinessProbe"]["httpGet"]["path"]),
        (json!("/healthz"), &container["livenessProbe"]["httpGet"]["path"]),
        (container["ports"][0]["name"].clone(), &container["livenessProbe"]["httpGet"]["port"]),
        (container["ports"][0]["name"].clone(), &container["readinessProbe"]["httpGet"]["port"]),
    ] {
        assert_eq!(*found, expected);
    }
    let user = pod["securityContext"]["runAsUser"].as_u64().unwrap();
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    assert!(user > 0 && dockerfile.contains(&format!("\nUSER {user}:{user}\n")));
    for kind in ["requests", "limits"] {
        assert!(container["resources"][kind]["memory"].is_string(), "{kind}");
    }
}

#[test]
fn rights_are_those_of_the_library() {
    let kube = root().join("../../autoscale-kube/rbac");
    let all = folder("");
    for (file, kind, name) in [
        ("cluster-role.yaml", "ClusterRole", "autoscale"),
        ("watch-role.yaml", "ClusterRole", "autoscale-watch"),
        ("events-role.yaml", "ClusterRole", "autoscale-events"),
        ("lease-role.yaml", "Role", "autoscale-record"),
    ] {
        let theirs = &documents(&kube.join(file))[0]["rules"];
        assert_eq!(&one(&all, kind, name)["rules"], theirs, "{file}");
    }
    let agent = folder("node-agent");
    let rules = &one(&agent, "ClusterRole", "autoscale-node-agent")["rules"];
    assert_eq!(*rules, json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}]));
    for (file, document) in all.iter().chain(&folder("sim")).chain(&agent) {
        for rule in document["rules"].as_array().into_iter().flatten() {
            let text = rule.to_string();
            assert!(!text.contains("\"*\"") && !text.contains("secrets"), "{file}: {text}");
        }
    }
}

/// An overlay over what it patches: the environment and the files of the pod.
#[cfg(all(feature = "aws", feature = "azure"))]
#[test]
fn the_program_understands_each_overlay() {
    use controller::args::ProviderName;
    for (name, provider) in [("aws", ProviderName::Aws), ("azure", ProviderName::Azure)] {
        let (base, over) = (folder(""), folder_at(&Path::new("overlays").join(name)));
        let (_, mut env) = container(&base);
        let (patch, changed) = container(&over);
        env.extend(changed);
        let options = options(&env);
        assert_eq!(options.provider, Some(provider));
        let config = one(&over, "ConfigMap", "autoscale-policy");
        let policy = Policy::from_yaml(config["data"]["policy.yaml"].as_str().unwrap()).unwrap();
        assert_eq!(Some(policy.cluster()), options.cluster.as_ref(), "{name}");
        assert!(policy.tick().limit < options.stop_within, "{name}");
        let place = options.aws.region.clone().or(options.azure.location.clone()).unwrap();
        for zone in policy.pools().values().flat_map(|pool| &pool.zones) {
            assert!(zone.as_str().starts_with(&place), "{name}: {zone} is not in {place}");
        }
        let account = one(&over, "ServiceAccount", "autoscale");
        assert!(account["metadata"]["annotations"].is_object(), "{name}");
        match provider {
            ProviderName::Aws => drop(AwsSettings::new(&options.aws, Some(&policy)).unwrap()),
            _ => {
                // Its key is a file of the pod.
                let path = options.azure.admin_key_file.clone().unwrap();
                let mount = &patch["volumeMounts"][0];
                assert_eq!(Path::new(mount["mountPath"].as_str().unwrap()), path.parent().unwrap());
                let machines = one(&over, "ConfigMap", "autoscale-machines");
                let key = machines["data"][path.file_name().unwrap().to_str().unwrap()].as_str().unwrap();
                let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("overlay-admin.pub");
                std::fs::write(&file, key).unwrap();
                let mut azure = options.azure.clone();
                (azure.admin_key_file, azure.identity) = (Some(file), Some("managed".to_owned()));
                AzureSettings::new(&azure, Some(&policy)).unwrap();
            }
        }
    }
}

#[cfg(feature = "azure")]
#[test]
fn the_agent_is_as_poor_as_can_be() {
    let all = folder("node-agent");
    let set = &one(&all, "DaemonSet", "autoscale-node-agent")["spec"];
    let (pod, labels) = (&set["template"]["spec"], json!({"app.kubernetes.io/name": "autoscale-node-agent"}));
    assert_eq!((&set["selector"]["matchLabels"], &set["template"]["metadata"]["labels"]), (&labels, &labels));
    let container = &pod["containers"][0];
    let options = options(&environment(container));
    assert!(options.agent.node_agent && options.policy.is_none() && options.provider.is_none());
    let settings = controller::agent::AgentSettings::new(&options.agent).unwrap();
    assert_eq!(settings.name.as_str(), "worker-1");
    for (expected, found) in [
        (json!(true), &pod["securityContext"]["runAsNonRoot"]),
        (json!("RuntimeDefault"), &pod["securityContext"]["seccompProfile"]["type"]),
        (json!(false), &container["securityContext"]["allowPrivilegeEscalation"]),
        (json!(true), &container["securityContext"]["readOnlyRootFilesystem"]),
        (json!(["ALL"]), &container["securityContext"]["capabilities"]["drop"]),
        (json!("/readyz"), &container["readinessProbe"]["httpGet"]["path"]),
        (json!("/healthz"), &container["livenessProbe"]["httpGet"]["path"]),
        (json!(u64::from(options.listen.port())), &container["ports"][0]["containerPort"]),
    ] {
        assert_eq!(*found, expected);
    }
    for absent in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
        assert!(pod.get(absent).is_none(), "{absent}");
    }
    assert!(container.get("volumeMounts").is_none());
    // Its account is one of its own, and the guard and the role are that account's.
    let account = pod["serviceAccountName"].as_str().unwrap();
    one(&all, "ServiceAccount", account);
    assert_ne!(account, "autoscale");
    let binding = one(&all, "ClusterRoleBinding", account);
    let subject = json!([{"kind": "ServiceAccount", "name": account, "namespace": "autoscale"}]);
    assert_eq!(binding["subjects"], subject);
    assert_eq!(binding["roleRef"]["name"], one(&all, "ClusterRole", account)["metadata"]["name"]);
    let guard = one(&all, "ValidatingAdmissionPolicy", account);
    let condition = guard["spec"]["matchConditions"][0]["expression"].as_str().unwrap();
    assert!(condition.contains(&format!("'system:serviceaccount:autoscale:{account}'")), "{condition}");
    assert!(guard.to_string().contains(controller::notices::marks::ANNOUNCED));
    // Where the controller's own image runs.
    let controllers = folder("");
    assert_eq!(container["image"], self::container(&controllers).0["image"]);
}

#[test]
fn the_sample_speaks_of_requests_and_of_the_policys_pool() {
    let (all, sample) = (folder(""), folder("sample"));
    let workload = &one(&sample, "Deployment", "sample")["spec"];
    let scaler = &one(&sample, "HorizontalPodAutoscaler", "sample")["spec"];
    assert_eq!(scaler["scaleTargetRef"]["name"], "sample");
    assert!(workload.get("replicas").is_none(), "the number is the HorizontalPodAutoscaler's");
    for container in workload["template"]["spec"]["containers"].as_array().unwrap() {
        assert!(container["resources"]["requests"]["cpu"].is_string());
    }
    let config = one(&all, "ConfigMap", "autoscale-policy");
    let policy = Policy::from_yaml(config["data"]["policy.yaml"].as_str().unwrap()).unwrap();
    let pool = workload["template"]["spec"]["nodeSelector"]["autoscale.local/pool"].as_str().unwrap();
    assert!(policy.pools().contains_key(pool));
}

#[test]
fn the_readme_names_every_option_and_metric() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for arg in Args::command().get_arguments() {
        let (Some(flag), Some(env)) = (arg.get_long(), arg.get_env()) else { continue };
        let row = format!("| `--{flag}` | `{}` |", env.to_str().unwrap());
        assert!(readme.contains(&row), "{row}");
    }
    let source = std::fs::read_to_string(root().join("src/telemetry.rs")).unwrap();
    for part in source.split("describe_").skip(1) {
        let name = part.split('"').nth(1).unwrap();
        assert!(readme.contains(name), "{name}");
    }
    for command in Args::command().get_subcommands() {
        assert!(readme.contains(&format!("controller {}", command.get_name())), "{}", command.get_name());
    }
}
