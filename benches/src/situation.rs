//! The states in which a decision finds a cluster. Each is reached as in life: by ticks that store their records.

use autoscale_core::data::policy::Policy;
use autoscale_core::data::record::{Fingerprint, Record};
use autoscale_core::data::view::{ClusterView, Listing, Reading, Sample, Scope, Seen, SignalQuery, View};
use autoscale_core::logic::{Planned, Tick, plan, wanted};
use autoscale_core::words::{Fixed, HolderId, Inc, SignalName, Span, Timestamp, WriteId};

use crate::Town;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const STEP: Span = Span::from_secs(60);
const LAUNCH_DELAY: Span = Span::from_mins(7);

/// What there is to decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Case {
    /// Nothing; the survey has only nodes.
    Quiet,
    /// Nothing; the survey has every pod.
    QuietEverything,
    /// Pods have been waiting for long enough: three for each node.
    Up,
    /// The nodes have been idle for long enough.
    Down,
}

impl Case {
    /// All of them, with the name each is measured under.
    pub const ALL: [(&'static str, Self); 4] = [
        ("quiet", Self::Quiet),
        ("quiet-everything", Self::QuietEverything),
        ("up", Self::Up),
        ("down", Self::Down),
    ];
}

/// Everything that one decision is made on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Situation {
    /// What is asked for.
    pub policy: Policy,
    /// As it was stored last.
    pub record: Record,
    /// Now.
    pub now: Timestamp,
    /// As the provider lists them.
    pub listing: Listing,
    /// As the drainer surveys it.
    pub survey: ClusterView,
    samples: Vec<Sample>,
    tick: Tick,
}

impl Situation {
    /// A town of so many nodes, ticked until the decision of the case is due.
    pub fn new(case: Case, nodes: usize) -> Self {
        let town = Town::new(nodes, START);
        let (policy, record) = (town.policy.clone(), founding(&town.policy));
        let (listing, survey) =
            (Listing::new(START, town.instances.clone()), town.survey(START, Scope::Everything));
        let tick = Tick::new(HolderId::new("bench").expect("letters"), write_id("w"), LAUNCH_DELAY);
        let samples = cpu(&policy, 0.5);
        let mut here = Self { policy, record, now: START, listing, survey, samples, tick };
        here.store();
        // The silence after the founding, then a life without events.
        here.look(&town, Scope::Pending);
        here.pass(LAUNCH_DELAY.plus(Span::from_mins(10)));
        match case {
            Case::Quiet => {}
            Case::QuietEverything => here.look(&town, Scope::Everything),
            Case::Up => {
                let waiting = Town::pending(3 * nodes, here.now);
                here.survey.pods.clone_from(&waiting);
                here.pass(Span::from_secs(180));
                here.wait();
                // As the decision asks for before it buys: what DaemonSets take of a new node has to be seen.
                here.look(&town, Scope::Everything);
                here.survey.pods.extend(waiting);
            }
            Case::Down => {
                here.samples = cpu(&here.policy, 0.2);
                here.pass(Span::from_secs(600));
                here.wait();
                let scope = wanted(&here.policy, &here.record, here.now);
                here.look(&town, scope);
            }
        }
        here
    }

    /// The view, reduced from copies of the lists.
    pub fn view(&self) -> View {
        self.reduce(self.listing.clone(), self.survey.clone())
    }

    /// The view, reduced from lists that were copied before.
    pub fn reduce(&self, listing: Listing, survey: ClusterView) -> View {
        View::new(self.now, Seen::Known(listing), Seen::Known(survey), self.samples.clone())
    }

    /// Decides.
    pub fn plan(&self, view: &View) -> Planned {
        plan(&self.policy, &self.record, view, &self.tick, self.now).expect("nothing contradicts the record")
    }

    fn look(&mut self, town: &Town, scope: Scope) {
        self.survey = town.survey(self.now, scope);
    }

    fn pass(&mut self, span: Span) {
        for _ in 0..span.as_secs() / STEP.as_secs() {
            self.wait();
            self.store();
        }
    }

    fn wait(&mut self) {
        self.now = self.now.after(STEP);
        (self.listing.at, self.survey.at) = (self.now, self.now);
    }

