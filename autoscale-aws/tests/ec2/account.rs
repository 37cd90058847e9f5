//! EC2 as far as this crate uses it, in memory: lists lag, tokens name instances, offerings run out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use aws_sdk_ec2::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_ec2::{Client, Config};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::query::{self, Form, Tags, element, escaped, form, list};
use crate::wire::{Answer, Service, Wire};

/// One machine, as it is and as lists show it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) token: String,
    /// The request that made it, without what may differ.
    pub(crate) asked: Form,
    pub(crate) state: &'static str,
    /// The state that lists show; none before they show it at all.
    shown: Option<&'static str>,
    zone: String,
    shape: String,
    spot: bool,
    pub(crate) tags: Tags,
    protected: bool,
}

/// What happens and what there is.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) machines: Vec<Machine>,
    subnets: BTreeMap<String, String>,
    /// Zone, spot, shape.
    sold_out: BTreeSet<(String, bool, String)>,
    /// The next list has a second page, which cannot be read.
    pub(crate) cut: bool,
    /// Instances on a page.
    pub(crate) page: usize,
    /// Actions that are not permitted.
    pub(crate) forbidden: BTreeSet<&'static str>,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) ahead: i64,
}

/// The service.
#[derive(Debug)]
pub(crate) struct Account(Mutex<State>);

pub(crate) const SUBNETS: [(&str, &str); 3] = [
    ("subnet-0000000a", "eu-central-1a"),
    ("subnet-0000000b", "eu-central-1b"),
    ("subnet-0000001b", "eu-central-1b"),
];

