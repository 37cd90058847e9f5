//! How many nodes pending pods need, of which pools and shapes: first-fit decreasing for each, then the best of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::market::{Market, Offer};
use super::place::Placing;
use super::scene::Scene;
use crate::data::policy::{Choose, Policy, PoolPolicy, Shape};
use crate::data::record::Record;
use crate::logic::fit::{Bin, Kind, Pack};
use crate::words::{Elapsed, PoolName, Zone};

/// A pool that may grow: by how much and where.
#[derive(Debug)]
pub(crate) struct Buyer<'a> {
    pub(crate) pool: &'a PoolPolicy,
    /// At most so many nodes.
    pub(crate) most: u64,
    /// For each shape, by its place in the policy, the zones in which it can be had now.
    pub(crate) open: Vec<Vec<&'a Zone>>,
    /// How many nodes are in each zone.
    pub(crate) zones: BTreeMap<&'a Zone, u32>,
}

impl<'a> Buyer<'a> {
    /// A pool that may buy so many nodes, or as many as its zones have places.
    pub(crate) fn new(
        scene: &Scene<'_>,
        record: &Record,
        pool: &'a PoolPolicy,
        now: Elapsed,
        most: u64,
    ) -> Self {
        let placing = Placing::new(scene, record, pool, now);
        let open =
            |shape: &Shape| pool.zones.iter().filter(|zone| placing.is_open(&shape.name, zone)).collect();
        Self {
            pool,
            most: most.min(placing.places()),
            open: pool.shapes.iter().map(open).collect(),
            zones: pool.zones.iter().map(|zone| (zone, placing.population(zone))).collect(),
        }
    }
}

/// A node to buy: of which shape, and in which zone where the pods need one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Want<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) zone: Option<&'a Zone>,
}

/// What to buy for pending pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sized<'a> {
    pub(crate) wants: BTreeMap<&'a PoolName, Vec<Want<'a>>>,
    /// Pods that stay pending because of some limit, by kind.
    pub(crate) left: Vec<(u32, u64)>,
}

/// Sizes for a demand: pods by kind, those that ask for more first. `starting` are nodes on their way.
pub(crate) fn size<'a>(
    policy: &Policy,
    market: &'a Market<'a>,
    buyers: &mut [Buyer<'a>],
    starting: Vec<Bin<'a>>,
    mut demand: Vec<(u32, u64)>,
) -> Sized<'a> {
    let mut coming = Pack::default();
    starting.into_iter().for_each(|bin| coming.add(bin));
    for (kind, pods) in &mut demand {
        let Some(kind) = market.kinds.get(*kind) else { continue };
        let admits = |site: u32| {
            market.offers.get(site as usize).is_some_and(|offer| market.holds(kind, offer).is_ok())
        };
        *pods = coming.fill(kind, *pods, admits);
    }
    demand.retain(|(_, pods)| *pods > 0);
    let mut sized = Sized::default();
    while !demand.is_empty() {
        let mut best: Option<Plan<'a>> = None;
        for (at, buyer) in buyers.iter().enumerate().filter(|(_, buyer)| buyer.most > 0) {
            for shape in 0..buyer.pool.shapes.len() {
                let Some(plan) = Plan::new(market, buyer, at, shape, &demand) else { continue };
                if best.as_ref().is_none_or(|best| plan.compare(policy, best) == Ordering::Less) {
                    best = Some(plan);
                }
            }
        }
        let Some(Plan { buyer, wants, left, .. }) = best else { break };
        let Some(buyer) = buyers.get_mut(buyer) else { break };
        buyer.most = buyer.most.saturating_sub(wants.len() as u64);
        for zone in wants.iter().filter_map(|want| want.zone) {
            *buyer.zones.entry(zone).or_default() += 1;
        }
        sized.wants.entry(&buyer.pool.name).or_default().extend(wants);
        demand = left;
    }
    sized.left = demand;
    sized
}

/// What one shape of one pool would do for a demand.
struct Plan<'a> {
    buyer: usize,
    pool: &'a PoolPolicy,
    shape: &'a Shape,
    at: usize,
    wants: Vec<Want<'a>>,
    left: Vec<(u32, u64)>,
    waste: u64,
    /// What the pods that it seats ask for, where a CPU counts as 4 GiB.
    seated: u128,
}

