//! From variables to settings.

use autoscale_aws::ec2::Ec2Config;
use autoscale_aws::s3::S3Place;
use autoscale_core::data::policy::Purchase;
use autoscale_core::words::{ClusterId, ConfigError, PoolName};

use super::{Lookup, PolicyPlace, PoolSettings, Settings, StatePlace, Tag, Web};
use crate::bad::Bad;
use crate::policy::VARIABLES;
use crate::telemetry::SHOWN;

const API_PORT: u16 = 6_443;
const PODS: u32 = 110;
/// No token of the reference system is longer than a parameter's name may be.
const PARAMETER: &str = "the name of a parameter, like /shop/k8s/token";

/// Reads variables, and notes what is wrong with them.
pub(super) struct Reader<'l> {
    lookup: Lookup<'l>,
    bad: Bad,
}

impl<'l> Reader<'l> {
    pub(super) fn new(lookup: Lookup<'l>) -> Self {
        Self { lookup, bad: Bad::default() }
    }

    /// All of it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn settings(mut self) -> Result<Settings, Bad> {
        let master = self.tag("MASTER");
        let worker = self.tag("WORKER");
        let of_cluster = self.tag("CLUSTER");
        let cluster = self.cluster(of_cluster.as_ref());
        let ec2 = self.ec2(cluster.as_ref(), [&worker, &of_cluster], &master);
        let policy = self.policy();
        let state = self.state();
        let logs = self.table("LOGS_TABLE");
        let api_token = self.parameter("K8S_API_TOKEN_PARAM");
        let api_ca = self.parameter("K8S_CA_PARAM");
        let api_port = self.port("K8S_API_PORT", Some(API_PORT));
        // Who joins reads it; this program must not, and never does.
        let join = self.parameter("K3S_CLUSTER_TOKEN_PARAM");
        if join.is_some() && join == api_token {
            let expected =
                "another parameter than K8S_API_TOKEN_PARAM: this function must not be able to read it";
            self.bad.add(Bad::setting("K3S_CLUSTER_TOKEN_PARAM", &join.unwrap_or_default(), expected));
        }
        let port = self.port("PROM_NODEPORT", None);
        let insecure = self.flag("PROM_INSECURE");
        let prometheus_ca = self.text("PROM_CA_PARAM").and_then(|name| self.named("PROM_CA_PARAM", name));
        let prometheus_login =
            self.text("PROM_LOGIN_PARAM").and_then(|name| self.named("PROM_LOGIN_PARAM", name));
        let pushgateway =
            self.text("PUSHGATEWAY_NODEPORT").and_then(|_| self.port("PUSHGATEWAY_NODEPORT", None));
        let pool_label = self.text("POOL_LABEL").unwrap_or_else(|| "autoscale.local/pool".to_owned());
        let series_label = self.text("PROM_POOL_LABEL").unwrap_or_else(|| "pool".to_owned());
        let emf = self.emf();
        let partial_batches = self.flag("QUEUE_PARTIAL_FAILURES");
        let log = self.log();
        self.bad.into_result()?;
        // Whatever is not there has been said above.
        let settings = || {
            Some(Settings {
                cluster: cluster?,
                master: vec![master?, of_cluster?],
                ec2: ec2?,
                policy: policy?,
                state: state?,
                logs: logs?,
                api_token: api_token?,
                api_ca: api_ca?,
                api_port: api_port?,
                prometheus: Web { port: port?, insecure },
                prometheus_ca,
                prometheus_login,
                pushgateway: pushgateway.map(|port| Web { port, insecure }),
                pool_label,
                series_label,
                emf,
                partial_batches,
                log,
            })
        };
        settings().ok_or_else(|| Bad::of("not enough was set"))
    }

    /// A variable that says something.
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn required(&mut self, name: &str, expected: &str) -> Option<String> {
        let found = self.text(name);
        if found.is_none() {
            self.bad.add(Bad::missing(name, expected));
        }
        found
    }

    fn tag(&mut self, which: &str) -> Option<Tag> {
        let key = self.required(&format!("{which}_TAG_KEY"), "the key of a tag");
        let value = self.required(&format!("{which}_TAG_VALUE"), "the value of a tag");
        Some((key?, value?))
    }

    fn cluster(&mut self, tag: Option<&Tag>) -> Option<ClusterId> {
        let (name, text) = match self.text("CLUSTER_ID") {
            Some(id) => ("CLUSTER_ID", id),
            None => ("CLUSTER_TAG_VALUE", tag?.1.clone()),
        };
        let id = ClusterId::new(&text).map_err(|error| {
            Bad::setting(name, &text, format!("an id of a cluster: {error}; CLUSTER_ID may name another"))
        });
        self.bad.take(id)
    }

    fn table(&mut self, name: &str) -> Option<String> {
        let table = self.required(name, "the name of a DynamoDB table")?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b);
        if (3..=1_024).contains(&table.len()) && table.bytes().all(allowed) {
            return Some(table);
        }
        self.bad.add(Bad::setting(name, &table, "the name or the ARN of a DynamoDB table"));
        None
    }

    fn state(&mut self) -> Option<StatePlace> {
        match (self.text("STATE_TABLE"), self.text("STATE_S3")) {
            (Some(_), Some(place)) => {
                self.bad.add(Bad::setting(
                    "STATE_S3",
                    &place,
                    "nothing beside STATE_TABLE: one record has one place",
                ));
                None
            }
            (None, Some(place)) => self.place("STATE_S3", &place).map(StatePlace::S3),
            _ => self.table("STATE_TABLE").map(StatePlace::Table),
        }
    }

    fn place(&mut self, name: &str, text: &str) -> Option<S3Place> {
        let place = S3Place::parse(text).ok_or_else(|| Bad::setting(name, text, "s3://bucket/path"));
        self.bad.take(place)
    }

    fn parameter(&mut self, name: &str) -> Option<String> {
        let value = self.required(name, PARAMETER)?;
        self.named(name, value)
    }

    fn named(&mut self, name: &str, value: String) -> Option<String> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/:".contains(&b);
        if value.len() <= 2_048 && value.bytes().all(allowed) {
            return Some(value);
        }
        // Somebody may have put the secret itself there.
        self.bad.add(Bad::of(format!("{name}: (not shown): expected {PARAMETER}")));
        None
    }

    fn port(&mut self, name: &str, default: Option<u16>) -> Option<u16> {
        let expected = "a port from 1 to 65535";
        let Some(text) = self.text(name) else {
            if default.is_none() {
                self.bad.add(Bad::missing(name, expected));
            }
            return default;
        };
        let port = text.parse().ok().filter(|port| *port > 0);
        if port.is_none() {
            self.bad.add(Bad::setting(name, &text, expected));
        }
        port
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.bad.add(Bad::setting(name, &text, expected));
        }
        number
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.text(name).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                self.bad.add(Bad::setting(name, other, "true or false"));
                false
            }
        }
    }

    fn log(&mut self) -> String {
        let log = self.text("LOG").unwrap_or_else(|| "info".to_owned());
        self.bad.take(crate::telemetry::filter(&log));
        log
    }

    fn emf(&mut self) -> Option<Vec<String>> {
        match self.text("EMF_METRICS").as_deref() {
            Some("all") => None,
            Some("none") => Some(Vec::new()),
            None => Some(SHOWN.iter().map(|name| (*name).to_owned()).collect()),
            Some(names) => {
                let known = |name: &str| {
                    autoscale_core::driver::measures::ALL.iter().any(|metric| metric.name == name)
                };
                let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
                for name in names.iter().filter(|name| !known(name)) {
                    self.bad.add(Bad::setting(
                        "EMF_METRICS",
                        name,
                        "all, none, or names of metrics of autoscale-core",
                    ));
                }
                Some(names)
            }
        }
    }

    fn policy(&mut self) -> Option<PolicyPlace> {
        let (inline, parameter, object) =
            (self.text("POLICY"), self.text("POLICY_PARAM"), self.text("POLICY_S3"));
        let documents = [("POLICY", &inline), ("POLICY_PARAM", &parameter), ("POLICY_S3", &object)];
        let given: Vec<&str> =
            documents.iter().filter(|(_, text)| text.is_some()).map(|(name, _)| *name).collect();
        let Some(document) = given.first() else { return self.pool().map(PolicyPlace::Variables) };
        for more in given.iter().skip(1) {
            self.bad.add(Bad::of(format!("{more}: set beside {document}: expected one policy")));
        }
        for name in VARIABLES.iter().chain(&["WORKER_INSTANCE_TYPE"]) {
            if self.text(name).is_some() {
                self.bad.add(Bad::of(format!("{name}: set beside {document}: expected in the policy")));
            }
        }
        match (inline, parameter, object) {
            (Some(text), _, _) => Some(PolicyPlace::Inline(text)),
            (_, Some(name), _) => self.named("POLICY_PARAM", name).map(PolicyPlace::Parameter),
            (_, _, Some(place)) => self.place("POLICY_S3", &place).map(PolicyPlace::S3),
            _ => None,
        }
    }

    fn pool(&mut self) -> Option<PoolSettings> {
        let name = self.text("POOL_NAME").unwrap_or_else(|| "workers".to_owned());
        let name = PoolName::new(&name).map_err(|error| Bad::setting("POOL_NAME", &name, error));
        let name = self.bad.take(name);
        let instance_type = self.required("WORKER_INSTANCE_TYPE", "a type of EC2, like m6i.large");
        let cpu = self.number("WORKER_CPU_MILLI", 100..=10_000_000);
        let memory = self.number("WORKER_MEMORY_MIB", 64..=100_000_000);
        if cpu.is_some() != memory.is_some() {
            self.bad
                .add(Bad::of("WORKER_CPU_MILLI and WORKER_MEMORY_MIB: one of them: expected both or none"));
        }
        let allocatable = cpu.zip(memory).map(|(cpu, mib)| (cpu, mib.saturating_mul(1 << 20)));
        let pods = self
            .number("WORKER_MAX_PODS", 1..=1_000)
            .and_then(|pods| u32::try_from(pods).ok())
            .unwrap_or(PODS);
        let purchases = self.purchases();
        let adopt = self.flag("WORKER_ADOPT");
        Some(PoolSettings { name: name?, instance_type: instance_type?, allocatable, pods, purchases, adopt })
    }

    fn purchases(&mut self) -> Vec<Purchase> {
        let Some(text) = self.text("WORKER_PURCHASES") else { return Vec::new() };
        let purchase =
            |word: &str| serde_json::from_value::<Purchase>(serde_json::Value::from(word.trim())).ok();
        let all: Option<Vec<Purchase>> = text.split(',').map(purchase).collect();
        if all.is_none() {
            self.bad.add(Bad::setting(
                "WORKER_PURCHASES",
                &text,
                "spot, on_demand, or both in the order of preference",
            ));
        }
        all.unwrap_or_default()
    }

    /// Which machines are ours, and how new ones are made. Faults carry the names of the variables.
    fn ec2(
        &mut self,
        cluster: Option<&ClusterId>,
        worker: [&Option<Tag>; 2],
        master: &Option<Tag>,
    ) -> Option<Ec2Config> {
        let subnets = self.required("WORKER_SUBNET_IDS", "subnet ids with commas between");
        let groups =
            self.required("WORKER_SG_ID", "the id of a security group, or several with commas between");
        let (image, template) = (self.text("WORKER_AMI_ID"), self.template());
        // The checks below speak of every field, also when something else is not there.
        let known = cluster.is_some();
        let stand_in = ClusterId::new("unknown").ok();
        let mut config = Ec2Config::builder(cluster.cloned().or(stand_in)?);
        let ids = |text: &str| text.split(',').map(|id| id.trim().to_owned()).collect::<Vec<_>>();
        if let Some(subnets) = &subnets {
            config = config.with_subnets(ids(subnets));
        }
        if let Some(groups) = &groups {
            config = config.with_security_groups(ids(groups));
        }
        match (image, template) {
            (Some(image), None) => config = config.with_image(image),
            (None, Some(Some((name, version)))) => config = config.with_launch_template(name, version),
            (_, Some(None)) => {}
            (Some(image), Some(_)) => {
                self.bad.add(Bad::setting(
                    "WORKER_AMI_ID",
                    &image,
                    "nothing beside WORKER_LAUNCH_TEMPLATE, which names an image",
                ));
            }
            (None, None) => {
                self.bad.add(Bad::missing(
                    "WORKER_AMI_ID",
                    "an image, or WORKER_LAUNCH_TEMPLATE=name:version instead",
                ));
            }
        }
        if let Some(profile) = self.text("WORKER_INSTANCE_PROFILE") {
            config = config.with_instance_profile(profile);
        }
        if let Some(key) = self.text("WORKER_KEY_NAME") {
            config = config.with_key_name(key);
        }
        if let Some(path) = self.text("WORKER_USER_DATA_FILE")
            && let Some(text) = self.bad.take(file("WORKER_USER_DATA_FILE", &path))
        {
            config = config.with_user_data(text);
        }
        if let Some(price) = self.text("WORKER_SPOT_MAX_PRICE") {
            config = config.with_spot_max_price(price);
        }
        for (key, value) in worker.into_iter().flatten() {
            config = config.with_worker_tag(key, value);
        }
        if let Some((key, value)) = master {
            config = config.with_control_plane_tag(key, value);
        }
        match config.build() {
            Ok(config) => known.then_some(config),
            Err(errors) => {
                // What is not there has been said already.
                let said = |error: &&ConfigError| error.field != "subnets" || subnets.is_some();
                errors.iter().filter(said).for_each(|error| self.bad.add(named(error)));
                None
            }
        }
    }

    /// A launch template as `name:version`. Inside: `None` if it is no good.
    fn template(&mut self) -> Option<Option<(String, u64)>> {
        let text = self.text("WORKER_LAUNCH_TEMPLATE")?;
        let split =
            text.rsplit_once(':').and_then(|(name, version)| Some((name.to_owned(), version.parse().ok()?)));
        if split.is_none() {
            self.bad.add(Bad::setting(
                "WORKER_LAUNCH_TEMPLATE",
                &text,
                "name:version, with a number as version",
            ));
        }
        Some(split)
    }
}

/// A fault of a field, under the name of its variable.
fn named(error: &ConfigError) -> Bad {
    let variable = match error.field.as_str() {
        "subnets" => "WORKER_SUBNET_IDS",
        "security_groups" => "WORKER_SG_ID",
        "image" => "WORKER_AMI_ID",
        "launch_template" => "WORKER_LAUNCH_TEMPLATE",
        "instance_profile" => "WORKER_INSTANCE_PROFILE",
        "key_name" => "WORKER_KEY_NAME",
        "user_data" => "WORKER_USER_DATA_FILE",
        "spot_max_price" => "WORKER_SPOT_MAX_PRICE",
        "worker_tag" => "WORKER_TAG_KEY, WORKER_TAG_VALUE, CLUSTER_TAG_KEY or CLUSTER_TAG_VALUE",
        "control_plane_tag" => "MASTER_TAG_KEY or MASTER_TAG_VALUE",
        other => other,
    };
    Bad::setting(variable, error.value.trim_matches('"'), &error.expected)
}

fn file(name: &str, path: &str) -> Result<String, Bad> {
    std::fs::read_to_string(path).map_err(|error| Bad::setting(name, path, format!("a file: {error}")))
}
