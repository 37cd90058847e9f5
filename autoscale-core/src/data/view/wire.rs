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
