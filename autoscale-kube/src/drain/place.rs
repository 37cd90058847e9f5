//! Where a volume can be attached, as its node affinity says.

use std::collections::BTreeSet;

use autoscale_core::data::view::{Constraints, Operator, Requirement};
use autoscale_core::words::Zone;

use super::rules::{HOST, NodeSelector, nowhere, term};

const ZONE: &str = "topology.kubernetes.io/zone";

/// More alternatives than this are not judged: each volume multiplies those of the ones before.
const MAX_TERMS: usize = 64;

/// Where a volume can be attached. Drivers name zones by keys of their own (`topology.ebs.csi.aws.com/zone`,
/// `topology.csi.vmware.com/k8s-zone`), with the values that the nodes' zones have. Any other key is a label of the nodes that the
/// driver set, such as `topology.topolvm.io/node`, and is compared with it: a key that nobody knows never means "anywhere".
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Nowhere but on the disk of a node.
    local: bool,
    /// In these zones; `None` is any.
    zones: Option<BTreeSet<Zone>>,
    /// On nodes whose labels meet one of these; empty is any.
    nodes: Vec<Vec<Requirement>>,
}

/// One term, taken apart.
#[derive(Debug)]
struct Parts {
    zones: Option<BTreeSet<Zone>>,
    rest: Vec<Requirement>,
}

impl Place {
    pub(super) fn of(on_a_disk: bool, required: Option<&NodeSelector>) -> Self {
        let mut place = Self { local: on_a_disk, zones: None, nodes: Vec::new() };
        let Some(required) = required else { return place };
        let terms: Vec<Parts> = required.node_selector_terms.iter().filter_map(term).map(parts).collect();
        place.local |= terms.iter().flat_map(|term| &term.rest).any(|need| need.key == HOST);
        let Some(first) = terms.first() else {
            return Self { nodes: nowhere(), ..place };
        };
        if terms.iter().all(|term| term.rest == first.rest) && terms.iter().all(|term| term.zones.is_some()) {
            // They differ by their zones alone.
            place.nodes = Some(first.rest.clone()).filter(|rest| !rest.is_empty()).into_iter().collect();
            place.zones = Some(terms.into_iter().filter_map(|term| term.zones).flatten().collect());
        } else {
            place.nodes = terms.into_iter().map(Parts::whole).collect();
            if place.nodes.iter().any(Vec::is_empty) {
                place.nodes.clear();
            }
        }
        place
    }

    pub(super) const fn is_local(&self) -> bool {
        self.local
    }

    /// A pod with this volume may be nowhere else. `false`: the alternatives are too many.
    pub(super) fn narrow(&self, pod: &mut Constraints) -> bool {
        if let Some(zones) = &self.zones {
            let both = match &pod.volume_zones {
                None => zones.iter().cloned().collect(),
                Some(before) => before.iter().filter(|zone| zones.contains(*zone)).cloned().collect(),
            };
            pod.volume_zones = Some(both);
        }
        if self.nodes.is_empty() {
            return true;
        }
        if pod.affinity.is_empty() {
            pod.affinity.clone_from(&self.nodes);
            return true;
        }
        if pod.affinity.len().saturating_mul(self.nodes.len()) > MAX_TERMS {
            return false;
        }
        let each = pod.affinity.iter().flat_map(|one| {
            self.nodes.iter().map(move |other| {
                let news = other.iter().filter(|need| !one.contains(need));
                one.iter().chain(news).cloned().collect()
            })
        });
        pod.affinity = each.collect();
        true
    }
}

impl Parts {
    /// As requirements alone.
    fn whole(self) -> Vec<Requirement> {
        let zones =
            self.zones.map(|zones| Requirement::new(ZONE, Operator::In, zones.iter().map(Zone::as_str)));
        zones.into_iter().chain(self.rest).collect()
    }
}

fn parts(term: Vec<Requirement>) -> Parts {
    let mut parts = Parts { zones: None, rest: Vec::new() };
    for need in term {
        let is_list = need.operator == Operator::In;
        // All nodes of a cluster are in one region.
        if is_list && names(&need.key, "region") {
            continue;
        }
        match zones(&need).filter(|_| is_list && names(&need.key, "zone")) {
            Some(these) => {
                parts.zones = Some(match parts.zones {
                    None => these,
                    Some(before) => before.intersection(&these).cloned().collect(),
                });
            }
            None => parts.rest.push(need),
        }
    }
    parts
}

/// Whether a key is a driver's name for zones, or for regions.
fn names(key: &str, what: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(_, name)| name.strip_prefix("k8s-").unwrap_or(name) == what)
}

