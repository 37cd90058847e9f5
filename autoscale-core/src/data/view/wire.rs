//! A view in JSON, in class form. What follows from the rest is not written; reading checks the order and every index, and
//! works out the rest anew, so that no input gives a view that could not have been seen.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::classes::{Cluster, PodClass, PodName, Seat};
use super::join::Join;
use super::reduce::order;
use super::sites::Sites;
use super::{Budget, Listing, Node, Sample, Scope, Seen, View, tokens};
use crate::words::{PodUid, Timestamp};

/// A class by its place, and its pods.
type SeatOut<'a> = (u32, Vec<(&'a PodUid, &'a str)>);
type SeatIn = (u32, Vec<(PodUid, String)>);

#[derive(serde::Serialize)]
struct RowOut<'a> {
    node: &'a Node,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pods: Vec<SeatOut<'a>>,
}

#[derive(serde::Deserialize)]
struct RowIn {
    node: Node,
    #[serde(default)]
    pods: Vec<SeatIn>,
}

#[derive(serde::Serialize)]
struct ClusterOut<'a> {
    at: Timestamp,
    complete: bool,
    scope: &'a Scope,
    budgets: &'a [Budget],
    classes: &'a [PodClass],
    nodes: Vec<RowOut<'a>>,
    unbound: Vec<SeatOut<'a>>,
}

#[derive(serde::Deserialize)]
struct ClusterIn {
    at: Timestamp,
    complete: bool,
    scope: Scope,
    budgets: Vec<Budget>,
    classes: Vec<PodClass>,
    nodes: Vec<RowIn>,
    unbound: Vec<SeatIn>,
}

/// In class form: budgets, classes, nodes with the pods on each by class, and the pods without a node.
impl Serialize for Cluster {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seats = |from: Option<&u32>, to: Option<&u32>| {
            let from = from.map_or(0, |from| *from as usize);
            let to = to.map_or(self.seats.len(), |to| *to as usize);
            let seats = self.seats.get(from..to).unwrap_or_default();
            let named = |seat: &Seat| {
                let names = self.names(seat).iter().map(|pod| (&pod.uid, pod.name.as_str()));
                (seat.class, names.collect())
            };
            seats.iter().map(named).collect()
        };
        let rows = self.nodes.iter().zip(0..).map(|(node, at): (_, usize)| RowOut {
            node,
            pods: seats(self.begins.get(at), self.begins.get(at + 1)),
        });
        let out = ClusterOut {
            at: self.at,
            complete: self.complete,
            scope: &self.scope,
            budgets: &self.budgets,
            classes: &self.classes,
            nodes: rows.collect(),
            unbound: seats(self.begins.last(), None),
        };
        out.serialize(serializer)
    }
}

