//! The tests.

use super::MetricsStage;
use crate::conformance::check::{Ended, able, ensure};
use crate::data::view::{Reading, Sample, SignalQuery};
use crate::words::{Fixed, Span};

const NUMBERS: [Fixed; 3] = [Fixed::from_micros(700_000), Fixed::from_int(12), Fixed::from_int(3)];
/// How much later than it was set a number may be read.
const SLACK: Span = Span::from_secs(30);

async fn set_all(stage: &dyn MetricsStage) -> [SignalQuery; 3] {
    let queries = stage.queries();
    for (query, number) in queries.iter().zip(NUMBERS) {
        stage.set(query, Some((number, Span::ZERO))).await;
    }
    queries
}

fn reading<'a>(samples: &'a [Sample], query: &SignalQuery) -> Option<&'a Reading> {
    samples.iter().find(|sample| sample.query == *query).map(|sample| &sample.reading)
}

fn asked(samples: &[Sample]) -> Vec<&SignalQuery> {
    samples.iter().map(|sample| &sample.query).collect()
}

pub(super) async fn one_sample_for_each_query(stage: &dyn MetricsStage) -> Ended {
    let [one, two, three] = set_all(stage).await;
    for wanted in [
        vec![one.clone(), two.clone(), three.clone()],
        vec![three.clone(), one.clone()],
        vec![two, one, three],
    ] {
        let samples = stage.source().sample(&wanted).await;
        let asked = asked(&samples);
        ensure!(asked == wanted.iter().collect::<Vec<_>>(), "asked for {wanted:?}, answered {asked:?}");
    }
    Ok(())
}

pub(super) async fn no_query_no_sample(stage: &dyn MetricsStage) -> Ended {
    set_all(stage).await;
    let samples = stage.source().sample(&[]).await;
    ensure!(samples.is_empty(), "asked for nothing, answered {samples:?}");
    Ok(())
}

pub(super) async fn numbers_come_back(stage: &dyn MetricsStage) -> Ended {
    let queries = set_all(stage).await;
    let samples = stage.source().sample(&queries).await;
    for (query, number) in queries.iter().zip(NUMBERS) {
        let got = reading(&samples, query);
        let same = matches!(got, Some(Reading::Value { value, .. }) if *value == number);
        ensure!(same, "{query:?} was set to {number}, and reads {got:?}");
    }
    Ok(())
}

pub(super) async fn missing_is_missing(stage: &dyn MetricsStage) -> Ended {
    let [_, gone, _] = set_all(stage).await;
    stage.set(&gone, None).await;
    let samples = stage.source().sample(std::slice::from_ref(&gone)).await;
    // That it is left out is another test's.
    let got = reading(&samples, &gone);
    let missing = got.is_none_or(|got| matches!(got, Reading::Missing { .. }));
    ensure!(missing, "a number that is not there reads {got:?}");
    Ok(())
}

pub(super) async fn missing_is_not_left_out(stage: &dyn MetricsStage) -> Ended {
    let queries = set_all(stage).await;
    let [_, gone, _] = &queries;
    stage.set(gone, None).await;
    let samples = stage.source().sample(&queries).await;
    let asked = asked(&samples);
    ensure!(asked == queries.iter().collect::<Vec<_>>(), "with the second missing, answered {asked:?}");
    Ok(())
}

pub(super) async fn silence_is_failed(stage: &dyn MetricsStage) -> Ended {
    let queries = set_all(stage).await;
    able(stage.silence().await, "the stage cannot silence the source")?;
    for sample in stage.source().sample(&queries).await {
        let failed = matches!(sample.reading, Reading::Failed { .. });
        ensure!(failed, "a source that does not answer gave {:?}", sample.reading);
    }
    Ok(())
}

pub(super) async fn failures_are_inside(stage: &dyn MetricsStage) -> Ended {
    let queries = set_all(stage).await;
    able(stage.silence().await, "the stage cannot silence the source")?;
    let samples = stage.source().sample(&queries).await;
    ensure!(samples.len() == queries.len(), "a source that does not answer gave {} samples", samples.len());
    Ok(())
}

pub(super) async fn age_counts_from_the_measurement(stage: &dyn MetricsStage) -> Ended {
    let [query, ..] = stage.queries();
    let (number, old) = (Fixed::from_int(5), Span::from_secs(42));
    stage.set(&query, Some((number, old))).await;
    let samples = stage.source().sample(std::slice::from_ref(&query)).await;
    let got = reading(&samples, &query);
    let Some(Reading::Value { age, .. }) = got else {
        ensure!(false, "a number measured {old} ago reads {got:?}");
        return Ok(());
    };
    ensure!(*age >= old && *age <= old.plus(SLACK), "a number measured {old} ago is said to be {age} old");
    Ok(())
}

pub(super) async fn asking_changes_nothing(stage: &dyn MetricsStage) -> Ended {
    let queries = set_all(stage).await;
    let values = |samples: Vec<Sample>| -> Vec<Option<Fixed>> {
        let value = |sample: Sample| match sample.reading {
            Reading::Value { value, .. } => Some(value),
            _ => None,
        };
        samples.into_iter().map(value).collect()
    };
    let one = values(stage.source().sample(&queries).await);
    let two = values(stage.source().sample(&queries).await);
    ensure!(one == two, "asked twice: {one:?}, then {two:?}");
    Ok(())
}
