//! Verdicts, for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::judge::{Judged, Verdict};

/// A table; one more line for each further reason.
pub(crate) fn table(judged: &[Judged]) -> String {
    let head = ["NODE", "POOL", "ZONE", "MAY GO", "WHY NOT"].map(str::to_owned);
    let mut rows = vec![head];
    for Judged { node, pool, zone, verdict } in judged {
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let (may, mut why) = match verdict {
            Verdict::MayGo(place) => (place.to_string(), Vec::new()),
            Verdict::Stays(reasons) => {
                ("no".to_owned(), reasons.iter().map(|(_, text)| text.clone()).collect())
            }
        };
        let first = if why.is_empty() { String::new() } else { why.remove(0) };
        let (pool, zone) =
            (text(pool.as_ref().map(ToString::to_string)), text(zone.as_ref().map(ToString::to_string)));
        rows.push([node.to_string(), pool, zone, may, first]);
        rows.extend(
            why.into_iter().map(|why| [String::new(), String::new(), String::new(), String::new(), why]),
        );
    }
    let mut widths = [0_usize; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The same as JSON. `order` counts within a pool: those that go with it are before it.
pub(crate) fn json(judged: &[Judged], complete: bool) -> Value {
    let node = |Judged { node, pool, zone, verdict }: &Judged| {
        let (order, held) = match verdict {
            Verdict::MayGo(place) => (Some(*place), Vec::new()),
            Verdict::Stays(why) => {
                (None, why.iter().map(|(code, text)| json!({"code": code, "text": text})).collect())
            }
        };
        json!({"node": node, "pool": pool, "zone": zone, "may_go": order.is_some(), "order": order, "held": held})
    };
    let nodes: Vec<Value> = judged.iter().map(node).collect();
    json!({"complete": complete, "nodes": nodes})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(node: &str, pool: Option<&str>, verdict: Verdict) -> Judged {
        let pool = pool.and_then(|pool| pool.parse().ok());
        Judged { node: node.parse().expect("a name"), pool, zone: None, verdict }
    }

    #[test]
    fn every_reason_has_a_line() {
        let why = vec![("a", "first".to_owned()), ("b", "second".to_owned())];
        let all = [judged("n1", Some("web"), Verdict::MayGo(1)), judged("node-2", None, Verdict::Stays(why))];
        let expected = "NODE    POOL  ZONE  MAY GO  WHY NOT\n\
                        n1      web   -     1\n\
                        node-2  -     -     no      first\n                            second\n";
        assert_eq!(table(&all), expected);
        let value = json(&all, true);
        assert_eq!(
            value["nodes"][0],
            json!({"node": "n1", "pool": "web", "zone": null, "may_go": true, "order": 1, "held": []})
        );
        assert_eq!(value["nodes"][1]["held"][1], json!({"code": "b", "text": "second"}));
    }
}
