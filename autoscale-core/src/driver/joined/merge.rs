//! What a source answered, put to what it was asked.

use crate::data::view::{Reading, Sample, SignalQuery};

/// One reading for each query, in their order, whatever the source made of them.
pub(super) fn readings(name: &str, queries: &[SignalQuery], samples: Vec<Sample>) -> Vec<Reading> {
    let in_order = samples.len() == queries.len()
        && queries.iter().zip(&samples).all(|(query, sample)| sample.query == *query);
    if in_order {
        return samples.into_iter().map(|sample| sample.reading).collect();
    }
    queries.iter().map(|query| reading(name, query, queries.len(), &samples)).collect()
}

/// The one reading about a query.
fn reading(name: &str, query: &SignalQuery, asked: usize, samples: &[Sample]) -> Reading {
    let mut about = samples.iter().filter(|sample| sample.query == *query).map(|sample| &sample.reading);
    match about.next() {
        None => Reading::Failed {
            why: format!("{name} gave {} samples for {asked} queries, and none for this one", samples.len()),
        },
        Some(first) if about.all(|other| other == first) => first.clone(),
        Some(_) => Reading::Missing { why: format!("{name} gave contradictory samples for this signal") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Fixed, PoolName, SignalName, Span};

    fn query(signal: &str) -> SignalQuery {
        SignalQuery::new(PoolName::new("web").unwrap(), SignalName::new(signal).unwrap())
    }

    fn sample(signal: &str, value: i64) -> Sample {
        Sample::new(query(signal), Reading::Value { value: Fixed::from_int(value), age: Span::ZERO })
    }

    #[test]
    fn a_wrong_number_of_samples_shifts_nothing() {
        let queries = [query("cpu"), query("memory"), query("queue")];
        let text = |samples: Vec<Sample>| -> Vec<String> {
            let show = |reading: Reading| match reading {
                Reading::Value { value, .. } => value.to_string(),
                Reading::Missing { why } => format!("missing: {why}"),
                Reading::Failed { why } => format!("failed: {why}"),
            };
            readings("s", &queries, samples).into_iter().map(show).collect()
        };
        let none =
            |count: u32| format!("failed: s gave {count} samples for 3 queries, and none for this one");
        for (samples, expected) in [
            (
                vec![sample("cpu", 1), sample("memory", 2), sample("queue", 3)],
                ["1", "2", "3"].map(str::to_owned),
            ),
            (
                vec![sample("queue", 3), sample("cpu", 1), sample("memory", 2)],
                ["1", "2", "3"].map(str::to_owned),
            ),
            (vec![sample("cpu", 1), sample("queue", 3)], ["1".to_owned(), none(2), "3".to_owned()]),
            (vec![], [none(0), none(0), none(0)]),
            (
                vec![sample("other", 9), sample("cpu", 1), sample("memory", 2), sample("queue", 3)],
                ["1", "2", "3"].map(str::to_owned),
            ),
            (
                vec![sample("cpu", 1), sample("memory", 2), sample("memory", 4), sample("queue", 3)],
                ["1", "missing: s gave contradictory samples for this signal", "3"].map(str::to_owned),
            ),
        ] {
            assert_eq!(text(samples), expected);
        }
    }

    #[test]
    fn a_query_that_is_there_twice_is_answered_twice() {
        let queries = [query("cpu"), query("cpu")];
        assert_eq!(readings("s", &queries, vec![sample("cpu", 1)]).len(), 2);
        let two = readings("s", &queries, vec![sample("cpu", 1), sample("cpu", 2)]);
        assert_ne!(
            two.first(),
            two.last(),
            "what is in order is taken as it is; the rules see the contradiction"
        );
    }
}
