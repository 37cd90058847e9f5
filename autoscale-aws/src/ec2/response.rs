//! What EC2 lists, as the core sees it. Pure.

use autoscale_core::data::policy::Purchase;
use autoscale_core::data::view::{Instance, Ownership, Phase};
use autoscale_core::words::{InstanceId, PoolName, ShapeName, Timestamp, Token, Zone};

use super::config::{Ec2Config, Tag};
use super::request::{CLUSTER, OP, POOL, ROLE, WORKER};

/// One machine as it is listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Row {
    pub(super) id: String,
    /// The name of its state.
    pub(super) state: String,
    pub(super) shape: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) spot: bool,
    pub(super) launched_at: Option<Timestamp>,
    pub(super) private_address: Option<String>,
    pub(super) tags: Vec<Tag>,
}

impl Row {
    fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn carries(&self, (key, value): &Tag) -> bool {
        self.tag(key) == Some(value)
    }
}

/// Whose a machine is. The control plane is told by any of its signs, a worker only by all of them.
pub(super) fn ownership(config: &Ec2Config, row: &Row) -> Ownership {
    let is_control_plane = config.control_plane_instances.contains(&row.id)
        || config.control_plane_tags.iter().any(|tag| row.carries(tag));
    if is_control_plane {
        return Ownership::ControlPlane;
    }
    let has_pool = row.tag(POOL).is_some_and(|pool| PoolName::new(pool).is_ok());
    match (row.tag(CLUSTER), row.tag(ROLE)) {
        (Some(cluster), Some(WORKER)) if cluster == config.cluster.as_str() && has_pool => Ownership::Ours,
        (None, None) if !config.worker_tags.is_empty() => {
            let is_worker = config.worker_tags.iter().all(|tag| row.carries(tag));
            if is_worker { Ownership::WorkerTag } else { Ownership::Foreign }
        }
        // Half of our tags, or another cluster's.
        _ => Ownership::Foreign,
    }
}

/// Where a machine is in its life.
pub(super) fn phase(state: &str) -> Phase {
    match state {
        "pending" => Phase::Pending,
        "running" => Phase::Running,
        "shutting-down" => Phase::ShuttingDown,
        "terminated" => Phase::Terminated,
        "stopping" | "stopped" => Phase::Stopped,
        _ => Phase::Unknown,
    }
}

/// A machine of a list; `None` if it has no id that could be one.
pub(super) fn instance(config: &Ec2Config, row: &Row) -> Option<Instance> {
    let mut instance = Instance::new(InstanceId::new(&row.id).ok()?, ownership(config, row));
    instance.phase = phase(&row.state);
    instance.pool = row.tag(POOL).and_then(|pool| PoolName::new(pool).ok());
    instance.zone = row.zone.as_ref().and_then(|zone| Zone::new(zone).ok());
    instance.purchase = Some(if row.spot { Purchase::Spot } else { Purchase::OnDemand });
    instance.shape = row.shape.as_ref().and_then(|shape| ShapeName::new(shape).ok());
    instance.token = row.tag(OP).and_then(|token| Token::new(token).ok());
    instance.launched_at = row.launched_at;
    instance.private_address.clone_from(&row.private_address);
    Some(instance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::words::ClusterId;

    #[test]
    fn only_what_carries_every_sign_is_a_worker() {
        let config = Ec2Config::builder(ClusterId::new("shop").unwrap())
            .with_subnets(["subnet-00000000"])
            .with_worker_tag("role", "node")
            .with_worker_tag("cluster", "shop")
            .with_control_plane_tag("role", "master")
            .with_control_plane_instances(["i-0123456789abcdef0"])
            .build()
            .unwrap();
        let ours = [("asc:cluster", "shop"), ("asc:role", "worker"), ("asc:pool", "web")];
        let theirs = [("role", "node"), ("cluster", "shop")];
        let of = |tags: &[(&str, &str)], id: &str| {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            ownership(&config, &Row { id: id.to_owned(), tags, ..Row::default() })
        };
        let with = |tags: &[(&'static str, &'static str)], more: (&'static str, &'static str)| {
            let mut tags = tags.to_vec();
            tags.push(more);
            tags
        };
        for (tags, expected) in [
            (ours.to_vec(), Ownership::Ours),
            (with(&ours, ("role", "node")), Ownership::Ours),
            (with(&ours, ("role", "master")), Ownership::ControlPlane),
            (ours[..2].to_vec(), Ownership::Foreign),
            (ours[1..].to_vec(), Ownership::Foreign),
            (vec![("asc:cluster", "other"), ours[1], ours[2]], Ownership::Foreign),
            (vec![ours[0], ("asc:role", "master"), ours[2]], Ownership::Foreign),
            (vec![ours[0], ours[1], ("asc:pool", "../x")], Ownership::Foreign),
            (theirs.to_vec(), Ownership::WorkerTag),
            (theirs[..1].to_vec(), Ownership::Foreign),
            (with(&theirs, ("asc:cluster", "other")), Ownership::Foreign),
            (with(&theirs, ("role", "master")), Ownership::WorkerTag),
            (vec![("role", "master")], Ownership::ControlPlane),
            (Vec::new(), Ownership::Foreign),
        ] {
            assert_eq!(of(&tags, "i-00000001"), expected, "{tags:?}");
        }
        assert_eq!(of(&ours, "i-0123456789abcdef0"), Ownership::ControlPlane);
    }

    #[test]
    fn states_and_odd_rows() {
        for (state, expected) in [
            ("pending", Phase::Pending),
            ("stopping", Phase::Stopped),
            ("shutting-down", Phase::ShuttingDown),
            ("rebooting", Phase::Unknown),
            ("", Phase::Unknown),
        ] {
            assert_eq!(phase(state), expected);
        }
        let config = Ec2Config::builder(ClusterId::new("shop").unwrap()).with_subnets(["subnet-00000000"]);
        let config = config.build().unwrap();
        assert_eq!(instance(&config, &Row::default()), None);
        let row =
            Row { id: "i-1".into(), zone: Some("$(x)".into()), shape: Some("\n".into()), ..Row::default() };
        let instance = instance(&config, &row).unwrap();
        assert_eq!((instance.zone, instance.shape, instance.token), (None, None, None));
    }
}