    fn store(&mut self) {
        self.tick = self.tick.clone().with_write_id(write_id(&format!("w{}", self.now.as_millis())));
        let planned = self.plan(&self.view());
        if planned.changed && planned.storable {
            self.record = planned.next;
        }
    }
}

fn founding(policy: &Policy) -> Record {
    let fingerprint = Fingerprint::of(policy.cluster(), "");
    Record::founding(fingerprint, Inc::new("bench001").expect("letters and digits"), write_id("w0"), START)
}

fn write_id(text: &str) -> WriteId {
    WriteId::new(text).expect("letters and digits")
}

fn cpu(policy: &Policy, share: f64) -> Vec<Sample> {
    let value = Fixed::from_f64(share).expect("a share");
    let signal = SignalName::new("cpu").expect("letters");
    let query = |pool| SignalQuery::new(pool, signal.clone());
    let reading = Reading::Value { value, age: Span::from_secs(15) };
    policy.pools().keys().map(|pool| Sample::new(query(pool.clone()), reading.clone())).collect()
}

#[cfg(test)]
mod tests {
    use autoscale_core::data::explain::{Action, Hold, Verdict};
    use autoscale_core::data::view::Seat;

    use super::*;
    use crate::{OWNERS, PODS_PER_NODE};

    const SIZES: [usize; 3] = [10, 100, 1_000];

    fn decided(case: Case, nodes: usize) -> (View, Planned) {
        let here = Situation::new(case, nodes);
        let view = here.view();
        let planned = here.plan(&view);
        assert_eq!(planned.explanation.alarms, [] as [&str; 0], "{case:?} of {nodes}");
        assert_eq!(planned.needs, None, "{case:?} of {nodes}");
        (view, planned)
    }

    #[test]
    fn nothing_is_due_when_it_is_quiet() {
        for nodes in SIZES {
            for (case, on_nodes) in [(Case::Quiet, 0), (Case::QuietEverything, nodes * PODS_PER_NODE)] {
                let (view, planned) = decided(case, nodes);
                let cluster = view.cluster().known().unwrap();
                let seats = (0..nodes).flat_map(|node| cluster.seats(node));
                assert_eq!(seats.map(|seat| seat.count as usize).sum::<usize>(), on_nodes);
                for pool in &planned.explanation.pools {
                    assert_eq!(pool.verdict, Verdict::Hold(vec![Hold::Quiet]), "{}", pool.pool);
                }
            }
        }
    }

    #[test]
    fn a_pool_grows_when_pods_have_waited() {
        for nodes in SIZES {
            let (_, planned) = decided(Case::Up, nodes);
            let pools = &planned.explanation.pools;
            assert!(
                pools.iter().any(|pool| matches!(pool.verdict, Verdict::Grow { .. })),
                "{nodes}: {pools:?}"
            );
        }
    }

    #[test]
    fn nodes_go_when_they_have_been_idle() {
        for nodes in SIZES {
            let (_, planned) = decided(Case::Down, nodes);
            let actions = &planned.explanation.actions;
            let removes = |action: &&Action| matches!(action, Action::Remove { .. });
            assert!(!actions.is_empty(), "{}", planned.explanation);
            assert_eq!(actions.iter().filter(removes).count(), actions.len());
        }
    }

    /// A town has as many classes, whatever its size, and no more seats than pods. Everything that a view holds is a node,
    /// an instance, a class, a seat or the name of a pod.
    #[test]
    fn a_view_is_as_large_as_its_nodes_and_classes() {
        let (view, _) = decided(Case::QuietEverything, 1_000);
        let cluster = view.cluster().known().unwrap();
        let (grown, _) = decided(Case::QuietEverything, 2_000);
        for cluster in [cluster, grown.cluster().known().unwrap()] {
            let classes = cluster.classes().len();
            assert!((OWNERS..OWNERS + 200).contains(&classes), "{classes} classes");
        }
        let seats: usize = (0..1_000).map(|node| cluster.seats(node).len()).sum();
        assert_eq!(seats, 1_000 * PODS_PER_NODE, "each pod of a node is of an owner of its own");
        assert_eq!(size_of::<Seat>(), 12);
    }
}