impl<'a> Plan<'a> {
    /// `None` when it seats nobody.
    fn new(
        market: &'a Market<'a>,
        buyer: &Buyer<'a>,
        at: usize,
        shape_at: usize,
        demand: &[(u32, u64)],
    ) -> Option<Self> {
        let shape = buyer.pool.shapes.get(shape_at)?;
        let open = buyer.open.get(shape_at)?;
        let offers: Vec<(u32, &'a Offer<'a>)> = (0..)
            .zip(&market.offers)
            .filter(|(_, offer)| offer.pool.name == buyer.pool.name && offer.shape.name == shape.name)
            .filter(|(_, offer)| open.contains(&offer.zone))
            .collect();
        let (_, sample) = offers.first().copied()?;
        let anywhere = market.offers.len() as u32;
        let (mut pack, mut left) = (Pack::default(), Vec::new());
        let mut zones = buyer.zones.clone();
        let mut seated = 0_u128;
        let places: Vec<(u32, u64, Vec<u32>)> = demand
            .iter()
            .filter_map(|(kind, pods)| {
                let of = market.kinds.get(*kind)?;
                let admitting = offers.iter().filter(|(_, offer)| market.holds(of, offer).is_ok());
                Some((*kind, *pods, admitting.map(|(at, _)| *at).collect()))
            })
            .collect();
        // Pods that are bound to some of the zones first: theirs are nodes on which all others may be as well.
        for bound in [true, false] {
            for (id, pods, sites) in places.iter().filter(|(.., sites)| (sites.len() < offers.len()) == bound)
            {
                let Some(kind) = market.kinds.get(*id) else { continue };
                let mut rest = pack.fill(kind, *pods, |site| !bound || sites.contains(&site));
                while rest > 0 && !sites.is_empty() && pack.opened < buyer.most {
                    let most = buyer.most - pack.opened;
                    let (site, most) = if bound {
                        let zone = |site: &u32| market.offers.get(*site as usize).map(|offer| offer.zone);
                        let population = |site: &u32| zone(site).and_then(|zone| zones.get(zone)).copied();
                        let least = |site: &&u32| (population(site).unwrap_or(0), **site);
                        let full =
                            |site: &u32| buyer.pool.max_per_zone.is_some_and(|most| least(&site).0 >= most);
                        let Some(site) = sites.iter().filter(|site| !full(site)).min_by_key(least) else {
                            break;
                        };
                        zone(site).into_iter().for_each(|zone| *zones.entry(zone).or_default() += 1);
                        (*site, 1)
                    } else {
                        (anywhere, most)
                    };
                    let before = rest;
                    rest = pack.open(kind, rest, &sample.bin(site, 1, true), most);
                    if rest == before {
                        break;
                    }
                }
                seated += weight(kind, pods - rest);
                left.extend((rest > 0).then_some((*id, rest)));
            }
        }
        left.sort_unstable();
        let wants = pack.bins().iter().flat_map(|bin| {
            let zone = market.offers.get(bin.site as usize).map(|offer| offer.zone);
            (0..bin.nodes).map(move |_| Want { shape, zone })
        });
        let wants: Vec<Want<'a>> = wants.collect();
        let waste = if buyer.pool.pods_per_node.is_some() { 0 } else { pack.waste(&sample.empty) };
        let plan = Self { buyer: at, pool: buyer.pool, shape, at: shape_at, wants, left, waste, seated };
        (!plan.wants.is_empty()).then_some(plan)
    }

    /// Which is better: `Less` for this one. Ties go to the name of the pool and the place of the shape in it.
    fn compare(&self, policy: &Policy, other: &Self) -> Ordering {
        let by_waste = || self.waste.cmp(&other.waste);
        let chosen = match policy.choose() {
            Choose::LeastWaste => by_waste(),
            Choose::Price => {
                let cost = |plan: &Self| {
                    let price = plan.shape.price.map_or(0, |price| price.as_micros().max(0) as u128);
                    price.saturating_mul(plan.wants.len() as u128)
                };
                // By what is paid for what is seated; multiplied crosswise, so that nothing is rounded.
                let (own, theirs) =
                    (cost(self).saturating_mul(other.seated), cost(other).saturating_mul(self.seated));
                own.cmp(&theirs).then_with(by_waste)
            }
            Choose::Priority => other.pool.priority.cmp(&self.pool.priority).then_with(by_waste),
            Choose::Order(order) => {
                let place =
                    |plan: &Self| order.iter().position(|name| *name == plan.pool.name).unwrap_or(usize::MAX);
                place(self).cmp(&place(other))
            }
        };
        chosen.then_with(|| self.pool.name.cmp(&other.pool.name)).then_with(|| self.at.cmp(&other.at))
    }
}

fn weight(kind: &Kind<'_>, pods: u64) -> u128 {
    let part = |dimension: usize| u128::from(kind.amount.get(dimension).copied().unwrap_or(0));
    (part(0) + part(1) / (4 << 20) + 1) * u128::from(pods)
}
