//! Where to buy next: purchase before zone inside the skew, zone before purchase beyond it.

use std::collections::BTreeMap;

use super::scene::Scene;
use crate::data::explain::Hold;
use crate::data::order::Offering;
use crate::data::policy::{PoolPolicy, Purchase};
use crate::data::record::{PoolMarks, Record};
use crate::words::{Elapsed, ShapeName, Span, Zone};

/// What to buy next.
pub(crate) enum Choice {
    Offering(Offering),
    /// Every offering is backed off; the first is tried again after this.
    NoneUntil(Span),
    /// Every zone has as many nodes as it may have.
    ZonesFull,
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

    /// How many nodes are in a zone, those placed so far counted.
    pub(crate) fn population(&self, zone: &Zone) -> u32 {
        self.zones.get(zone).copied().unwrap_or(0)
    }

    /// Whether a shape can be had in a zone now.
    pub(crate) fn is_open(&self, shape: &ShapeName, zone: &Zone) -> bool {
        let offering = |purchase| Offering::new(zone.clone(), purchase, shape.clone());
        !self.is_full(zone) && self.pool.purchases.iter().any(|p| self.left(&offering(*p)) == Span::ZERO)
    }

    fn is_full(&self, zone: &Zone) -> bool {
        self.pool.max_per_zone.is_some_and(|most| self.population(zone) >= most)
    }

    /// How long an offering is still left alone.
    fn left(&self, offering: &Offering) -> Span {
        let known = self.marks.offerings.iter().find(|known| known.offering == *offering);
        known.map_or(Span::ZERO, |known| known.backoff.until.since(self.now))
    }

    /// How many more nodes there may be in all zones together.
    pub(crate) fn places(&self) -> u64 {
        let Some(most) = self.pool.max_per_zone else { return u64::MAX };
        self.pool.zones.iter().map(|zone| u64::from(most.saturating_sub(self.population(zone)))).sum()
    }

    /// What keeps pods from a node that some zone and shape would be right for: a backoff, or full zones.
    pub(crate) fn blocked(&self) -> Option<Hold> {
        let (full, free): (Vec<&Zone>, Vec<&Zone>) =
            self.pool.zones.iter().partition(|zone| self.is_full(zone));
        let shapes = || self.pool.shapes.iter().map(|shape| &shape.name);
        let pairs = free.into_iter().flat_map(|zone| shapes().map(move |shape| (shape, zone)));
        let shut = pairs.filter(|(shape, zone)| !self.is_open(shape, zone));
        let left = shut.flat_map(|(shape, zone)| {
            let offering = |purchase: &Purchase| Offering::new(zone.clone(), *purchase, shape.clone());
            self.pool.purchases.iter().map(move |purchase| self.left(&offering(purchase)))
        });
        let most = self.pool.max_per_zone.filter(|_| !full.is_empty());
        left.min().map(|left| Hold::NoOffering { left }).or_else(|| most.map(|most| Hold::ZonesFull { most }))
    }

    /// Chooses the next offering and counts it.
    pub(crate) fn next(&mut self) -> Choice {
        self.next_of(None, None)
    }

    /// The same, of a shape if that can be had.
    pub(crate) fn next_like(&mut self, shape: Option<&ShapeName>) -> Choice {
        match self.next_of(shape, None) {
            Choice::NoneUntil(_) if shape.is_some() => self.next(),
            choice => choice,
        }
    }

    /// The same, of one shape and in one zone where that is asked for.
    pub(crate) fn next_of(&mut self, shape: Option<&ShapeName>, zone: Option<&Zone>) -> Choice {
        let least = self.zones.values().min().copied().unwrap_or(0);
        let mut zones: Vec<(u32, &Zone)> = self.zones.iter().map(|(zone, count)| (*count, zone)).collect();
        zones.retain(|(_, at)| zone.is_none_or(|zone| zone == *at) && !self.is_full(at));
        zones.sort();
        if zones.is_empty() {
            return Choice::ZonesFull;
        }
        let (inside, beyond): (Vec<_>, Vec<_>) = zones
            .into_iter()
            .partition(|(count, _)| count.saturating_add(1) - least <= self.pool.max_zone_skew);
        let shapes = self.pool.shapes.iter().map(|own| &own.name);
        let shapes: Vec<&ShapeName> = shapes.filter(|own| shape.is_none_or(|shape| shape == *own)).collect();
        let purchases = &self.pool.purchases;
        let offering =
            |purchase, zone: &Zone, shape: &ShapeName| Offering::new(zone.clone(), purchase, shape.clone());
        let mut ordered = Vec::new();
        for purchase in purchases {
            for shape in &shapes {
                ordered.extend(inside.iter().map(|(_, zone)| offering(*purchase, zone, shape)));
            }
        }
        for (_, zone) in &beyond {
            for purchase in purchases {
                ordered.extend(shapes.iter().map(|shape| offering(*purchase, zone, shape)));
            }
        }
        ordered.retain(|offering| !self.refused.contains(offering));
        let chosen = ordered.iter().find(|offering| self.left(offering) == Span::ZERO).cloned();
        let Some(offering) = chosen else {
            return Choice::NoneUntil(ordered.iter().map(|at| self.left(at)).min().unwrap_or(Span::ZERO));
        };
        if let Some(count) = self.zones.get_mut(&offering.zone) {
            *count += 1;
        }
        Choice::Offering(offering)
    }
}
