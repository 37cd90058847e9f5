//! Where to buy next: purchase before zone inside the skew, zone before purchase beyond it.

use std::collections::BTreeMap;

use super::scene::Scene;
use crate::data::order::Offering;
use crate::data::policy::PoolPolicy;
use crate::data::record::{PoolMarks, Record};
use crate::words::{Elapsed, Span, Zone};

/// What to buy next.
pub(crate) enum Choice {
    Offering(Offering),
    /// Every offering is backed off; the first is tried again after this.
    NoneUntil(Span),
}

/// Places one instance after the other.
pub(crate) struct Placing<'a> {
    pool: &'a PoolPolicy,
    zones: BTreeMap<Zone, u32>,
    marks: PoolMarks,
    refused: Vec<Offering>,
    now: Elapsed,
}

impl<'a> Placing<'a> {
    pub(crate) fn new(scene: &Scene<'_>, record: &Record, pool: &'a PoolPolicy, now: Elapsed) -> Self {
        let zones =
            scene.zones(record, pool).into_iter().map(|(zone, count)| (zone.clone(), count)).collect();
        let marks = record.marks(&pool.name).into_owned();
        Self { pool, zones, marks, refused: Vec::new(), now }
    }

    /// The same without offerings that an operation has been refused already.
    pub(crate) fn without(mut self, refused: Vec<Offering>) -> Self {
        self.refused = refused;
        self
    }

    /// Chooses the next offering and counts it.
    pub(crate) fn next(&mut self) -> Choice {
        let least = self.zones.values().min().copied().unwrap_or(0);
        let mut zones: Vec<(u32, &Zone)> = self.zones.iter().map(|(zone, count)| (*count, zone)).collect();
        zones.sort();
        let (inside, beyond): (Vec<_>, Vec<_>) = zones
            .into_iter()
            .partition(|(count, _)| count.saturating_add(1) - least <= self.pool.max_zone_skew);
        let offering = |purchase, zone: &Zone| {
            Offering::new(zone.clone(), purchase, self.pool.first_shape().name.clone())
        };
        let near = self.pool.purchases.iter().flat_map(|p| inside.iter().map(|(_, zone)| offering(*p, zone)));
        let far = beyond.iter().flat_map(|(_, zone)| self.pool.purchases.iter().map(|p| offering(*p, zone)));
        let ordered: Vec<Offering> =
            near.chain(far).filter(|offering| !self.refused.contains(offering)).collect();
        let wait = |offering: &Offering| {
            let known = self.marks.offerings.iter().find(|known| known.offering == *offering);
            known.map_or(Span::ZERO, |known| known.backoff.until.since(self.now))
        };
        let chosen = ordered.iter().find(|offering| wait(offering) == Span::ZERO).cloned();
        let Some(offering) = chosen else {
            return Choice::NoneUntil(ordered.iter().map(wait).min().unwrap_or(Span::ZERO));
        };
        if let Some(count) = self.zones.get_mut(&offering.zone) {
            *count += 1;
        }
        Choice::Offering(offering)
    }
}
