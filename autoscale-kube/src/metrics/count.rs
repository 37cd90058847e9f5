//! From what was seen to numbers: pure.

use std::collections::BTreeMap;

use autoscale_core::data::view::{Constraints, Node, Pod, Reading, Ready};
use autoscale_core::words::{Fixed, NodeName, PoolName, Ratio, Span, Timestamp};

use super::config::{Extent, Measure};
use super::response::Used;

/// A node, as far as it is counted.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) name: NodeName,
    pool: Option<PoolName>,
    control_plane: bool,
    /// Whether it is Ready and takes new pods.
    open: bool,
    cpu_milli: u64,
    memory: u64,
}

impl Offer {
    pub(super) fn of(node: Node) -> Self {
        Self {
            name: node.name,
            pool: node.pool,
            control_plane: node.control_plane,
            open: node.ready == Ready::Yes && !node.unschedulable,
            cpu_milli: node.allocatable.cpu_milli,
            memory: node.allocatable.memory,
        }
    }

    fn is_in(&self, extent: Extent, pool: &PoolName) -> bool {
        match extent {
            Extent::Pool => self.pool.as_ref() == Some(pool),
            Extent::Cluster => !self.control_plane,
        }
    }

    const fn amount(&self, memory: bool) -> u64 {
        if memory { self.memory } else { self.cpu_milli }
    }
}

/// What a pod asks of the node it is on.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    node: NodeName,
    cpu_milli: u64,
    memory: u64,
}

/// A pod for which the scheduler has found no node.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    since: Timestamp,
    constraints: Constraints,
}

/// The one or the other; pods that the scheduler has not judged yet, and those that are on their way out, are neither.
#[derive(Clone, Debug)]
pub(super) enum PodFact {
    Asked(Asked),
    Waits(Waits),
}

impl PodFact {
    pub(super) fn of(pod: Pod) -> Option<Self> {
        match (pod.node, pod.unschedulable_since) {
            (Some(node), _) => {
                let (cpu_milli, memory) = (pod.requests.cpu_milli, pod.requests.memory);
                Some(Self::Asked(Asked { node, cpu_milli, memory }))
            }
            (None, Some(since)) if pod.deleted_at.is_none() => {
                Some(Self::Waits(Waits { since, constraints: pod.constraints }))
            }
            _ => None,
        }
    }
}

/// Everything that was seen, or why it was not.
#[derive(Clone, Debug)]
pub(super) struct Sight<'a> {
    pub(super) at: Timestamp,
    pub(super) pool_label: &'a str,
    pub(super) enough: Ratio,
    pub(super) nodes: Result<Vec<Offer>, Reading>,
    pub(super) used: Result<BTreeMap<String, Used>, Reading>,
    /// What pods ask for, summed by node: thousandths of a CPU, bytes.
    pub(super) asked: BTreeMap<NodeName, (u64, u64)>,
    pub(super) waits: Vec<Waits>,
    /// Why pods could not be looked at.
    pub(super) no_pods: Option<Reading>,
}

impl Sight<'_> {
    /// The number for one pool.
    pub(super) fn reading(&self, measure: Measure, extent: Extent, pool: &PoolName) -> Reading {
        let found = match measure {
            Measure::CpuUse | Measure::MemoryUse => self.used(measure.is_memory(), extent, pool),
            Measure::CpuRequests | Measure::MemoryRequests => self.asked(measure.is_memory(), extent, pool),
            Measure::UnschedulablePods | Measure::UnschedulableSeconds => self.waiting(measure, extent, pool),
        };
        found.unwrap_or_else(|reading| reading)
    }

    /// The open nodes.
    fn open(&self, extent: Extent, pool: &PoolName) -> Result<Vec<&Offer>, Reading> {
        let nodes = self.nodes.as_ref().map_err(Reading::clone)?;
        let open: Vec<&Offer> = nodes.iter().filter(|node| node.open && node.is_in(extent, pool)).collect();
        if open.is_empty() {
            let all = nodes.iter().filter(|node| node.is_in(extent, pool)).count();
            return Err(missing(format!("none of {all} nodes is Ready and takes new pods")));
        }
        Ok(open)
    }

    fn used(&self, memory: bool, extent: Extent, pool: &PoolName) -> Result<Reading, Reading> {
        // Whoever did not answer is told first: without an answer it does not matter which nodes there are.
        let used = self.used.as_ref().map_err(Reading::clone)?;
        let open = self.open(extent, pool)?;
        let (mut sum, mut measured, mut all, mut oldest, mut with) = (0_u64, 0_u64, 0_u64, Span::ZERO, 0_u32);
        for node in &open {
            let amount = node.amount(memory);
            all = all.saturating_add(amount);
            let used = used.get(node.name.as_str());
            if let Some((used, age)) = used.and_then(|used| Some((used, used.age(self.at)?))) {
                sum = sum.saturating_add(if memory { used.memory } else { used.cpu_milli });
                measured = measured.saturating_add(amount);
                oldest = oldest.max(age);
                with += 1;
            }
        }
        let enough =
            u128::from(measured) * 1_000_000 >= u128::from(all) * u128::from(self.enough.as_micros());
        match Fixed::fraction(sum, measured) {
            Some(value) if enough => Ok(Reading::Value { value, age: oldest }),
            _ => Err(missing(format!(
                "the metrics server has measured {with} of {} nodes, less than {} of what they offer",
                open.len(),
                self.enough
            ))),
        }
    }

    fn asked(&self, memory: bool, extent: Extent, pool: &PoolName) -> Result<Reading, Reading> {
        if let Some(why) = &self.no_pods {
            return Err(why.clone());
        }
        let open = self.open(extent, pool)?;
        let (mut sum, mut all) = (0_u64, 0_u64);
        for node in open {
            let (cpu_milli, bytes) = self.asked.get(&node.name).copied().unwrap_or_default();
            sum = sum.saturating_add(if memory { bytes } else { cpu_milli });
            all = all.saturating_add(node.amount(memory));
        }
        let value = Fixed::fraction(sum, all).ok_or_else(|| missing("the nodes offer nothing".to_owned()))?;
        Ok(Reading::Value { value, age: Span::ZERO })
    }

    fn waiting(&self, measure: Measure, extent: Extent, pool: &PoolName) -> Result<Reading, Reading> {
        if let Some(why) = &self.no_pods {
            return Err(why.clone());
        }
        let here =
            |waits: &&Waits| extent == Extent::Cluster || may_go(&waits.constraints, self.pool_label, pool);
        let waits = self.waits.iter().filter(here);
        let value = match measure {
            Measure::UnschedulablePods => Fixed::from_int(i64::try_from(waits.count()).unwrap_or(i64::MAX)),
            _ => {
                let longest = waits.map(|waits| self.at.since(waits.since)).max().unwrap_or(Span::ZERO);
                let millis = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
                Fixed::from_micros(millis.saturating_mul(1_000))
            }
        };
        Ok(Reading::Value { value, age: Span::ZERO })
    }
}

