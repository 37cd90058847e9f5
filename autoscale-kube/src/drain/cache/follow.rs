//! List, then watch, for as long as the cache lives.
//!
//! Not the `watcher` of `kube`: it hands out no bookmarks and no times, by which the age of a quiet kind is told, and decodes
//! whole objects where these are reduced to facts as they come.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use autoscale_core::ports::Clock;
use autoscale_core::words::{Span, Timestamp};
use futures_util::future::{Either, select};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::future::Future;
use std::pin::pin;

use super::kinds::Kind;
use super::mirror::{Key, Mirror};
use crate::connection::{Answer, Connection, Opened};
use crate::drain::config::DrainConfig;
use crate::drain::meta::{Bare, Meta, Page};
use crate::lines::Lines;
use crate::request::get;

/// The server ends a watch after so long, in seconds; a client that is gone is noticed then.
const WATCH_SECONDS: &str = "300";

/// No answer to a request has begun after this: it is given up.
const ANSWER: Span = Span::from_secs(30);

/// Waits between tries: at least the half of this, doubled with each, up to 30 seconds.
const FIRST_WAIT: Span = Span::from_millis(500);
const MAX_WAIT: Span = Span::from_secs(30);

/// After so many failures in a row a watch is not tried again from where it was: everything is listed anew.
const MAX_FAILURES: u32 = 4;

/// What a task needs to reach the API server.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) connection: Connection,
    pub(super) config: DrainConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) silence: Span,
}

/// Why a list or a watch ended too early.
#[derive(Debug)]
pub(super) enum Broken {
    /// What it was to go on from is not kept any longer, or cannot be relied on.
    Expired(String),
    /// Anything else.
    Failed(String),
}

/// Follows one kind for good, from the moment it is wanted.
pub(super) async fn follow<K: Kind>(mirror: Arc<Mirror<K>>, wire: Wire) {
    mirror.wanted().await;
    // Tries in a row that came to nothing say how long to wait; those since the last whole list, whether to list again.
    let (mut failures, mut since_list): (u32, u32) = (0, 0);
    loop {
        let before = mirror.version();
        let ended = match before {
            None => list(&mirror, &wire).await,
            Some(version) => watch(&mirror, &wire, version).await,
        };
        // A watch that came no further was no use, whatever its end.
        let further = mirror.version() > before;
        match ended {
            Ok(()) if before.is_none() => {
                since_list = 0;
                continue;
            }
            Ok(()) => failures = if further { 0 } else { failures.saturating_add(1) },
            Err(Broken::Expired(why)) => {
                failures = failures.saturating_add(1);
                mirror.trouble(Some(why));
                mirror.lose();
            }
            Err(Broken::Failed(why)) => {
                failures = if further { 1 } else { failures.saturating_add(1) };
                since_list = if further { 1 } else { since_list.saturating_add(1) };
                mirror.trouble(Some(why));
                if since_list >= MAX_FAILURES {
                    mirror.lose();
                }
            }
        }
        if failures > 0 {
            wire.clock.sleep(pause(failures, RandomState::new().hash_one(failures))).await;
        }
    }
}

/// How long to wait before the next try; `draw` is any number.
fn pause(failures: u32, draw: u64) -> Span {
    let whole = FIRST_WAIT.times(1 << failures.saturating_sub(1).min(8)).min(MAX_WAIT);
    let half = whole.divided(2);
    half.plus(Span::from_millis(draw % half.as_millis().max(1)))
}

/// What comes within a time.
pub(super) async fn within<T>(clock: &dyn Clock, limit: Span, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(clock.sleep(limit))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(((), _)) => None,
    }
}

/// One request within its time.
pub(super) async fn ask(
    wire: &Wire,
    path: &str,
    query: &[(&str, &str)],
    action: &str,
) -> Result<Answer, Broken> {
    let sent = within(&*wire.clock, ANSWER, wire.connection.send(get(path, query))).await;
    let silent = || Broken::Failed(format!("{action}: no answer"));
    let answer =
        sent.ok_or_else(silent)?.map_err(|silence| Broken::Failed(format!("{action}: {}", silence.0)))?;
    refused(&answer, action).map_or(Ok(answer), Err)
}

fn refused(answer: &Answer, action: &str) -> Option<Broken> {
    let failure = answer.failure()?;
    let why = format!("{action}: {} {}", failure.code, failure.message);
    Some(if failure.code == 410 { Broken::Expired(why) } else { Broken::Failed(why) })
}