/// The values as zones; `None` where one is none, such as the empty one of machines without a zone: those are labels like others.
fn zones(need: &Requirement) -> Option<BTreeSet<Zone>> {
    need.values.iter().map(|value| Zone::new(value).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(terms: &str) -> Place {
        let required = format!(r#"{{"nodeSelectorTerms":[{terms}]}}"#);
        Place::of(false, Some(&serde_json::from_str(&required).unwrap()))
    }

    fn need(key: &str, operator: &str, values: &[&str]) -> String {
        serde_json::json!({"key": key, "operator": operator, "values": values}).to_string()
    }

    fn all(needs: &[String]) -> String {
        format!(r#"{{"matchExpressions":[{}]}}"#, needs.join(","))
    }

    fn one(key: &str, values: &[&str]) -> String {
        all(&[need(key, "In", values)])
    }

    fn in_zones(names: &[&str]) -> Place {
        let zones = names.iter().map(|name| Zone::new(name).unwrap()).collect();
        Place { zones: Some(zones), ..Place::default() }
    }

    fn on(terms: &[&[(&str, Operator, &[&str])]]) -> Place {
        let need = |(key, operator, values): &(&str, Operator, &[&str])| {
            Requirement::new(*key, *operator, values.iter().copied())
        };
        let nodes = terms.iter().map(|term| term.iter().map(need).collect()).collect();
        Place { nodes, ..Place::default() }
    }

    #[test]
    fn zones_are_told_from_labels_of_nodes_and_nothing_unknown_is_anywhere() {
        let (a, b) = (one(ZONE, &["a"]), one("topology.ebs.csi.aws.com/zone", &["b"]));
        let own = |key: &str| on(&[&[(key, Operator::In, &["n1"])]]);
        for (terms, expected) in [
            (a.clone(), in_zones(&["a"])),
            (format!("{a},{b}"), in_zones(&["a", "b"])),
            (one("topology.csi.vmware.com/k8s-zone", &["a"]), in_zones(&["a"])),
            (all(&[need(ZONE, "In", &["a", "b"]), need("x.io/zone", "In", &["b", "c"])]), in_zones(&["b"])),
            (
                all(&[need("topology.kubernetes.io/region", "In", &["r"]), need(ZONE, "In", &["a"])]),
                in_zones(&["a"]),
            ),
            (one("topology.csi.vmware.com/k8s-region", &["r"]), Place::default()),
            (one("topology.topolvm.io/node", &["n1"]), own("topology.topolvm.io/node")),
            (one("openebs.io/nodename", &["n1"]), own("openebs.io/nodename")),
            (one("my-zone", &["n1"]), own("my-zone")),
            (one("x.io/rackzone", &["n1"]), own("x.io/rackzone")),
            // Machines without a zone.
            (
                one("topology.disk.csi.azure.com/zone", &[""]),
                on(&[&[("topology.disk.csi.azure.com/zone", Operator::In, &[""])]]),
            ),
            (all(&[need(ZONE, "NotIn", &["a"])]), on(&[&[(ZONE, Operator::NotIn, &["a"])]])),
            (
                format!("{a},{}", one("rack", &["7"])),
                on(&[&[(ZONE, Operator::In, &["a"])], &[("rack", Operator::In, &["7"])]]),
            ),
            (format!("{a},{}", one("x.io/region", &["r"])), Place::default()),
            (
                all(&[need(ZONE, "In", &["a"]), need("rack", "In", &["7"])]),
                Place { zones: in_zones(&["a"]).zones, ..on(&[&[("rack", Operator::In, &["7"])]]) },
            ),
            (one(HOST, &["n1"]), Place { local: true, ..own(HOST) }),
            (String::new(), on(&[&[(HOST, Operator::In, &[])]])),
            ("{}".to_owned(), on(&[&[(HOST, Operator::In, &[])]])),
        ] {
            assert_eq!(place(&terms), expected, "{terms}");
        }
        assert_eq!(Place::of(true, None), Place { local: true, ..Place::default() });
        assert_eq!(Place::of(false, None), Place::default());
    }

    #[test]
    fn every_volume_and_the_pod_itself_have_to_agree() {
        let mut pod = Constraints::default();
        pod.affinity = place(&format!("{},{}", one("disk", &["ssd"]), one("disk", &["nvme"]))).nodes;
        for terms in [one(ZONE, &["a", "b"]), one(ZONE, &["b", "c"]), one("topolvm/node", &["n1"])] {
            assert!(place(&terms).narrow(&mut pod));
        }
        assert_eq!(pod.volume_zones, Some(vec![Zone::new("b").unwrap()]));
        for (disk, node, may) in
            [("ssd", "n1", true), ("nvme", "n1", true), ("ssd", "n2", false), ("hdd", "n1", false)]
        {
            let label = |key: &str| Some(if key == "disk" { disk } else { node });
            assert_eq!(pod.selects(label), may, "{disk} {node}");
        }
        let many: Vec<String> = (0..40).map(|number| one("rack", &[&number.to_string()])).collect();
        assert!(!place(&many.join(",")).narrow(&mut pod), "80 alternatives");
    }
}
