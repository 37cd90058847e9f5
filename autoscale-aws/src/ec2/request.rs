//! What is asked of EC2, as data. Pure.

use autoscale_core::data::order::LaunchOrder;
use autoscale_core::data::policy::Purchase;

use super::config::{Ec2Config, Tag};
use super::pinned::Pinned;

/// The tags of this library.
pub(super) const CLUSTER: &str = "asc:cluster";
pub(super) const POOL: &str = "asc:pool";
pub(super) const ROLE: &str = "asc:role";
pub(super) const OP: &str = "asc:op";
/// The role of what may be ended.
pub(super) const WORKER: &str = "worker";

/// One machine to run.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) token: String,
    pub(super) source: Pinned,
    pub(super) shape: String,
    pub(super) subnet: String,
    pub(super) spot: bool,
    pub(super) max_price: Option<String>,
    pub(super) key_name: Option<String>,
    pub(super) security_groups: Vec<String>,
    pub(super) instance_profile: Option<String>,
    pub(super) user_data: Option<String>,
    pub(super) tags: Vec<Tag>,
    /// Only asks whether it would be permitted.
    pub(super) dry: bool,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token, source, shape, subnet, spot, dry, .. } = self;
        let mut shown = f.debug_struct("Run");
        shown.field("token", token).field("source", source).field("shape", shape).field("subnet", subnet);
        shown.field("spot", spot).field("dry", dry).finish_non_exhaustive()
    }
}

/// The request of an order. The same order gives the same request, as long as the configuration is the same: EC2 refuses a token
/// that comes with other parameters.
///
/// # Errors
/// Why there is none, in words.
pub(super) fn run(config: &Ec2Config, subnets: &[String], order: &LaunchOrder) -> Result<Run, String> {
    let LaunchOrder { pool, offering, token, pinned, .. } = order;
    let source = Pinned::parse(pinned)?.or_else(|| config.source.clone());
    let source =
        source.ok_or("neither the pool nor the configuration names a launch template or an image")?;
    // Several subnets of one zone take turns by the token, which stays the same however often the order is sent.
    let parts = token.parts();
    let turn =
        parts.map_or(0, |parts| parts.seq.wrapping_add(parts.slot.into()).wrapping_add(parts.attempt.into()));
    let at = usize::try_from(turn.checked_rem(subnets.len() as u64).unwrap_or(0)).unwrap_or(0);
    let subnet = subnets.get(at).ok_or_else(|| format!("no subnet is in zone {}", offering.zone))?;
    let spot = offering.purchase == Purchase::Spot;
    Ok(Run {
        token: token.as_str().to_owned(),
        source,
        shape: offering.shape.as_str().to_owned(),
        subnet: subnet.clone(),
        spot,
        max_price: config.spot_max_price.clone().filter(|_| spot),
        key_name: config.key_name.clone(),
        security_groups: config.security_groups.clone(),
        instance_profile: config.instance_profile.clone(),
        user_data: config.user_data.clone(),
        tags: tags(config, pool.as_str(), token.as_str()),
        dry: false,
    })
}

/// What a machine, its volumes and its interfaces carry from birth.
fn tags(config: &Ec2Config, pool: &str, token: &str) -> Vec<Tag> {
    let cluster = config.cluster.as_str();
    let own = [
        (CLUSTER, cluster.to_owned()),
        (POOL, pool.to_owned()),
        (ROLE, WORKER.to_owned()),
        (OP, token.to_owned()),
        ("Name", format!("{cluster}-{pool}-{token}")),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    own.chain(config.worker_tags.iter().cloned()).collect()
}

/// Which machines to list: those that carry all of these tags, or those of these ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Which {
    Tagged(Vec<Tag>),
    Ids(Vec<String>),
}

/// What a list has to ask for: the cluster's machines, and those that carry the user's own worker tags.
pub(super) fn lists(config: &Ec2Config) -> Vec<Which> {
    let ours = Which::Tagged(vec![(CLUSTER.to_owned(), config.cluster.as_str().to_owned())]);
    let theirs = (!config.worker_tags.is_empty()).then(|| Which::Tagged(config.worker_tags.clone()));
    std::iter::once(ours).chain(theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::data::order::Offering;
    use autoscale_core::words::{ClusterId, Inc, PoolName, ShapeName, Token, Zone};

    fn order(attempt: u32, purchase: Purchase, pinned: &str) -> LaunchOrder {
        let (zone, shape) = (Zone::new("eu-1a").unwrap(), ShapeName::new("m6i.large").unwrap());
        LaunchOrder::new(
            ClusterId::new("shop").unwrap(),
            PoolName::new("web").unwrap(),
            Offering::new(zone, purchase, shape),
            Token::of(&Inc::new("abcd").unwrap(), 3, 0, attempt),
            pinned,
        )
    }

    fn config() -> Ec2Config {
        Ec2Config::builder(ClusterId::new("shop").unwrap())
            .with_subnets(["subnet-00000000"])
            .with_image("ami-00000000")
            .with_spot_max_price("0.05")
            .with_worker_tag("k3s-role", "worker")
            .build()
            .unwrap()
    }

    #[test]
    fn an_order_is_one_request() {
        let subnets = ["subnet-00000000".to_owned(), "subnet-00000001".to_owned()];
        let one = run(&config(), &subnets, &order(1, Purchase::Spot, "")).unwrap();
        assert_eq!(one, run(&config(), &subnets, &order(1, Purchase::Spot, "")).unwrap());
        assert_eq!((one.subnet.as_str(), one.max_price.as_deref()), ("subnet-00000000", Some("0.05")));
        let next = run(&config(), &subnets, &order(2, Purchase::OnDemand, "workers:7")).unwrap();
        assert_eq!((next.subnet.as_str(), next.max_price), ("subnet-00000001", None));
        assert_eq!(next.source, Pinned::Template { template: "workers".to_owned(), version: 7 });
        let tag = |key: &str| one.tags.iter().find(|tag| tag.0 == key).map(|tag| tag.1.as_str());
        for (key, value) in [
            ("asc:cluster", "shop"),
            ("asc:pool", "web"),
            ("asc:role", "worker"),
            ("asc:op", "abcd-3-0-1"),
            ("Name", "shop-web-abcd-3-0-1"),
            ("k3s-role", "worker"),
        ] {
            assert_eq!(tag(key), Some(value), "{key}");
        }
    }

    #[test]
    fn an_order_that_cannot_be_sent_says_why() {
        let no_subnet = run(&config(), &[], &order(1, Purchase::Spot, "")).unwrap_err();
        assert_eq!(no_subnet, "no subnet is in zone eu-1a");
        let mut bare = config();
        bare.source = None;
        let subnets = ["subnet-00000000".to_owned()];
        assert!(
            run(&bare, &subnets, &order(1, Purchase::Spot, "")).unwrap_err().contains("neither the pool")
        );
        assert!(run(&bare, &subnets, &order(1, Purchase::Spot, "x:$Latest")).is_err());
    }
}