/// Sums what pods ask for, by node, and keeps those that wait.
pub(super) fn sort(pods: Vec<PodFact>) -> (BTreeMap<NodeName, (u64, u64)>, Vec<Waits>) {
    let (mut sums, mut waits) = (BTreeMap::<NodeName, (u64, u64)>::new(), Vec::new());
    for pod in pods {
        match pod {
            PodFact::Asked(asked) => {
                let (cpu_milli, memory) = sums.entry(asked.node).or_default();
                *cpu_milli = cpu_milli.saturating_add(asked.cpu_milli);
                *memory = memory.saturating_add(asked.memory);
            }
            PodFact::Waits(pod) => waits.push(pod),
        }
    }
    (sums, waits)
}

/// Whether a pod may go to the nodes of a pool, as far as the pool's label tells: other labels are not known of nodes that are
/// not there yet.
fn may_go(constraints: &Constraints, label: &str, pool: &PoolName) -> bool {
    let selected = constraints.selector.get(label).is_none_or(|wanted| wanted == pool.as_str());
    let about = |term: &Vec<autoscale_core::data::view::Requirement>| {
        term.iter().filter(|need| need.key == label).all(|need| need.is_met_by(Some(pool.as_str())))
    };
    selected && (constraints.affinity.is_empty() || constraints.affinity.iter().any(about))
}

fn missing(why: String) -> Reading {
    Reading::Missing { why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::data::view::Requirement;
    use autoscale_core::words::{PodUid, Resources};

    fn pod() -> Pod {
        Pod::new(PodUid::new("u").unwrap(), "default", "p", Resources::new(100, 1 << 20, 1))
    }

    #[test]
    fn pods_that_leave_or_are_not_judged_do_not_wait() {
        let since = Timestamp::from_millis(1_000);
        let fact = |change: fn(&mut Pod)| {
            let mut pod = pod();
            pod.unschedulable_since = Some(Timestamp::from_millis(1_000));
            change(&mut pod);
            PodFact::of(pod)
        };
        assert!(matches!(fact(|_| {}), Some(PodFact::Waits(waits)) if waits.since == since));
        assert!(fact(|pod| pod.unschedulable_since = None).is_none());
        assert!(fact(|pod| pod.deleted_at = Some(Timestamp::from_millis(1_000))).is_none());
        let bound = fact(|pod| pod.node = NodeName::new("n").ok());
        assert!(
            matches!(bound, Some(PodFact::Asked(asked)) if (asked.cpu_milli, asked.memory) == (100, 1 << 20))
        );
    }

    #[test]
    fn a_pod_may_go_where_the_label_does_not_exclude_it() {
        let (web, label) = (PoolName::new("web").unwrap(), "pool");
        let need = |key: &str, values: &[&str]| {
            Requirement::new(key, autoscale_core::data::view::Operator::In, values.iter().copied())
        };
        let mut constraints = pod().constraints;
        assert!(may_go(&constraints, label, &web));
        constraints.selector.insert("disk".to_owned(), "fast".to_owned());
        assert!(may_go(&constraints, label, &web), "other labels are not known");
        constraints.affinity =
            vec![vec![need("pool", &["db"])], vec![need("pool", &["api"]), need("zone", &["a"])]];
        assert!(!may_go(&constraints, label, &web));
        constraints.affinity.push(vec![need("pool", &["db", "web"]), need("zone", &["b"])]);
        assert!(may_go(&constraints, label, &web));
        constraints.selector.insert("pool".to_owned(), "db".to_owned());
        assert!(!may_go(&constraints, label, &web));
    }
}