/// What was written; anything that no survey reduces to is refused.
impl<'de> Deserialize<'de> for Cluster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        cluster(ClusterIn::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn cluster(read: ClusterIn) -> Result<Cluster, String> {
    let ClusterIn { at, complete, scope, budgets, classes, nodes: rows, unbound } = read;
    if !budgets.is_sorted() {
        return Err("the budgets are not in order".to_owned());
    }
    if !classes.is_sorted_by(|a, b| order(a, b).is_lt()) {
        return Err("the classes of pods are not in order".to_owned());
    }
    for (class, index) in classes.iter().zip(0..) {
        let there = class.budgets.iter().all(|at| (*at as usize) < budgets.len());
        if !there || !class.budgets.is_sorted() {
            let many = budgets.len();
            return Err(format!("class {index} points to budgets that are not there: there are {many}"));
        }
    }
    let mut seating = Seating { classes: classes.len(), seats: Vec::new(), names: Vec::new() };
    let mut nodes = Vec::with_capacity(rows.len());
    let mut begins = Vec::with_capacity(rows.len().saturating_add(1));
    for RowIn { node, pods } in rows {
        begins.push(seating.begin()?);
        seating.add(pods).map_err(|why| format!("node {}: {why}", node.name))?;
        nodes.push(node);
    }
    if !nodes.is_sorted() {
        return Err("the nodes are not in order".to_owned());
    }
    begins.push(seating.begin()?);
    seating.add(unbound).map_err(|why| format!("pods without a node: {why}"))?;
    let Seating { seats, names, .. } = seating;
    let leaves = classes.iter().map(PodClass::has_to_leave).collect();
    let sites = Sites::of(&nodes, &classes);
    Ok(Cluster { at, complete, scope, nodes, classes, leaves, sites, budgets, seats, begins, names })
}

struct Seating {
    classes: usize,
    seats: Vec<Seat>,
    names: Vec<PodName>,
}

impl Seating {
    fn begin(&self) -> Result<u32, String> {
        u32::try_from(self.seats.len()).map_err(|_| "too many pods".to_owned())
    }

    /// The pods of one place.
    fn add(&mut self, pods: Vec<SeatIn>) -> Result<(), String> {
        let mut last = None;
        for (class, names) in pods {
            if class as usize >= self.classes {
                return Err(format!("class {class} is not there: there are {}", self.classes));
            }
            if last.is_some_and(|last| last >= class) || names.is_empty() {
                return Err(format!("the pods of class {class} are out of order or none"));
            }
            last = Some(class);
            let first = u32::try_from(self.names.len()).map_err(|_| "too many pods".to_owned())?;
            let count = u32::try_from(names.len()).map_err(|_| "too many pods".to_owned())?;
            self.names.extend(names.into_iter().map(|(uid, name)| PodName { uid, name }));
            self.seats.push(Seat { class, count, first });
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct ViewOut<'a> {
    now: Timestamp,
    instances: &'a Seen<Listing>,
    cluster: &'a Seen<Cluster>,
    samples: &'a [Sample],
}

#[derive(serde::Deserialize)]
struct ViewIn {
    now: Timestamp,
    instances: Seen<Listing>,
    cluster: Seen<Cluster>,
    samples: Vec<Sample>,
}

/// What was seen; what is joined and which tokens are ours follow from it.
impl Serialize for View {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { now, instances, cluster, samples, join: _, tokens: _ } = self;
        ViewOut { now: *now, instances, cluster, samples }.serialize(serializer)
    }
}

/// What was written; instances out of order or listed twice are refused.
impl<'de> Deserialize<'de> for View {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ViewIn { now, instances, cluster, samples } = ViewIn::deserialize(deserializer)?;
        let listed = instances.known().map(|listing| listing.instances.as_slice()).unwrap_or_default();
        if !listed.is_sorted_by(|a, b| a.id < b.id) {
            return Err(D::Error::custom("the instances are not in order"));
        }
        let join = Join::of(instances.known(), cluster.known());
        let tokens = instances.known().map(tokens).unwrap_or_default();
        Ok(Self { now, instances, cluster, samples, join, tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::view::{
        ClusterView, Constraints, Instance, Owner, Ownership, Pod, Reading, SignalQuery,
    };
    use crate::words::{Fixed, InstanceId, NodeName, NodeUid, PoolName, Resources, SignalName, Span, Token};
    use proptest::prelude::*;
    use serde_json::Value;

    type Row = (u8, u8, u8, bool);

    fn view(nodes: &[(u8, u8)], pods: &[Row], seen: bool) -> View {
        let now = Timestamp::from_millis(1_000_000);
        let mut survey = ClusterView::new(now, Scope::Everything);
        for (index, (name, zone)) in nodes.iter().enumerate() {
            let name = NodeName::new(format!("n{}", name % 8)).unwrap();
            let mut node = Node::new(
                name,
                NodeUid::new(format!("u{index}")).unwrap(),
                now,
                Resources::new(2_000, 4 << 30, 9),
            );
            node.labels.insert("rack".to_owned(), format!("r{zone}"));
            node.provider_id = Some(format!("aws:///a/i-{index}"));
            survey.nodes.push(node);
        }
        survey.budgets = vec![Budget::new("n", "z", 1), Budget::new("n", "\"y\"", -1)];
        for (index, (node, owner, milli, waits)) in pods.iter().enumerate() {
            let requests = Resources::new(u64::from(*milli), 1, 1);
            let mut pod =
                Pod::new(PodUid::new(format!("p{index}")).unwrap(), "n", format!("pod {index}"), requests);
            pod.owner = (*owner > 0).then(|| Owner::new("ReplicaSet", format!("o{owner}")));
            pod.budgets = vec![u32::from(*owner % 3)];
            pod.constraints = Constraints::default();
            pod.constraints.selector.insert("rack".to_owned(), format!("r{}", owner % 3));
            pod.node = (!waits).then(|| NodeName::new(format!("n{node}")).unwrap());
            survey.pods.push(pod);
        }
        let instance = |index: usize| {
            let mut instance = Instance::new(InstanceId::new(format!("i-{index}")).unwrap(), Ownership::Ours);
            instance.token =
                index.is_multiple_of(2).then(|| Token::new(format!("abcd-{index}-0-1")).unwrap());
            instance
        };
        let listing = Listing::new(now, (0..nodes.len()).map(instance).collect());
        let unseen = || "no answer".to_owned();
        let query = SignalQuery::new(PoolName::new("web").unwrap(), SignalName::new("cpu").unwrap());
        let reading = Reading::Value { value: Fixed::from_int(3), age: Span::from_secs(5) };
        View::new(
            now,
            if seen { Seen::Known(listing) } else { Seen::Unknown { why: unseen() } },
            if pods.len() == 13 { Seen::Unknown { why: unseen() } } else { Seen::Known(survey) },
            vec![Sample::new(query, reading)],
        )
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        prop::collection::vec((0_u8..10, 0_u8..4, 0_u8..3, any::<bool>()), 0..30)
    }

    /// Every number, string and list of a value, one after the other.
    fn leaves(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
        change(value);
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| leaves(item, change)),
            Value::Object(members) => members.values_mut().for_each(|item| leaves(item, change)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn a_view_comes_back_equal(
            nodes in prop::collection::vec((0_u8..16, 0_u8..4), 0..12), pods in rows(), seen in any::<bool>(),
        ) {
            let view = view(&nodes, &pods, seen);
            let json = serde_json::to_vec(&view).unwrap();
            let back: View = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(&back, &view);
            prop_assert_eq!(serde_json::to_vec(&back).unwrap(), json);
        }

        /// What was tampered with is refused, or is a view all of whose parts can be asked for.
        #[test]
        fn no_tampered_view_panics(pods in rows(), at in any::<prop::sample::Index>(), to in 0_u8..8) {
            let mut json = serde_json::to_value(view(&[(0, 0), (1, 1), (1, 2), (3, 0)], &pods, true)).unwrap();
            let mut count = 0;
            leaves(&mut json, &mut |_| count += 1);
            let (mut index, at) = (0, at.index(count));
            leaves(&mut json, &mut |value| {
                if index == at {
                    *value = match (to, value.as_u64()) {
                        (0, _) => Value::Null,
                        (1, _) => u64::MAX.into(),
                        (2, Some(number)) => number.wrapping_add(1).into(),
                        (3, Some(number)) => number.saturating_sub(1).into(),
                        (4, _) => "".into(),
                        (5, _) => Value::Array(Vec::new()),
                        (6, _) => u64::from(u32::MAX).into(),
                        _ => serde_json::json!([value.clone(), value.clone()]),
                    };
                }
                index += 1;
            });
            if let Ok(view) = serde_json::from_value::<View>(json) {
                let cluster = view.cluster().known();
                for node in 0..9 {
                    let seats = cluster.map(|cluster| cluster.seats(node)).unwrap_or_default();
                    seats.iter().for_each(|seat| drop(cluster.map(|cluster| cluster.name_of(seat))));
                    let _ = (view.node_of(node), view.instance_of(node));
                }
                let back: View = serde_json::from_value(serde_json::to_value(&view).unwrap()).unwrap();
                prop_assert_eq!(back, view);
            }
        }
    }

    #[test]
    fn what_no_survey_reduces_to_is_refused() {
        let good = serde_json::to_value(view(&[(0, 0), (1, 0)], &[(0, 1, 1, false), (0, 2, 2, false)], true))
            .unwrap();
        for (at, to, why) in [
            ("/cluster/known/nodes/0/pods/0/0", serde_json::json!(9), "class 9 is not there"),
            ("/cluster/known/nodes/0/pods/1/0", serde_json::json!(0), "out of order"),
            ("/cluster/known/nodes/0/pods/0/1", serde_json::json!([]), "out of order or none"),
            ("/cluster/known/classes/0/budgets", serde_json::json!([7]), "budgets that are not there"),
            ("/cluster/known/classes/0/requests/cpu_milli", serde_json::json!(0), "not in order"),
            ("/cluster/known/nodes/0/node/name", serde_json::json!("zz"), "nodes are not in order"),
            ("/instances/known/instances/0/id", serde_json::json!("i-1"), "instances are not in order"),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(at).unwrap() = to;
            let error = serde_json::from_value::<View>(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{at}: {error}");
        }
    }
}
