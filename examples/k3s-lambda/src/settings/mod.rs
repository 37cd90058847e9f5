//! What the environment says: every mistake at once.

mod read;

use autoscale_aws::ec2::Ec2Config;
use autoscale_aws::s3::S3Place;
use autoscale_core::words::{ClusterId, PoolName};

use crate::bad::Bad;
use read::Reader;

/// How a variable is found. In the function: `&|name| std::env::var(name).ok()`.
pub type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// A tag: key and value.
pub type Tag = (String, String);

/// Where the record is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StatePlace {
    /// In an item of this DynamoDB table.
    Table(String),
    /// In an object below this place.
    S3(S3Place),
}

/// Where the policy comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PolicyPlace {
    /// From variables of the reference, for one pool.
    Variables(PoolSettings),
    /// The document is the variable `POLICY`.
    Inline(String),
    /// The document is a parameter.
    Parameter(String),
    /// The document is an object.
    S3(S3Place),
}

/// What variables say of the one pool, besides what the core's builder takes from them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PoolSettings {
    /// Its name.
    pub name: PoolName,
    /// The type of its machines.
    pub instance_type: String,
    /// What pods can ask for on such a machine: milli-CPUs and bytes. Without it EC2 is asked what the type has.
    pub allocatable: Option<(u64, u64)>,
    /// How many pods a machine takes.
    pub pods: u32,
    /// Ways to buy, as policies write them; none: the default of policies.
    pub purchases: Vec<autoscale_core::data::policy::Purchase>,
    /// Whether machines that carry only the workers' and the cluster's tags may be removed.
    pub adopt: bool,
}

/// How Prometheus, or the Pushgateway beside it, is reached at the master.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Web {
    /// Its node port.
    pub port: u16,
    /// Over http: whoever is on the way can make up its numbers.
    pub insecure: bool,
}

/// Everything that the environment says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The cluster.
    pub cluster: ClusterId,
    /// The tags that the master carries: its own, and the cluster's.
    pub master: Vec<Tag>,
    /// Which machines belong to the cluster, and how new ones are made.
    pub ec2: Ec2Config,
    /// Where the policy comes from.
    pub policy: PolicyPlace,
    /// Where the record is kept.
    pub state: StatePlace,
    /// The table of the audit log.
    pub logs: String,
    /// The parameter with the token for the Kubernetes API.
    pub api_token: String,
    /// The parameter with the certificate authority of the Kubernetes API, in PEM.
    pub api_ca: String,
    /// The port of the Kubernetes API.
    pub api_port: u16,
    /// Prometheus at the master.
    pub prometheus: Web,
    /// The parameter with its certificate authority; that of the Kubernetes API where there is none.
    pub prometheus_ca: Option<String>,
    /// The parameter with the login to it: a token, or `user:password`.
    pub prometheus_login: Option<String>,
    /// The Pushgateway at the master, with Prometheus's authority and login.
    pub pushgateway: Option<Web>,
    /// The label of nodes whose value is the name of a pool.
    pub pool_label: String,
    /// The label of Prometheus's series whose value is the name of a pool.
    pub series_label: String,
    /// The metrics that are told to CloudWatch, by name; `None` for all.
    pub emf: Option<Vec<String>>,
    /// Whether the queue is asked for those messages only that were not stored. See [`crate::function`].
    pub partial_batches: bool,
    /// What is logged.
    pub log: String,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or wrong.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, Bad> {
        Reader::new(lookup).settings()
    }
}
