//! Questions that decide nothing: what pending pods need, and which nodes may go.

use std::collections::BTreeMap;

use super::market::Market;
use super::pick::{self, Most};
use super::scene::Scene;
use super::sight::Sight;
use super::situation;
use super::size::{self, Buyer};
use super::work::Work;
use crate::data::explain::NodeReport;
use crate::data::policy::Policy;
use crate::data::record::Record;
use crate::data::view::View;
use crate::logic::Tick;
use crate::words::{InstanceId, PoolName, ShapeName, Timestamp, Zone};

/// What one pool would buy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Purchase {
    /// Of which pool.
    pub pool: PoolName,
    /// Of which shape.
    pub shape: ShapeName,
    /// In which zone, where the pods need one.
    pub zone: Option<Zone>,
    /// How many nodes.
    pub nodes: u32,
}

/// What pending pods need.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Sizing {
    /// What to buy, in order.
    pub purchases: Vec<Purchase>,
    /// Pods that would stay pending: because of `most`, or because no node of any pool would hold them.
    pub left: u64,
}

impl Sizing {
    /// All nodes together.
    pub fn nodes(&self) -> u32 {
        self.purchases.iter().map(|purchase| purchase.nodes).sum()
    }
}

/// What the pods that wait for a node need, all pools together: first-fit decreasing by their requests, the best pool and
/// shape by the policy's `choose`. No rule, cooldown, batch or `max` is looked at; no pool buys more than `most`.
pub fn sizing(
    policy: &Policy,
    record: &Record,
    view: &View,
    tick: &Tick,
    now: Timestamp,
    most: u32,
) -> Sizing {
    let sight = Sight::new(policy, view);
    let scene = Scene::new(&sight, record);
    let work = work((policy, record), view, &sight, tick, now);
    let Some(cluster) = scene.cluster else { return Sizing::default() };
    let market = Market::new(policy, &scene, cluster);
    let demand = situation::demand(&work, &market, cluster);
    let demand = demand.into_iter().map(|(kind, (pods, _))| (kind, pods)).collect();
    let buyer = |pool| Buyer::new(&scene, record, pool, work.now, u64::from(most));
    let mut buyers: Vec<Buyer<'_>> = policy.pools().values().map(buyer).collect();
    let starting = market.starting(&scene, record);
    let sized = size::size(policy, &market, &mut buyers, starting, demand);
    let mut purchases: Vec<Purchase> = Vec::new();
    for (pool, wants) in sized.wants {
        for want in wants {
            let (shape, zone) = (want.shape.name.clone(), want.zone.cloned());
            match purchases.last_mut() {
                Some(last) if last.pool == *pool && last.shape == shape && last.zone == zone => {
                    last.nodes += 1
                }
                _ => purchases.push(Purchase { pool: pool.clone(), shape, zone, nodes: 1 }),
            }
        }
    }
    Sizing { purchases, left: sized.left.iter().map(|(_, pods)| pods).sum() }
}

/// Which nodes of a pool may go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Removable {
    /// Those that may go together, in the order in which they would.
    pub instances: Vec<InstanceId>,
    /// Every node of the pool with its verdict, those that may go first.
    pub nodes: Vec<NodeReport>,
    /// How many nodes each reason holds back.
    pub refused: BTreeMap<String, u32>,
}

/// Which nodes of a pool may go together, at most `most`, and why the others may not. No rule, cooldown, batch or `min` is
/// looked at. The view has to cover every pod; where it does not, no node may go.
pub fn removable(
    policy: &Policy,
    record: &Record,
    view: &View,
    tick: &Tick,
    now: Timestamp,
    (pool, most): (&PoolName, u32),
) -> Removable {
    let sight = Sight::new(policy, view);
    let scene = Scene::new(&sight, record);
    let work = work((policy, record), view, &sight, tick, now);
    let Some(pool) = policy.pool(pool) else { return Removable::default() };
    let most = Most { nodes: most, drains: most, anyone: false, told: usize::MAX };
    let picked = pick::pick(&work, &scene, pool, most);
    let instances = picked.picks.iter().map(|pick| pick.body.id.clone()).collect();
    Removable { instances, nodes: picked.told, refused: picked.refused }
}

fn work<'a>(
    (policy, record): (&'a Policy, &Record),
    view: &'a View,
    sight: &'a Sight<'a>,
    tick: &'a Tick,
    now: Timestamp,
) -> Work<'a> {
    let elapsed = record.elapsed_at(now);
    let (actions, alarms) = (Vec::new(), Vec::new());
    Work { policy, view, sight, tick, next: record.clone(), now: elapsed, wall: now, actions, alarms }
}
