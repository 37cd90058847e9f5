//! What a replica tells of itself: when it is alive, when it is ready, and how much it keeps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use autoscale_core::driver::{Ended, Report};
use autoscale_core::words::{HolderId, Span, Timestamp};
use controller::board::Board;
use controller::serve::{Shown, answer};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use common::{ServerClock, policy, server};

fn report(ended: Ended) -> Report {
    Report::new(Timestamp::from_millis(0), policy(), ended)
}

#[tokio::test]
async fn alive_while_it_ticks_and_ready_while_it_works() {
    let server = server(1);
    let board = Board::new(Arc::new(ServerClock(server.clone())), 3, Span::from_mins(1), false);
    assert!(board.alive().is_ok());
    assert_eq!(board.ready(), Err("nothing has been done yet".to_owned()));
    server.advance(Span::from_secs(61));
    assert_eq!(board.alive(), Err("nothing was done for 1m1s".to_owned()));
    for (ended, ready) in [
        (Ended::Done, Ok(())),
        (Ended::Busy { holder: HolderId::new("other").unwrap(), until: Timestamp::from_millis(1) }, Ok(())),
        (Ended::Halted { why: "it is another's".to_owned() }, Err("halted: it is another's".to_owned())),
        (
            Ended::NoAuthority { why: "no answer".to_owned() },
            Err("the record could not be reached: no answer".to_owned()),
        ),
    ] {
        board.ticked(&report(ended), &[]);
        assert_eq!(board.ready(), ready);
        assert!(board.alive().is_ok(), "a restart would not help");
    }
    // Three times interval and limit of the policy: 90 s.
    server.advance(Span::from_secs(90));
    assert!(board.alive().is_ok());
    server.advance(Span::from_secs(1));
    assert!(board.alive().is_err());
    board.ticked(&report(Ended::Done), &[]);
    board.policy_is_bad("min: 9".to_owned());
    assert!(board.ready().is_ok(), "the last good policy is at work");
    board.is_stopping();
    assert_eq!(board.ready(), Err("stopping".to_owned()));
}

#[tokio::test]
async fn decisions_are_bounded_in_number_and_length() {
    let board = Board::new(Arc::new(ServerClock(server(1))), 3, Span::from_mins(1), false);
    let shown = |most| serde_json::from_str::<Vec<Value>>(&board.decisions(most)).unwrap();
    assert_eq!(shown(9), Vec::<Value>::new());
    for number in 0..5 {
        board.ticked(&report(Ended::Halted { why: format!("\"{number}\"\n") }), &[]);
    }
    let whys: Vec<Value> = shown(9).iter().map(|one| one["why"].clone()).collect();
    assert_eq!(whys, [json!("\"4\"\n"), json!("\"3\"\n"), json!("\"2\"\n")], "newest first");
    assert_eq!(shown(1).len(), 1);
    board.ticked(&report(Ended::Done), &[json!("x".repeat(300 << 10))]);
    let newest = shown(1).remove(0);
    assert!(newest.get("would_send").is_none() && newest["left_out"].is_string(), "{newest}");
}

#[tokio::test]
async fn no_answer_is_longer_than_a_mebibyte_and_the_newest_is_in_it() {
    let board = Board::new(Arc::new(ServerClock(server(1))), 50, Span::from_mins(1), false);
    for number in 0..20 {
        board.ticked(&report(Ended::Halted { why: number.to_string() }), &[json!("x".repeat(200 << 10))]);
    }
    let text = board.decisions(usize::MAX);
    assert!(text.len() <= (1 << 20) + 100, "{}", text.len());
    let shown: Vec<Value> = serde_json::from_str(&text).unwrap();
    let whys: Vec<&str> = shown.iter().map(|one| one["why"].as_str().unwrap()).collect();
    assert_eq!(whys, ["19", "18", "17", "16", "15"]);
}

#[tokio::test]
async fn who_asks_for_decisions_takes_no_place_of_a_probe() {
    let board = Arc::new(Board::new(Arc::new(ServerClock(server(1))), 50, Span::from_mins(1), false));
    let shown = Shown::new(board, None);
    let ask = |path: &str| answer(&Request::get(path).body(()).unwrap(), &shown);
    let (first, second) = (ask("/decisions"), ask("/decisions?limit=1"));
    assert_eq!((first.0.status(), second.0.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(first.0.headers()["connection"], "close");
    let (third, held) = ask("/decisions");
    assert_eq!((third.status(), held.is_some()), (StatusCode::TOO_MANY_REQUESTS, false));
    assert_eq!(
        (&third.headers()["retry-after"], &third.headers()["connection"]),
        (&"1".parse().unwrap(), &"close".parse().unwrap())
    );
    for probe in ["/healthz", "/metrics"] {
        let (answer, held) = ask(probe);
        assert_eq!((answer.status(), held.is_some()), (StatusCode::OK, false), "{probe}");
    }
    // One has been sent.
    drop(second);
    assert_eq!(ask("/decisions").0.status(), StatusCode::OK);
}
