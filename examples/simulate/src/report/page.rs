//! The page itself: a frame, styles, a script, and the data that the script draws.

use autoscale_core::memory::BEGINNING;
use serde::Serialize;

use super::watch::Watch;
use crate::outcome::Outcome;
use crate::text;

const FRAME: &str = include_str!("frame.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: [&str; 3] = [include_str!("model.js"), include_str!("chart.js"), include_str!("page.js")];

/// One run on the page.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    /// What it is called.
    pub(crate) title: String,
    /// The command that repeats it.
    pub(crate) repeat: String,
    /// Seconds of virtual time, and when they began, since 1970.
    pub(crate) length: u64,
    pub(crate) beginning: i64,
    /// Name and value of what counts in the end, and what stands beside it.
    pub(crate) facts: Vec<(&'static str, String, String)>,
    /// What is not simulated, and what was left out.
    pub(crate) notes: Vec<String>,
    #[serde(flatten)]
    pub(crate) watch: Watch,
}

impl Section {
    /// A run that was watched.
    pub(crate) fn new(outcome: &Outcome, watch: Watch) -> Self {
        let mut title = text::title(outcome);
        if let Some(policy) = &outcome.policy {
            title += &format!(", under {policy}");
        }
        let mut notes: Vec<_> =
            outcome.not_simulated.iter().map(|text| format!("Not simulated: {text}")).collect();
        let died = outcome.ticks.saturating_sub(watch.ticks);
        if died > 0 {
            notes.push(format!(
                "{} of {} ticks gave no report, most of them because faults killed them: what they decided is not in the \
                 list, what came of it is in the fleet and in the decisions after them",
                text::grouped(died),
                text::grouped(outcome.ticks)
            ));
        }
        let broken = outcome.violations.iter().take(20);
        notes.extend(broken.map(|one| format!("BROKEN {} at {}: {}", one.invariant, one.at, one.text)));
        Self {
            title,
            repeat: outcome.repeat.clone(),
            length: outcome.until.as_secs(),
            beginning: BEGINNING.as_millis().div_euclid(1_000),
            facts: facts(outcome),
            notes,
            watch,
        }
    }
}

/// What counts in the end.
fn facts(outcome: &Outcome) -> Vec<(&'static str, String, String)> {
    let fixed = |text: Option<String>| match (outcome.static_nodes, text) {
        (Some(nodes), Some(text)) => format!("static fleet of {nodes}: {text}"),
        _ => String::new(),
    };
    let spot = outcome.node_hours_by_purchase.spot;
    let broken = match outcome.invariants.broken {
        0 => "none broken".to_owned(),
        broken => format!("{} BROKEN", text::grouped(broken)),
    };
    let pending = outcome.pending_pod_minutes;
    let faults: u64 = outcome.faults.values().sum();
    vec![
        (
            "cost",
            format!("{:.2}", outcome.cost.autoscaled),
            fixed(outcome.cost.fixed.map(|cost| format!("{cost:.2}"))),
        ),
        ("node-hours", format!("{:.1}", outcome.node_hours), format!("{spot:.1} of them spot")),
        (
            "pending",
            format!("{} pod-minutes", text::grouped(pending)),
            fixed(outcome.static_pending_pod_minutes.map(text::grouped)),
        ),
        (
            "pod wait, p95",
            outcome.wait_p95.rounded().to_string(),
            format!("{} of those that had to wait", outcome.wait_p95_of_waiting.rounded()),
        ),
        (
            "nodes bought",
            text::grouped(outcome.scale_ups + outcome.replacements),
            format!("{} of them replacements", text::grouped(outcome.replacements)),
        ),
        (
            "nodes removed",
            text::grouped(outcome.scale_downs),
            format!("{} pods evicted", text::grouped(outcome.evictions)),
        ),
        ("ticks", text::grouped(outcome.ticks), format!("{} faults and notices", text::grouped(faults))),
        ("invariants", broken, format!("{} checks", text::grouped(outcome.invariants.checked))),
    ]
}

/// The whole page.
///
/// # Errors
/// None that a section can cause.
pub(crate) fn render(sections: &[Section]) -> serde_json::Result<String> {
    let data = serde_json::to_string(sections)?;
    let parts = [("/*STYLE*/", STYLE), ("/*DATA*/", &harmless(&data)), ("/*SCRIPT*/", &SCRIPT.concat())];
    let mut page = String::with_capacity(data.len() + 64 * 1024);
    let mut rest = FRAME;
    for (place, part) in parts {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        page += before;
        page += part;
        rest = after;
    }
    Ok(page + rest)
}

/// JSON that cannot end the element it stands in, nor a line of a script.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' => text += "\\u003c",
            '>' => text += "\\u003e",
            '&' => text += "\\u0026",
            '\u{2028}' => text += "\\u2028",
            '\u{2029}' => text += "\\u2029",
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::words::Span;

    fn section(title: &str) -> Section {
        Section {
            title: title.to_owned(),
            repeat: "simulate".to_owned(),
            length: 60,
            beginning: 0,
            facts: vec![("cost", "1".to_owned(), String::new())],
            notes: Vec::new(),
            watch: Watch::new(Span::from_mins(1), 1),
        }
    }

    #[test]
    fn no_text_ends_the_script() {
        let hostile = "</script><script>alert(1)</script><!--\u{2028}\u{2029}&amp;";
        let page = render(&[section(hostile)]).unwrap();
        assert_eq!(page.matches("</script").count(), 2, "the data and the program");
        assert!(!page.contains("alert(1)</") && !page.contains('\u{2028}') && !page.contains("<!--"));
        let data =
            page.split_once("id=\"data\">").and_then(|(_, rest)| rest.split_once("</script>")).unwrap().0;
        let sections: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(sections.pointer("/0/title"), Some(&hostile.into()));
    }

    #[test]
    fn the_page_asks_for_nothing() {
        let page = render(&[section("one")]).unwrap();
        assert!(page.contains("default-src 'none'"));
        for outside in
            ["http:", "https:", "@import", "url(", "src=", "fetch(", "innerHTML", "eval(", "XMLHttp"]
        {
            // Namespaces are names, not addresses.
            let page = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_parts_are_all_there() {
        let page = render(&[section("one"), section("two")]).unwrap();
        assert!(!page.contains("/*STYLE*/") && !page.contains("/*SCRIPT*/") && !page.contains("/*DATA*/"));
        assert!(page.ends_with("</html>\n"));
    }
}
