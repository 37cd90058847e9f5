//! Histories: split into parts, laid out on their steps, refused when they make no sense.

use autoscale_core::ports::ErrorKind;
use autoscale_core::words::{Span, Timestamp, Unit};
use autoscale_kube::prometheus::{Prometheus, Series, Signal};

use super::server::{Asked, Reply, Server};
use super::{query, signal};

fn source(server: &Server) -> Prometheus {
    let x = Signal::metric(Unit::Count, "x", Series::Sum);
    Prometheus::builder(server.http()).insecure().with_loopback().with_signal(signal("x"), x).build().unwrap()
}

const FROM: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn number(asked: &Asked, name: &str) -> f64 {
    asked.query[name].parse().unwrap()
}

/// Counts the seconds since the beginning, and has no value every tenth step.
fn counting(asked: &Asked) -> Reply {
    let (start, end, step) = (number(asked, "start"), number(asked, "end"), number(asked, "step"));
    let points = ((end - start) / step).round() as u64 + 1;
    if points > 11_000 {
        let body = r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points"}"#;
        return Reply::Whole(400, "application/json", body.to_owned());
    }
    let value = |index: u64| {
        let at = start + index as f64 * step;
        let since = at - 1_700_000_000.0;
        let number =
            if (since / step).round() as u64 % 10 == 9 { "NaN".to_owned() } else { since.to_string() };
        format!(r#"[{at:.3},"{number}"]"#)
    };
    let values: Vec<String> = (0..points).map(value).collect();
    Reply::data("matrix", format!(r#"[{{"metric":{{}},"values":[{}]}}]"#, values.join(",")))
}

#[tokio::test]
async fn long_ones_are_asked_for_in_parts() {
    let server = Server::new(counting).await;
    let (step, count) = (Span::from_secs(15), 25_000);
    let to = FROM.after(step.times(count - 1));
    let past = source(&server).history(&query("web", "x"), FROM, to, step).await.unwrap();
    assert_eq!(past.len() as u64, count);
    for (index, past) in past.iter().enumerate() {
        assert_eq!(past.at, FROM.after(step.times(index as u64)));
        let expected = (index % 10 != 9).then(|| (index * 15).to_string());
        assert_eq!(past.value.map(|value| value.to_string()), expected, "{index}");
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(
        asked
            .iter()
            .all(|asked| asked.path == "/api/v1/query_range" && asked.query["query"] == r#"x{pool="web"}"#)
    );
    assert_eq!(asked[1].query["start"], (1_700_000_000 + 11_000 * 15).to_string() + ".000");
}

#[tokio::test]
async fn an_end_between_two_steps_is_not_passed() {
    let server = Server::new(counting).await;
    let step = Span::from_millis(1_500);
    for (span, count) in [(Span::ZERO, 1), (Span::from_millis(2_999), 2), (Span::from_secs(3), 3)] {
        let past = source(&server).history(&query("web", "x"), FROM, FROM.after(span), step).await.unwrap();
        assert_eq!(past.len(), count, "{span}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_not_sent() {
    let server = Server::new(counting).await;
    let (source, second, x) = (source(&server), Span::from_secs(1), query("web", "x"));
    let later = FROM.after(Span::from_secs(2_000_000));
    for (query, from, to, step) in [
        (query("web", "y"), FROM, FROM, second),
        (x.clone(), FROM, FROM, Span::ZERO),
        (x.clone(), later, FROM, second),
        (x.clone(), FROM, later, second),
    ] {
        let error = source.history(&query, from, to, step).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_part_that_fails_fails_the_whole() {
    for (reply, kind) in [
        (Reply::Whole(503, "text/plain", String::new()), ErrorKind::Unavailable),
        (Reply::Whole(403, "text/plain", String::new()), ErrorKind::Denied { action: "query".to_owned() }),
        (
            Reply::Whole(429, "text/plain", String::new()),
            ErrorKind::Throttled { retry_after: Some(Span::from_secs(7)) },
        ),
        (Reply::data("vector", "[]"), ErrorKind::Invalid),
        (
            Reply::json(
                r#"{"status":"success","warnings":["partly"],"data":{"resultType":"matrix","result":[]}}"#,
            ),
            ErrorKind::Unavailable,
        ),
        (Reply::data("matrix", r#"[{"metric":{},"values":[[1,"1"]]}]"#), ErrorKind::Unavailable),
    ] {
        let second = reply.clone();
        let server =
            Server::new(
                move |asked| if number(asked, "start") > 1.7e9 { second.clone() } else { counting(asked) },
            )
            .await;
        let to = FROM.after(Span::from_secs(12_000));
        let error =
            source(&server).history(&query("web", "x"), FROM, to, Span::from_secs(1)).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{error}");
    }
}