/// A version as a number. API servers count with one counter for all objects of a kind.
pub(super) fn number(text: &str, action: &str) -> Result<u64, Broken> {
    text.parse()
        .map_err(|_| Broken::Failed(format!("{action}: \"{text}\" is no version that can be compared")))
}

/// Everything, page by page, each object reduced as it comes and put into place: two lists are never held at once.
async fn list<K: Kind>(mirror: &Mirror<K>, wire: &Wire) -> Result<(), Broken> {
    let action = format!("list {}", mirror.kind.resource());
    let (path, limit) = (mirror.kind.path(), wire.config.page.max(1).to_string());
    let (mut next, mut first): (String, Option<(u64, Timestamp)>) = (String::new(), None);
    mirror.begin();
    loop {
        let mut query = vec![("limit", limit.as_str())];
        query.extend(mirror.kind.selector().map(|selector| ("fieldSelector", selector)));
        if !next.is_empty() {
            query.push(("continue", &next));
        }
        let began = wire.clock.now();
        let answer = ask(wire, &path, &query, &action).await?;
        let unread = |error| Broken::Failed(format!("{action}: {error}"));
        let page: Page<K::Raw> = answer.parse().map_err(unread)?;
        let at = answer.date.unwrap_or(began);
        drop(answer);
        if first.is_none() {
            first = Some((number(&page.metadata.resource_version, &action)?, at));
        }
        for raw in page.items {
            place(mirror, wire, raw);
        }
        next = page.metadata.next;
        // All pages are of the moment of the first.
        if let (true, Some((version, at))) = (next.is_empty(), first) {
            mirror.finish(version, at);
            return Ok(());
        }
    }
}

fn key(meta: &Meta) -> Key {
    (meta.namespace.as_str().into(), meta.name.as_str().into())
}

fn place<K: Kind>(mirror: &Mirror<K>, wire: &Wire, raw: K::Raw) {
    let key = key(K::meta(&raw));
    mirror.put(key, mirror.kind.keep(raw, &wire.config));
}

/// Every change since a version, until the server or the connection ends it.
async fn watch<K: Kind>(mirror: &Mirror<K>, wire: &Wire, version: u64) -> Result<(), Broken> {
    let action = format!("watch {}", mirror.kind.resource());
    let version = version.to_string();
    let mut query = vec![
        ("watch", "1"),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", WATCH_SECONDS),
        ("resourceVersion", version.as_str()),
    ];
    query.extend(mirror.kind.selector().map(|selector| ("fieldSelector", selector)));
    let request = get(&mirror.kind.path(), &query);
    let failed = |why: &dyn std::fmt::Display| Broken::Failed(format!("{action}: {why}"));
    let opened = within(&*wire.clock, ANSWER, wire.connection.open(request)).await;
    let opened = opened.ok_or_else(|| failed(&"no answer"))?.map_err(|silence| failed(&silence.0))?;
    let mut lines: Lines = match opened {
        Opened::Lines(lines) => {
            mirror.trouble(None);
            lines
        }
        Opened::Refused(answer) => {
            return Err(refused(&answer, &action).unwrap_or_else(|| failed(&format!("code {}", answer.code))));
        }
    };
    loop {
        let line = within(&*wire.clock, wire.silence, lines.next());
        match select(pin!(mirror.lost()), pin!(line)).await {
            Either::Left(((), _)) => return Err(failed(&"the server's version has gone back")),
            Either::Right((None, _)) => return Err(failed(&"it has said nothing for too long")),
            Either::Right((Some(Ok(None)), _)) => return Ok(()),
            Either::Right((Some(Ok(Some(line))), _)) => take(mirror, wire, line, &action)?,
            Either::Right((Some(Err(silence)), _)) => return Err(failed(&silence.0)),
        }
    }
}

/// What a line is about.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "object")]
    _object: IgnoredAny,
}

#[derive(Deserialize)]
struct Line<T> {
    object: T,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: u16,
    message: String,
}

