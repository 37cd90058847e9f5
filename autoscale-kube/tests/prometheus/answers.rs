//! Answers that are no number, each told by its name.

use autoscale_core::words::{Span, Unit};
use autoscale_kube::prometheus::{Prometheus, Series, Signal};

use super::server::{Asked, Reply, Server};
use super::{query, read, signal};

fn source(server: &Server, series: Series) -> Prometheus {
    let x = Signal::metric(Unit::Ratio, "x", series);
    Prometheus::builder(server.http())
        .insecure()
        .with_loopback()
        .with_limit(Span::from_secs(5))
        .with_signal(signal("x"), x)
        .build()
        .unwrap()
}

fn is_time(asked: &Asked) -> bool {
    asked.query["query"].starts_with("min(timestamp(")
}

/// What becomes of an answer to the query for the value; that for the time is answered well.
async fn told(reply: Reply) -> String {
    let answer =
        move |asked: &Asked| if is_time(asked) { Reply::value(1_699_999_990) } else { reply.clone() };
    let server = Server::new(answer).await;
    read(&source(&server, Series::One), &query("web", "x")).await
}

fn series(values: &[&str]) -> Reply {
    let one = |value: &&str| format!(r#"{{"metric":{{"instance":"n"}},"value":[1700000000,"{value}"]}}"#);
    Reply::data("vector", format!("[{}]", values.iter().map(one).collect::<Vec<_>>().join(",")))
}

fn error(code: u16, kind: &str) -> Reply {
    let body = format!(r#"{{"status":"error","errorType":"{kind}","error":"in the server's words"}}"#);
    Reply::Whole(code, "application/json", body)
}

#[tokio::test]
async fn numbers() {
    for (reply, expected) in [
        (Reply::value("0.7"), "0.7, 10s old"),
        (Reply::value("7e-1"), "0.7, 10s old"),
        (Reply::data("scalar", r#"[1700000000,"0.25"]"#), "0.25, 10s old"),
        (series(&[]), "missing: Prometheus: empty result"),
        (series(&["NaN"]), "missing: Prometheus: not a number"),
        (series(&["+Inf"]), "missing: Prometheus: infinite"),
        (series(&["-Inf"]), "missing: Prometheus: infinite"),
        (series(&["1e308"]), "missing: Prometheus: outside the range of ±9.2e12"),
        (series(&["-0.1"]), "missing: Prometheus: a negative value, -0.1, which its unit does not have"),
        (series(&["-0"]), "0, 10s old"),
        (series(&["0.1", "0.1"]), "missing: Prometheus: 2 series where one is expected"),
        (
            Reply::data("matrix", "[]"),
            "failed: Prometheus: the query gives a matrix, expected an instant vector or a scalar",
        ),
        (
            Reply::data("string", r#"[1,"x"]"#),
            "failed: Prometheus: the query gives a string, expected an instant vector or a scalar",
        ),
        (
            Reply::json(
                r#"{"status":"success","warnings":["a store is gone"],"data":{"resultType":"vector","result":[]}}"#,
            ),
            "missing: Prometheus: the server warned: a store is gone",
        ),
    ] {
        assert_eq!(told(reply.clone()).await, expected, "{reply:?}");
    }
}

#[tokio::test]
async fn several_series_as_the_signal_says() {
    for (kind, expected) in [
        (Series::Sum, "0.9, 10s old"),
        (Series::Average, "0.3, 10s old"),
        (Series::Least, "0.2, 10s old"),
        (Series::Greatest, "0.4, 10s old"),
    ] {
        let server = Server::new(|asked| {
            if is_time(asked) { Reply::value(1_699_999_990) } else { series(&["0.2", "0.3", "0.4"]) }
        })
        .await;
        assert_eq!(read(&source(&server, kind), &query("web", "x")).await, expected);
    }
}

#[tokio::test]
async fn refusals() {
    for (reply, expected) in [
        (
            error(400, "bad_data"),
            "failed: Prometheus: the query is not valid (400): bad_data: in the server's words",
        ),
        (
            error(422, "execution"),
            "failed: Prometheus: the query could not be evaluated (422): execution: in the server's words",
        ),
        (
            error(503, "timeout"),
            "failed: Prometheus: the server cannot answer (503): timeout: in the server's words",
        ),
        (
            error(200, "internal"),
            "failed: Prometheus: the server cannot answer (200): internal: in the server's words",
        ),
        (Reply::Whole(401, "text/plain", "no".to_owned()), "failed: Prometheus: not logged in (401)"),
        (Reply::Whole(403, "text/plain", "no".to_owned()), "failed: Prometheus: not logged in (403)"),
        (Reply::Whole(429, "text/plain", "slow".to_owned()), "failed: Prometheus: too many requests (429)"),
        (
            Reply::Whole(502, "text/html", "<html>".to_owned()),
            "failed: Prometheus: the server cannot answer (502): without a reason, as text/html",
        ),
        (
            Reply::Whole(200, "text/html", "<html>log in</html>".to_owned()),
            "failed: Prometheus: the answer is no JSON but text/html",
        ),
        (
            Reply::Whole(200, "", r#"{"status":"success"}"#.to_owned()),
            "failed: Prometheus: the answer is no JSON but something unnamed",
        ),
    ] {
        assert_eq!(told(reply.clone()).await, expected, "{reply:?}");
    }
    let cut = Reply::Raw(
        b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"sta".to_vec(),
    );
    assert!(told(cut).await.starts_with("failed: Prometheus: no answer: "));
    assert!(told(Reply::Raw(b"SSH-2.0-x\r\n".to_vec())).await.starts_with("failed: Prometheus: no answer: "));
    assert!(
        told(Reply::json("[]"))
            .await
            .starts_with("failed: Prometheus: the answer is not what Prometheus answers: ")
    );
}

/// The reply points to another port of this machine: nobody goes there.
#[tokio::test]
async fn nobody_is_followed() {
    let elsewhere = Server::new(|_| Reply::value("0.7")).await;
    let to = format!("{}/api/v1/query", elsewhere.http());
    for code in [301, 302, 303, 307, 308] {
        let head =
            format!("HTTP/1.1 {code} x\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let expected = format!("failed: Prometheus: redirected with {code}, which is not followed");
        assert_eq!(told(Reply::Raw(head.into_bytes())).await, expected);
    }
    assert_eq!(elsewhere.asked().len(), 0);
}

#[tokio::test]
async fn huge_answers_are_not_read_to_their_end() {
    let huge = "failed: Prometheus: the answer has more than 8 MiB";
    let promised =
        b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 9000000000\r\n\r\n".to_vec();
    assert_eq!(told(Reply::Raw(promised)).await, huge);
    assert_eq!(told(Reply::Endless).await, huge);
}

#[tokio::test]
async fn who_does_not_answer_in_time_has_failed() {
    let server = Server::new(|_| Reply::Nothing).await;
    let hurried = Prometheus::builder(server.http())
        .insecure()
        .with_loopback()
        .with_limit(Span::from_millis(100))
        .with_signal(signal("x"), Signal::metric(Unit::Count, "x", Series::One))
        .build()
        .unwrap();
    assert_eq!(read(&hurried, &query("web", "x")).await, "failed: Prometheus: no answer in time");
    let gone = source(&server, Series::One);
    drop(server);
    let text = read(&gone, &query("web", "x")).await;
    assert!(text.starts_with("failed: Prometheus: no answer"), "{text}");
}

#[tokio::test]
async fn a_number_of_which_nobody_knows_when_it_was_measured_is_none() {
    for (reply, expected) in [
        (Reply::value(1_699_999_400), "0.7, 10m old"),
        (Reply::value(1_700_000_030), "0.7, 0s old"),
        (Reply::value("1699999999.5"), "0.7, 500ms old"),
        (
            Reply::value(1_700_000_090),
            "missing: Prometheus: when it was measured: measured 1m30s in the future",
        ),
        (series(&[]), "missing: Prometheus: when it was measured: empty result"),
        (series(&["NaN"]), "missing: Prometheus: when it was measured: not a number"),
        (series(&["1699999990", "1699999940"]), "0.7, 1m old"),
        (
            error(503, "timeout"),
            "failed: Prometheus: when it was measured: the server cannot answer (503): timeout: in the server's words",
        ),
    ] {
        let answer = reply.clone();
        let server =
            Server::new(move |asked| if is_time(asked) { answer.clone() } else { Reply::value("0.7") }).await;
        let text = read(&source(&server, Series::One), &query("web", "x")).await;
        assert_eq!(text, expected, "{reply:?}");
    }
}
