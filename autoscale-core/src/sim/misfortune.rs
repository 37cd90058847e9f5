//! What befalls the world beside the scenario.

use crate::data::order::Offering;
use crate::data::policy::Policy;
use crate::memory::Rng;
use crate::words::Span;

use super::faults::Rates;
use super::net::Item;
use super::scenario::Blow;

/// When which misfortune comes, until faults cease.
pub(super) fn misfortunes(rates: &Rates, policy: &Policy, until: Span, mut rng: Rng) -> Vec<(Span, Item)> {
    let mut all = Vec::new();
    let Some(pool) = policy.pools().values().next() else { return all };
    let mut every = |mean: Span, rng: &mut Rng, make: &mut dyn FnMut(&mut Rng) -> Item| {
        if mean == Span::ZERO {
            return;
        }
        let mut at = rng.span(Span::from_mins(2), mean.times(2));
        while at < until {
            all.push((at, make(rng)));
            at = at.plus(rng.span(Span::from_mins(1), mean.times(2)));
        }
    };
    let minutes = |rng: &mut Rng, low, high| rng.span(Span::from_mins(low), Span::from_mins(high));
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
        let offering = Offering::new(zone, purchase, pool.shape.name.clone());
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
    all
}
