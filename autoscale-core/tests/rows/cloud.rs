//! How the cloud and the cluster of a row carry out what is asked of them.

use autoscale_core::data::order::{
    Answer, Blocker, Cordoned, Effect, EvictOrder, EvictPass, LaunchOrder, Launched, Order, Outcome, Refusal,
};
use autoscale_core::data::policy::Purchase;
use autoscale_core::data::view::{Node, Phase};
use autoscale_core::logic::{due, settle};
use autoscale_core::words::{InstanceId, NodeUid};

use super::read::Cloud;
use super::world::World;

impl World {
    /// Carries out what is due, as this cloud does. Gives what was sent, in words.
    pub(crate) fn perform(&mut self, cloud: Cloud) -> Vec<String> {
        if cloud == Cloud::Sleeps {
            return Vec::new();
        }
        let (mut sent, mut outcomes) = (Vec::new(), Vec::new());
        for effect in due(&self.policy, &self.record, &self.view()) {
            let Effect { order, .. } = &effect;
            sent.push(shown(order));
            let answer = self.answer(order, cloud);
            outcomes.push(Outcome::new(effect, answer));
        }
        let tick = self.brings();
        if !outcomes.is_empty() {
            self.record = settle(&self.policy, &self.record, &outcomes, &tick, self.now);
        }
        sent
    }

    fn answer(&mut self, order: &Order, cloud: Cloud) -> Answer {
        match order {
            Order::Launch(order)
                if cloud == Cloud::HasNoCapacity
                    || cloud == Cloud::HasNoSpot && order.offering.purchase == Purchase::Spot =>
            {
                Answer::Refused(Refusal::NoCapacity { why: "none left".to_owned() })
            }
            Order::Launch(order) => self.launch(order, cloud != Cloud::LaunchesStray),
            Order::Terminate(order) => {
                let instance = self.instances.iter_mut().find(|instance| instance.id == order.instance);
                instance.unwrap().phase = Phase::Terminated;
                Answer::Terminating
            }
            Order::Cordon(order) => {
                let node = self.node_of(&order.node_uid);
                node.unschedulable = true;
                (node.cordon, node.stamp) = (Some(order.mark.clone()), Some(order.stamp));
                Answer::Cordoned(Cordoned::Done)
            }
            Order::Uncordon(order) => {
                let node = self.node_of(&order.node_uid);
                node.unschedulable = false;
                (node.cordon, node.stamp) = (None, Some(order.stamp));
                Answer::Cordoned(Cordoned::Done)
            }
            Order::Evict(order) => self.evict(order, cloud == Cloud::KeepsPods),
            Order::Forget(order) => {
                self.cluster.nodes.retain(|node| node.uid != order.node_uid);
                Answer::Forgotten
            }
            other => panic!("an order that the rows do not know: {other:?}"),
        }
    }

    fn launch(&mut self, order: &LaunchOrder, joins: bool) -> Answer {
        let name = format!("new-{}", self.instances.len() + 1);
        let pool = self.policy.pool(&order.pool).unwrap().clone();
        let (zone, now) = (order.offering.zone.clone(), self.now);
        let instance = self.runs(&name, &pool, &zone, now);
        instance.token = Some(order.token.clone());
        (instance.purchase, instance.shape) =
            (Some(order.offering.purchase), Some(order.offering.shape.clone()));
        if joins {
            let of = pool.shape(&order.offering.shape).unwrap().allocatable;
            self.joins(&name, &pool, &zone, now, of);
        }
        Answer::Launched(Launched::new(InstanceId::new(name).unwrap()))
    }

    fn evict(&mut self, order: &EvictOrder, refuse: bool) -> Answer {
        let mut pass = EvictPass::default();
        let uids = order.pods.iter().map(|pod| pod.uid.clone());
        if refuse {
            pass.blocked = uids.map(|uid| (uid, Blocker::Throttled)).collect();
        } else {
            pass.accepted = uids.collect();
            self.cluster.pods.retain(|pod| !pass.accepted.contains(&pod.uid));
        }
        Answer::Evicted(pass)
    }

    fn node_of(&mut self, uid: &NodeUid) -> &mut Node {
        self.cluster.nodes.iter_mut().find(|node| node.uid == *uid).unwrap()
    }
}

fn shown(order: &Order) -> String {
    match order {
        Order::Launch(order) => format!("launch {}: {}", order.pool, order.offering),
        Order::Terminate(order) => format!("terminate {}", order.instance),
        Order::Cordon(order) => format!("cordon {}", order.node),
        Order::Uncordon(order) => format!("uncordon {}", order.node),
        Order::Evict(order) => {
            let pods: Vec<&str> = order.pods.iter().map(|pod| pod.name.as_str()).collect();
            format!("evict {} from {}", pods.join(" "), order.node)
        }
        Order::Forget(order) => format!("forget {}", order.node),
        other => panic!("an order that the rows do not know: {other:?}"),
    }
}
