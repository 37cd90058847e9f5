//! Which source answers which signal.

use std::collections::BTreeMap;

use crate::data::view::SignalQuery;
use crate::words::{ConfigErrors, PoolName, SignalName, Span, truncated};

/// What a source answers: signals of a policy by their name, for all pools or for one, or whatever no other source does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answers {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Signal(Option<PoolName>, SignalName),
    Rest,
}

impl Answers {
    /// These signals, of every pool.
    pub fn signals(signals: impl IntoIterator<Item = SignalName>) -> Self {
        Self { parts: signals.into_iter().map(|signal| Part::Signal(None, signal)).collect() }
    }

    /// These signals of one pool; goes before what is said for every pool.
    pub fn signals_of(pool: &PoolName, signals: impl IntoIterator<Item = SignalName>) -> Self {
        let part = |signal| Part::Signal(Some(pool.clone()), signal);
        Self { parts: signals.into_iter().map(part).collect() }
    }

    /// Everything that no other source is named for.
    pub fn rest() -> Self {
        Self { parts: vec![Part::Rest] }
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.parts.extend(more.parts);
        self
    }
}

/// The sources by number.
#[derive(Debug, Default)]
pub(super) struct Routes {
    of_pool: BTreeMap<SignalQuery, usize>,
    everywhere: BTreeMap<SignalName, usize>,
    rest: Option<usize>,
}

impl Routes {
    /// One way for each signal, or everything that stands against it.
    pub(super) fn of(names: &[&str], answers: &[&Answers], limit: Span) -> Result<Self, ConfigErrors> {
        let mut errors = ConfigErrors::default();
        let mut routes = Self::default();
        if names.is_empty() {
            errors.described("sources", "none", "at least one source");
        }
        if limit == Span::ZERO {
            errors.described("limit", limit.to_string(), "more than zero");
        }
        for (index, (name, answers)) in names.iter().zip(answers).enumerate() {
            if name.trim().is_empty() || names.iter().take(index).any(|earlier| earlier == name) {
                errors.wrong("source", name, "a name that no other source has");
            }
            if answers.parts.is_empty() {
                errors.wrong("answers", name, "at least one signal, or the rest");
            }
            for part in &answers.parts {
                let (taken, what) = match part {
                    Part::Rest => (routes.rest.replace(index), "the rest".to_owned()),
                    Part::Signal(None, signal) => {
                        (routes.everywhere.insert(signal.clone(), index), format!("signal {signal}"))
                    }
                    Part::Signal(Some(pool), signal) => {
                        let query = SignalQuery::new(pool.clone(), signal.clone());
                        (routes.of_pool.insert(query, index), format!("signal {signal} of pool {pool}"))
                    }
                };
                if let Some(other) = taken.and_then(|taken| names.get(taken)) {
                    let both =
                        format!("{what}: \"{}\" and \"{}\"", truncated(other, 80), truncated(name, 80));
                    errors.described("answers", both, "one source for each signal");
                }
            }
        }
        errors.or(routes)
    }

    /// The source that answers a query.
    pub(super) fn source(&self, query: &SignalQuery) -> Option<usize> {
        let everywhere = || self.everywhere.get(&query.signal).or(self.rest.as_ref());
        self.of_pool.get(query).or_else(everywhere).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals<const N: usize>(names: [&str; N]) -> Vec<SignalName> {
        names.map(|name| SignalName::new(name).unwrap()).to_vec()
    }

    fn query(pool: &str, signal: &str) -> SignalQuery {
        SignalQuery::new(PoolName::new(pool).unwrap(), SignalName::new(signal).unwrap())
    }

    #[test]
    fn the_narrowest_way_is_taken() {
        let web = PoolName::new("web").unwrap();
        let (one, two) = (Answers::signals(signals(["cpu"])), Answers::signals_of(&web, signals(["cpu"])));
        let routes =
            Routes::of(&["a", "b", "c"], &[&one, &two, &Answers::rest()], Span::from_secs(1)).unwrap();
        for (pool, signal, source) in [("web", "cpu", 1), ("db", "cpu", 0), ("web", "queue", 2)] {
            assert_eq!(routes.source(&query(pool, signal)), Some(source), "{pool} {signal}");
        }
        let routes = Routes::of(&["a"], &[&one], Span::from_secs(1)).unwrap();
        assert_eq!(routes.source(&query("web", "queue")), None);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let web = PoolName::new("web").unwrap();
        let (cpu, none) = (Answers::signals(signals(["cpu"])), Answers::signals([]));
        let of_web = Answers::signals_of(&web, signals(["cpu"]));
        let all = cpu.clone().and(of_web.clone()).and(Answers::rest());
        let answers = [&all, &all, &none, &cpu];
        let errors = Routes::of(&["a", "b", "", "a\n"], &answers, Span::ZERO).unwrap_err();
        let expected = "limit: 0s: expected more than zero\n\
            answers: signal cpu: \"a\" and \"b\": expected one source for each signal\n\
            answers: signal cpu of pool web: \"a\" and \"b\": expected one source for each signal\n\
            answers: the rest: \"a\" and \"b\": expected one source for each signal\n\
            source: \"\": expected a name that no other source has\n\
            answers: \"\": expected at least one signal, or the rest\n\
            answers: signal cpu: \"b\" and \"a\\u{a}\": expected one source for each signal";
        assert_eq!(errors.to_string(), expected);
        assert_eq!(errors.iter().count(), 7);
        let errors = Routes::of(&["a", "a"], &[&cpu, &of_web], Span::from_secs(1)).unwrap_err();
        assert_eq!(errors.to_string(), "source: \"a\": expected a name that no other source has");
        assert!(
            Routes::of(&[], &[], Span::from_secs(1)).unwrap_err().to_string().contains("at least one source")
        );
    }
}