type Refusal = (u16, &'static str, String);

fn refused<T>(code: &'static str, why: impl Into<String>) -> Result<T, Refusal> {
    Err((400, code, why.into()))
}

impl Account {
    pub(crate) fn new() -> Self {
        let subnets = SUBNETS.map(|(id, zone)| (id.to_owned(), zone.to_owned())).into();
        Self(Mutex::new(State { subnets, page: 1_000, ..State::default() }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lists catch up, machines come and go.
    pub(crate) fn settle(&self) {
        for machine in &mut self.lock().machines {
            machine.state = match machine.state {
                "pending" => "running",
                "shutting-down" => "terminated",
                state => state,
            };
            machine.shown = Some(machine.state);
        }
    }

    pub(crate) fn sell_out(&self, zone: &str, spot: bool, shape: &str) {
        self.lock().sold_out.insert((zone.to_owned(), spot, shape.to_owned()));
    }

    pub(crate) fn protect(&self, id: &str) -> bool {
        let mut state = self.lock();
        let machine = state.machines.iter_mut().find(|machine| machine.id == id);
        machine.map(|machine| machine.protected = true).is_some()
    }

    /// Adds a machine that somebody else runs.
    pub(crate) fn place(&self, tags: &[(&str, &str)]) -> String {
        let mut state = self.lock();
        let id = format!("i-{:017x}", 0xabc0_0000 + state.machines.len());
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        state.machines.push(Machine {
            id: id.clone(),
            token: String::new(),
            asked: Form::new(),
            state: "running",
            shown: Some("running"),
            zone: SUBNETS[0].1.to_owned(),
            shape: "m6i.large".to_owned(),
            spot: false,
            tags,
            protected: false,
        });
        id
    }
}

impl State {
    fn run(&mut self, form: &Form) -> Result<String, Refusal> {
        let text = |name: &str| form.get(name).cloned().unwrap_or_default();
        let tags = query::tags(form);
        // What the policy of least privilege asks for.
        let role = |(key, value): &(String, String)| key == "asc:role" && value == "worker";
        let every = ["instance", "volume", "network-interface"];
        let tagged = every.iter().all(|kind| tags.get(*kind).is_some_and(|tags| tags.iter().any(role)));
        let metadata = text("MetadataOptions.HttpTokens") == "required"
            && text("MetadataOptions.HttpPutResponseHopLimit") == "1";
        if !tagged || !metadata {
            return Err((
                403,
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.".to_owned(),
            ));
        }
        if text("MinCount") != "1" || text("MaxCount") != "1" {
            return refused("InvalidParameterValue", "counts");
        }
        let Some(zone) = self.subnets.get(&text("SubnetId")).cloned() else {
            return refused("InvalidSubnetID.NotFound", "no such subnet");
        };
        if form.get("DryRun").is_some_and(|dry| dry == "true") {
            return Err((
                412,
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.".to_owned(),
            ));
        }
        let token = text("ClientToken");
        let mut asked = form.clone();
        asked.remove("DryRun");
        if let Some(known) = self.machines.iter().find(|machine| machine.token == token && !token.is_empty())
        {
            return match known {
                _ if known.asked != asked => refused("IdempotentParameterMismatch", "other parameters"),
                _ if matches!(known.state, "shutting-down" | "terminated") => {
                    refused("IdempotentInstanceTerminated", "its instance is terminated")
                }
                known => Ok(known.row(known.state)),
            };
        }
        let (spot, shape) = (text("InstanceMarketOptions.MarketType") == "spot", text("InstanceType"));
        if self.sold_out.contains(&(zone.clone(), spot, shape.clone())) {
            let why = "We currently do not have sufficient capacity in the Availability Zone you requested";
            return Err((500, "InsufficientInstanceCapacity", why.to_owned()));
        }
        let machine = Machine {
            id: format!("i-{:017x}", self.machines.len() + 1),
            token,
            asked,
            state: "pending",
            shown: None,
            zone,
            shape,
            spot,
            tags: tags.get("instance").cloned().unwrap_or_default(),
            protected: false,
        };
        let row = machine.row(machine.state);
        self.machines.push(machine);
        Ok(row)
    }

    fn describe(&mut self, form: &Form) -> Result<String, Refusal> {
        let ids = list(form, "InstanceId");
        let shown = |machine: &&Machine| machine.shown.is_some();
        for id in &ids {
            if !self.machines.iter().filter(shown).any(|machine| machine.id == *id) {
                return refused(
                    "InvalidInstanceID.NotFound",
                    format!("The instance ID '{id}' does not exist"),
                );
            }
        }
        let filters: Vec<(String, Vec<String>)> = (1..)
            .map_while(|at| {
                let name = form.get(&format!("Filter.{at}.Name"))?.clone();
                Some((name, list(form, &format!("Filter.{at}.Value"))))
            })
            .collect();
        let matches = |machine: &&Machine| {
            filters.iter().all(|(name, values)| {
                let key = name.strip_prefix("tag:").unwrap();
                machine.tags.iter().any(|tag| tag.0 == key && values.contains(&tag.1))
            })
        };
        let rows: Vec<String> = self
            .machines
            .iter()
            .filter(shown)
            .filter(matches)
            .filter(|machine| ids.is_empty() || ids.contains(&machine.id))
            .map(|machine| machine.row(machine.shown.unwrap()))
            .collect();
        let from = match form.get("NextToken").map(String::as_str) {
            None => 0,
            Some("cut") => return Err((503, "Unavailable", "The service is unavailable".to_owned())),
            Some(token) => token.parse().unwrap(),
        };
        let most =
            form.get("MaxResults").map_or(self.page, |most| most.parse::<usize>().unwrap().min(self.page));
        let page: String = rows
            .iter()
            .skip(from)
            .take(most)
            .map(|row| element("item", &element("instancesSet", row)))
            .collect();
        let mut next = (rows.len() > from + most).then(|| (from + most).to_string());
        if std::mem::take(&mut self.cut) {
            next = Some("cut".to_owned());
        }
        let next = next.map(|next| element("nextToken", &next)).unwrap_or_default();
        Ok(element("reservationSet", &page) + &next)
    }

    fn terminate(&mut self, form: &Form) -> Result<String, Refusal> {
        let id = list(form, "InstanceId").remove(0);
        let Some(machine) = self.machines.iter_mut().find(|machine| machine.id == id) else {
            return refused("InvalidInstanceID.NotFound", "no such instance");
        };
        if machine.protected {
            let why = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute"
            );
            return refused("OperationNotPermitted", why);
        }
        if form.get("DryRun").is_some_and(|dry| dry == "true") {
            return Err((
                412,
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.".to_owned(),
            ));
        }
        if machine.state != "terminated" {
            machine.state = "shutting-down";
        }
        Ok(element("instancesSet", &element("item", &element("instanceId", &id))))
    }

    fn subnets(&self, form: &Form) -> Result<String, Refusal> {
        let mut rows = String::new();
        for id in list(form, "SubnetId") {
            let Some(zone) = self.subnets.get(&id) else {
                return refused("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"));
            };
            let row = element("subnetId", &id) + &element("availabilityZone", zone);
            rows += &element("item", &row);
        }
        Ok(element("subnetSet", &rows))
    }
}

impl Machine {
    fn row(&self, state: &str) -> String {
        let tag = |(key, value): &(String, String)| {
            element("item", &(element("key", &escaped(key)) + &element("value", &escaped(value))))
        };
        let mut row = element("instanceId", &self.id)
            + &element("instanceState", &element("name", state))
            + &element("instanceType", &self.shape)
            + &element("launchTime", "2026-11-22T08:00:00.000Z")
            + &element("placement", &element("availabilityZone", &self.zone))
            + &element("privateIpAddress", "10.0.0.7")
            + &element("tagSet", &self.tags.iter().map(tag).collect::<String>());
        if self.spot {
            row += &element("instanceLifecycle", "spot");
        }
        element("item", &row)
    }
}

impl Service for Account {
    fn operation(&self, request: &HttpRequest) -> String {
        form(request.body().bytes().unwrap()).remove("Action").unwrap()
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        let (form, mut state) = (form(body), self.lock());
        if state.forbidden.contains(operation) {
            let why = format!(
                "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/f/f is not authorized to \
                 perform: ec2:{operation} on resource: * because no identity-based policy allows it"
            );
            return self.error(403, "UnauthorizedOperation", &why);
        }
        let done = match operation {
            "RunInstances" => state.run(&form).map(|row| element("instancesSet", &row)),
            "DescribeInstances" => state.describe(&form),
            "TerminateInstances" => state.terminate(&form),
            "DescribeSubnets" => state.subnets(&form),
            other => refused("InvalidAction", other),
        };
        match done {
            Ok(inner) => Answer::ok(query::answer(operation, &inner)),
            Err((http, code, why)) => self.error(http, code, &why),
        }
    }

    fn error(&self, http: u16, code: &str, message: &str) -> Answer {
        let error = element("Error", &(element("Code", code) + &element("Message", &escaped(message))));
        Answer {
            code: http,
            body: element("Response", &(element("Errors", &error) + &element("RequestID", "r"))),
        }
    }

    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.lock().ahead
    }
}

/// A client of a service in memory. Its own settings would repeat requests.
pub(crate) fn client(wire: &Wire<Account>) -> Client {
    let keys = Credentials::new("AKIDEXAMPLE", "no secret", None, None, "tests");
    Client::from_conf(config(wire).credentials_provider(keys).build())
}

/// One that has no credentials.
pub(crate) fn keyless(wire: &Wire<Account>) -> Client {
    Client::from_conf(config(wire).build())
}

fn config(wire: &Wire<Account>) -> Builder {
    let config = Config::builder().behavior_version(BehaviorVersion::latest());
    config.region(Region::new("eu-central-1")).http_client(wire.clone())
}
