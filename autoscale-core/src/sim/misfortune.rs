//! What befalls the world beside the scenario.

use crate::data::order::Offering;
use crate::data::policy::Policy;
use crate::memory::Rng;
use crate::words::{Span, Zone};

use super::blow::{Blow, Change, Damage};
use super::faults::Rates;
use super::net::Item;
use super::scenario::first_shape;

/// When which misfortune comes, until faults cease.
pub(super) fn misfortunes(rates: &Rates, policy: &Policy, until: Span, mut rng: Rng) -> Vec<(Span, Item)> {
    let mut all = Vec::new();
    let Some(pool) = policy.pools().values().next() else { return all };
    let mut every = |mean: Span, rng: &mut Rng, make: &mut dyn FnMut(&mut Rng) -> Item| {
        again(&mut all, until, mean, rng, make);
    };
    every(rates.interrupt_every, &mut rng, &mut |rng| Item::Blow(Blow::Interrupt(1 + rng.below(2) as u32)));
    every(rates.rebalance_every, &mut rng, &mut |_| Item::Blow(Blow::Rebalance));
    every(rates.kill_every, &mut rng, &mut |_| Item::Blow(Blow::Kill));
    every(rates.store_out_every, &mut rng, &mut |rng| Item::Blow(Blow::StoreOut(minutes(rng, 1, 8))));
    every(rates.silence_every, &mut rng, &mut |rng| Item::Blow(Blow::Silence(minutes(rng, 2, 25))));
    every(rates.human_cordon_every, &mut rng, &mut |rng| Item::Blow(Blow::HumanCordon(minutes(rng, 5, 40))));
    every(rates.pause_every, &mut rng, &mut |rng| Item::Blow(Blow::Pause(minutes(rng, 5, 30))));
    every(rates.unlock_every, &mut rng, &mut |_| Item::Blow(Blow::Unlock));
    every(rates.overlap_every, &mut rng, &mut |_| Item::Overlap);
    let mut windows = Vec::new();
    every(rates.no_capacity_every, &mut rng, &mut |rng| {
        let zone = rng.pick(&pool.zones).cloned();
        let purchase = rng.pick(&pool.purchases).copied();
        let (Some(zone), Some(purchase)) = (zone, purchase) else { return Item::Patrol };
        let offering = Offering::new(zone, purchase, first_shape(pool).name.clone());
        windows.push((offering.clone(), minutes(rng, 10, 60)));
        Item::Blow(Blow::Capacity(offering, Some(0)))
    });
    let starts: Vec<Span> = all
        .iter()
        .filter(|(_, item)| matches!(item, Item::Blow(Blow::Capacity(..))))
        .map(|(at, _)| *at)
        .collect();
    for (start, (offering, length)) in starts.into_iter().zip(windows) {
        all.push((start.plus(length), Item::Blow(Blow::Capacity(offering, None))));
    }
    if rates.hostile {
        hostile(&mut all, &pool.zones, until, &mut rng);
    }
    all
}

fn minutes(rng: &mut Rng, low: u64, high: u64) -> Span {
    rng.span(Span::from_mins(low), Span::from_mins(high))
}

type Planned = Vec<(Span, Item)>;

fn again(all: &mut Planned, until: Span, mean: Span, rng: &mut Rng, make: &mut dyn FnMut(&mut Rng) -> Item) {
    if mean == Span::ZERO {
        return;
    }
    let mut at = rng.span(Span::from_mins(2), mean.times(2));
    while at < until {
        all.push((at, make(rng)));
        at = at.plus(rng.span(Span::from_mins(1), mean.times(2)));
    }
}

/// Draws a blow.
type Make = fn(&mut Rng) -> Blow;

/// How often each hostile blow falls, in minutes, and which.
const HOSTILE: [(u64, Make); 25] = [
    (90, |rng| Blow::Crowd(2 + rng.below(49) as u32)),
    (400, |_| Blow::Record(Damage::Deleted)),
    (500, |_| Blow::Record(Damage::Restored)),
    (400, |rng| {
        let kinds = [Damage::Corrupt, Damage::Truncated, Damage::Huge, Damage::Future, Damage::Hostile];
        Blow::Record(rng.pick(&kinds).copied().unwrap_or(Damage::Corrupt))
    }),
    (240, |rng| Blow::Storm(minutes(rng, 2, 10))),
    (300, |rng| Blow::Denied(minutes(rng, 2, 12))),
    (900, |rng| Blow::Unanswered(minutes(rng, 30, 60))),
    (90, |rng| Blow::Flap(rng.span(Span::from_secs(5), Span::from_mins(6)))),
    (200, |_| Blow::DeleteNode),
    (200, |_| Blow::KillDraining),
    (200, |_| Blow::FalseNotice),
    (150, |_| Blow::ForeignNotice),
    (200, |_| Blow::Withdrawn),
    (200, |_| Blow::ShortNotice),
    (500, |_| Blow::Mass),
    (200, |_| Blow::HumanTerminate),
    (300, |_| Blow::HumanCreate),
    (400, |_| Blow::StripTags),
    (400, |_| Blow::CopyTags),
    (150, |rng| Blow::StuckBudget(minutes(rng, 5, 40))),
    (120, |rng| Blow::AwkwardPods(minutes(rng, 10, 60))),
    (150, |rng| {
        let changes =
            [Change::LowerMax, Change::RaiseMin, Change::Thresholds, Change::Template, Change::Back];
        Blow::Policy(rng.pick(&changes).copied().unwrap_or(Change::Back))
    }),
    (300, |rng| Blow::Swing(minutes(rng, 20, 60))),
    (500, |_| Blow::MoveControlPlane),
    (120, |_| Blow::Park),
];

fn hostile(all: &mut Planned, zones: &[Zone], until: Span, rng: &mut Rng) {
    for (mean, make) in HOSTILE {
        again(all, until, Span::from_mins(mean), rng, &mut |rng| Item::Blow(make(rng)));
    }
    again(all, until, Span::from_mins(250), rng, &mut |_| Item::Blow(Blow::ForeignDriver));
    again(all, until, Span::from_mins(500), rng, &mut |_| Item::Blow(Blow::ForeignCluster));
    // Longer than a token is valid.
    again(all, until, Span::from_mins(20_000), rng, &mut |rng| {
        Item::Blow(Blow::Unanswered(minutes(rng, 8 * 60, 10 * 60)))
    });
    again(all, until, Span::from_mins(500), rng, &mut |rng| {
        let length = minutes(rng, 5, 30);
        rng.pick(zones).map_or(Item::Patrol, |zone| Item::Blow(Blow::FailZone(zone.clone(), length)))
    });
}