/// One event. What cannot be read may have been anything: everything is then listed anew.
fn take<K: Kind>(mirror: &Mirror<K>, wire: &Wire, line: &[u8], action: &str) -> Result<(), Broken> {
    let unread = |error: serde_json::Error| Broken::Expired(format!("{action}: {error}"));
    let told: Told = serde_json::from_slice(line).map_err(unread)?;
    let version = |meta: &Meta| match number(&meta.resource_version, action) {
        Ok(version) => Ok(version),
        Err(Broken::Failed(why) | Broken::Expired(why)) => Err(Broken::Expired(why)),
    };
    match told.kind.as_str() {
        "ADDED" | "MODIFIED" => {
            let Line { object } = serde_json::from_slice::<Line<K::Raw>>(line).map_err(unread)?;
            let version = version(K::meta(&object))?;
            place(mirror, wire, object);
            mirror.advance(version);
        }
        "DELETED" => {
            let Line { object } = serde_json::from_slice::<Line<Bare>>(line).map_err(unread)?;
            let version = version(&object.metadata)?;
            mirror.put(key(&object.metadata), None);
            mirror.advance(version);
        }
        "BOOKMARK" => {
            let Line { object } = serde_json::from_slice::<Line<Bare>>(line).map_err(unread)?;
            mirror.advance(version(&object.metadata)?);
        }
        "ERROR" => {
            let Line { object } = serde_json::from_slice::<Line<Problem>>(line).map_err(unread)?;
            let why = format!("{action}: {} {}", object.code, object.message);
            return Err(if object.code == 410 { Broken::Expired(why) } else { Broken::Failed(why) });
        }
        other => return Err(Broken::Expired(format!("{action}: an event of the unknown type \"{other}\""))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::kinds::Nodes;

    fn take_all(lines: &[&str]) -> (Mirror<Nodes>, Vec<Result<(), String>>) {
        let server = crate::fake::ApiServer::default();
        let wire = Wire {
            connection: Connection::from_client(server.client()),
            config: DrainConfig::new(),
            clock: Arc::new(autoscale_core::driver::SystemClock::new()),
            silence: Span::from_secs(1),
        };
        let mirror = Mirror::new(Nodes);
        mirror.begin();
        mirror.finish(1, Timestamp::from_millis(0));
        let told = |broken| match broken {
            Broken::Expired(why) => format!("expired {why}"),
            Broken::Failed(why) => format!("failed {why}"),
        };
        let taken =
            lines.iter().map(|line| take(&mirror, &wire, line.as_bytes(), "watch nodes").map_err(told));
        let taken = taken.collect();
        (mirror, taken)
    }

    #[tokio::test]
    async fn events_change_what_is_kept() {
        let node = r#"{"metadata":{"name":"n","uid":"u","resourceVersion":"5"}}"#;
        let added = format!(r#"{{"type":"ADDED","object":{node}}}"#);
        let mark = r#"{"type":"BOOKMARK","object":{"kind":"Node","metadata":{"resourceVersion":"9"}}}"#;
        let (mirror, taken) = take_all(&[&added, mark]);
        assert_eq!(taken, [Ok(()), Ok(())]);
        assert_eq!((mirror.len(), mirror.version()), (1, Some(9)));
        let deleted = added.replace("ADDED", "DELETED").replace("\"5\"", "\"6\"");
        let (mirror, taken) = take_all(&[&added, &deleted]);
        assert_eq!(taken, [Ok(()), Ok(())]);
        assert_eq!((mirror.len(), mirror.version()), (0, Some(6)));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_listed_anew() {
        for (line, expected) in [
            ("{\"type\":\"ADDED\",\"object\":{\"met", "expired"),
            (r#"{"type":"ADDED","object":{"metadata":{"name":"n"}}}"#, "expired"),
            (r#"{"type":"MODIFIED","object":{"metadata":{"name":"n","resourceVersion":"x-1"}}}"#, "expired"),
            (r#"{"type":"ADDED","object":{"metadata":{"name":7}}}"#, "expired"),
            (r#"{"type":"BOOKMARK","object":{}}"#, "expired"),
            (r#"{"type":"NOVEL","object":{}}"#, "expired"),
            (r#"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}"#, "expired"),
            (r#"{"type":"ERROR","object":{"kind":"Status","code":500,"message":"odd"}}"#, "failed"),
            ("", "expired"),
        ] {
            let (mirror, taken) = take_all(&[line]);
            assert!(matches!(&taken[0], Err(why) if why.starts_with(expected)), "{line}: {taken:?}");
            assert_eq!((mirror.len(), mirror.version()), (0, Some(1)), "{line}");
        }
    }

    #[test]
    fn pauses_grow_and_are_never_the_same_for_all() {
        for (failures, least, most) in
            [(1, 250, 500), (2, 500, 1_000), (5, 4_000, 8_000), (7, 15_000, 30_000), (99, 15_000, 30_000)]
        {
            for draw in [0, 17, u64::MAX / 3, u64::MAX] {
                let pause = pause(failures, draw).as_millis();
                assert!((least..most).contains(&pause), "{failures}: {pause}");
            }
        }
        assert_ne!(pause(3, 1), pause(3, 2));
    }
}
