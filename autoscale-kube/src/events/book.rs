//! What was told when: repeats become series, and nobody is flooded. Pure: the time is an argument.

use std::collections::BTreeMap;

use autoscale_core::words::{Deadline, Fnv128, Span};

use super::config::EventConfig;
use super::told::{Regarding, Told};

/// So many different events are remembered; beyond that the ones that were told longest ago are forgotten.
const MAX_KNOWN: usize = 2_048;

/// What is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Write {
    /// A new event of this name.
    New { name: String, told: Box<Told> },
    /// An event that was written before has happened so often.
    Again { name: String, namespace: String, count: u32, told: Box<Told> },
}

#[derive(Debug)]
struct Known {
    name: String,
    count: u32,
    written: Deadline,
}

/// The book of one author.
#[derive(Debug)]
pub(super) struct Book {
    config: EventConfig,
    known: BTreeMap<u128, Known>,
    /// Writes that are allowed now, as the time in which they are gained.
    saved: Span,
    filled: Deadline,
    names: u64,
}

fn key(told: &Told) -> u128 {
    let (kind, namespace, name, uid) = match &told.regarding {
        Regarding::Node { name, uid } => ("node", "", name.as_str(), uid.as_str()),
        Regarding::Pod { namespace, name, uid } => ("pod", namespace.as_str(), name.as_str(), uid.as_str()),
        Regarding::Pools => ("pools", "", "", ""),
    };
    let parts =
        [kind, namespace, name, uid, told.reason, told.action, told.same.as_ref().unwrap_or(&told.note)];
    parts.iter().fold(Fnv128::default(), |hash, part| hash.with(part.as_bytes()).with(&[0])).finish()
}

impl Book {
    pub(super) fn new(config: EventConfig, now: Deadline) -> Self {
        let saved = config.every.times(u64::from(config.burst));
        Self { config, known: BTreeMap::new(), saved, filled: now, names: 0 }
    }

    /// Where an event is kept: with its object, those about nodes in `default`.
    pub(super) fn namespace(&self, told: &Told) -> String {
        match &told.regarding {
            Regarding::Node { .. } => "default".to_owned(),
            Regarding::Pod { namespace, .. } => namespace.clone(),
            Regarding::Pools => self.config.namespace.clone(),
        }
    }

    /// What of a round is to be written now, and how many events are not told.
    pub(super) fn take(&mut self, round: Vec<Told>, now: Deadline) -> (Vec<Write>, u64) {
        self.fill(now);
        let (mut writes, mut dropped) = (Vec::new(), 0);
        for told in round {
            let key = key(&told);
            if let Some(known) = self.known.get_mut(&key) {
                known.count = known.count.saturating_add(1);
                if now.since(known.written) < self.config.repeat {
                    continue;
                }
            }
            if writes.len() >= self.config.per_round || self.saved < self.config.every {
                dropped += 1;
                continue;
            }
            self.saved = self.saved.minus(self.config.every);
            let namespace = self.namespace(&told);
            let told = Box::new(told);
            writes.push(match self.known.get_mut(&key) {
                Some(known) => {
                    known.written = now;
                    Write::Again { name: known.name.clone(), namespace, count: known.count, told }
                }
                None => {
                    let name = self.name(&told, key, now);
                    self.remember(key, Known { name: name.clone(), count: 1, written: now });
                    Write::New { name, told }
                }
            });
        }
        (writes, dropped)
    }

    /// It could not be written: the next time it is new again.
    pub(super) fn forget(&mut self, told: &Told) {
        self.known.remove(&key(told));
    }

    fn fill(&mut self, now: Deadline) {
        let most = self.config.every.times(u64::from(self.config.burst));
        self.saved = self.saved.plus(now.since(self.filled)).min(most);
        self.filled = now;
    }

    /// Valid, and nobody else's: other replicas and earlier processes have another instance or another time.
    fn name(&mut self, told: &Told, key: u128, now: Deadline) -> String {
        self.names += 1;
        let salt = [now.as_millis().to_le_bytes(), self.names.to_le_bytes()].concat();
        let hash = Fnv128::default()
            .with(&key.to_le_bytes())
            .with(self.config.instance.as_bytes())
            .with(&salt)
            .finish();
        let of = match &told.regarding {
            Regarding::Node { name, .. } | Regarding::Pod { name, .. } => name.as_str(),
            Regarding::Pools => self.config.name.as_str(),
        };
        let of = of.get(..200.min(of.len())).filter(|of| crate::request::is_dns(of)).unwrap_or("autoscale");
        format!("{of}.{hash:032x}")
    }

    fn remember(&mut self, key: u128, known: Known) {
        if self.known.len() >= MAX_KNOWN {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.written).map(|(key, _)| *key);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(key, known);
    }
}

/// How long an author waits for an answer before it goes on to the next event.
pub(super) const ANSWER: Span = Span::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Deadline {
        Deadline::from_millis(seconds * 1_000)
    }

    fn told(note: &str) -> Told {
        let regarding = Regarding::Node { name: "n1".to_owned(), uid: "u".to_owned() };
        Told {
            warning: false,
            reason: "ScaleDown",
            action: "ScaleDown",
            regarding,
            related: None,
            note: note.to_owned(),
            same: None,
        }
    }

    fn book(per_round: usize, burst: u32) -> Book {
        let mut config = EventConfig::new("a");
        (config.per_round, config.burst) = (per_round, burst);
        Book::new(config, at(0))
    }

    #[test]
    fn repeats_are_one_series() {
        let mut book = book(20, 50);
        let (first, _) = book.take(vec![told("x")], at(0));
        let Write::New { name, .. } = &first[0] else { panic!("{first:?}") };
        assert!(name.starts_with("n1."), "{name}");
        for second in 1..10 {
            assert_eq!(book.take(vec![told("x")], at(second)), (vec![], 0), "counted, not told");
        }
        let (again, _) = book.take(vec![told("x")], at(301));
        let expected = Write::Again {
            name: name.clone(),
            namespace: "default".to_owned(),
            count: 11,
            told: Box::new(told("x")),
        };
        assert_eq!(again, [expected]);
        book.forget(&told("x"));
        let (new, _) = book.take(vec![told("x")], at(302));
        assert!(matches!(&new[0], Write::New { name: other, .. } if other != name), "{new:?}");
    }

    #[test]
    fn rounds_and_times_are_bounded() {
        let round = |from: usize| (from..from + 10).map(|n| told(&n.to_string())).collect::<Vec<_>>();
        let mut book = book(4, 6);
        let counts = |(writes, dropped): (Vec<Write>, u64)| (writes.len(), dropped);
        assert_eq!(counts(book.take(round(0), at(0))), (4, 6));
        assert_eq!(counts(book.take(round(10), at(0))), (2, 8), "the burst is over");
        assert_eq!(counts(book.take(round(20), at(2))), (0, 10));
        assert_eq!(counts(book.take(round(20), at(3))), (1, 9), "one for three seconds");
        assert_eq!(counts(book.take(round(30), at(100_000))), (4, 6));
        assert_eq!(counts(book.take(round(40), at(100_000))), (2, 8), "no more than the burst is saved");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut book = book(1, 10_000);
        for number in 0..3_000 {
            book.take(vec![told(&number.to_string())], at(number));
        }
        assert_eq!(book.known.len(), MAX_KNOWN);
        assert!(
            matches!(book.take(vec![told("2999")], at(3_600)).0[0], Write::Again { .. }),
            "the newest are known"
        );
        assert!(
            matches!(book.take(vec![told("0")], at(3_600)).0[0], Write::New { .. }),
            "the oldest are not"
        );
    }
}
