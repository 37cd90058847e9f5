//! The settings of one pool from environment variables, under the names of the reference system.

use super::{Draft, PoolBuilder};
use crate::data::policy::error::{PolicyError, PolicyErrors};
use crate::data::policy::raw::Raw;
use crate::data::policy::units;
use crate::words::{Fixed, Span, truncated};

/// A variable, where its value stands in the policy, and what was expected if it cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    name: &'static str,
    value: String,
    /// Below the pool, like `min` or `up[0].above`.
    place: String,
    wrong: Option<&'static str>,
}

/// The variables that are one number each.
const NUMBERS: [(&str, &str); 4] = [
    ("MIN_WORKERS", "min"),
    ("MAX_WORKERS", "max"),
    ("MAX_BATCH_UP", "max_batch"),
    ("PODS_PER_NODE", "pods_per_node"),
];

/// The variables that are one length of time each.
const PAUSES: [(&str, &str); 4] = [
    ("COOLDOWN_UP_SEC", "cooldown_up"),
    ("COOLDOWN_DOWN_SEC", "cooldown_down"),
    ("JOIN_TIMEOUT_SEC", "join_timeout"),
    ("DRAIN_TIMEOUT_SEC", "drain_timeout"),
];

const PERCENT: &str = "a percentage from 1 to 100, like 70";
const SECONDS: &str = "a whole number of seconds, like 300";

impl PoolBuilder {
    /// Takes settings from environment variables, under the names of the reference system. A variable that is not there
    /// changes nothing; one that is there goes before what was set so far. `lookup` is how a variable is found:
    /// `&|name| std::env::var(name).ok()`.
    ///
    /// | variable | value | setting | default |
    /// |---|---|---|---|
    /// | `CPU_UP` | percent, like 70 | the up-rule `cpu` above | 70 |
    /// | `CPU_DOWN` | percent, like 30 | the down-rule `cpu` below | 30 |
    /// | `PENDING_UP_SEC` | seconds | `pending` | 180 |
    /// | `IDLE_DOWN_SEC` | seconds | for how long `cpu` has to be below | 600 |
    /// | `MIN_WORKERS`, `MAX_WORKERS` | nodes | `min`, `max` | 2, 10 |
    /// | `COOLDOWN_UP_SEC`, `COOLDOWN_DOWN_SEC` | seconds | `cooldown_up`, `cooldown_down` | 300, 600 |
    /// | `JOIN_TIMEOUT_SEC`, `DRAIN_TIMEOUT_SEC` | seconds | `join_timeout`, `drain_timeout` | 600, 300 |
    /// | `MAX_BATCH_UP` | instances | `max_batch` | 10 |
    /// | `PODS_PER_NODE` | pods | `pods_per_node` | none |
    ///
    /// A drain may take at least three tick intervals, whatever the default says. What is wrong is an error of
    /// [`PolicyBuilder::build`](super::PolicyBuilder::build), together with all others, that names the variable:
    ///
    /// ```
    /// # use autoscale_core::data::policy::{Policy, PoolPolicy};
    /// let variables = [("MIN_WORKERS", "12"), ("CPU_UP", "0.7")];
    /// let lookup = |name: &str| {
    ///     variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    /// };
    /// let web = PoolPolicy::builder("web").with_zones(["a"]).with_shape("m6i.large", 1_930, 7 << 30, 110);
    /// let errors = Policy::builder("shop").with_pool(web.with_env(&lookup)).build().unwrap_err();
    /// assert_eq!(
    ///     errors.to_string(),
    ///     "CPU_UP: \"0.7\": expected a percentage from 1 to 100, like 70\n\
    ///      MIN_WORKERS: \"12\": expected at most max, which is 10"
    /// );
    /// ```
    pub fn with_env(mut self, lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        for (name, side, list, default) in
            [("CPU_UP", "above", "up", "70%"), ("CPU_DOWN", "below", "down", "30%")]
        {
            self.take(name, lookup, |pool, value| {
                let Some(threshold) = percent(value) else { return (list.to_owned(), Some(PERCENT)) };
                (pool.set_in_rule(list, side, default, side, Raw::Text(threshold)), None)
            });
        }
        self.take("PENDING_UP_SEC", lookup, |pool, value| {
            let Some(lasting) = seconds(value) else { return ("pending".to_owned(), Some(SECONDS)) };
            pool.put("pending", Raw::Map(vec![("for".to_owned(), lasting)]));
            ("pending.for".to_owned(), None)
        });
        self.take("IDLE_DOWN_SEC", lookup, |pool, value| {
            let Some(lasting) = seconds(value) else { return ("down".to_owned(), Some(SECONDS)) };
            (pool.set_in_rule("down", "below", "30%", "for", lasting), None)
        });
        for (name, key) in NUMBERS {
            self.take(name, lookup, |pool, value| {
                // What is no number is refused where it stands, with the range.
                pool.put(key, number(value).unwrap_or_else(|| Raw::text(value)));
                (key.to_owned(), None)
            });
        }
        for (name, key) in PAUSES {
            self.take(name, lookup, |pool, value| {
                let read = seconds(value);
                let wrong = read.is_none().then_some(SECONDS);
                read.into_iter().for_each(|pause| pool.put(key, pause));
                (key.to_owned(), wrong)
            });
        }
        self
    }

    /// Takes one variable, if it is there, and notes where its value stands.
    fn take(
        &mut self,
        name: &'static str,
        lookup: &dyn Fn(&str) -> Option<String>,
        set: impl FnOnce(&mut Self, &str) -> (String, Option<&'static str>),
    ) {
        if let Some(value) = lookup(name) {
            let (place, wrong) = set(self, &value);
            self.variables.push(Variable { name, value, place, wrong });
        }
    }

    fn put(&mut self, key: &str, value: Raw) {
        self.draft = std::mem::take(&mut self.draft).set(key, value);
    }

    /// Sets one key of the rule over `cpu` on one side, which is made if there is none. Says where it stands.
    fn set_in_rule(&mut self, list: &str, side: &str, default: &str, key: &str, value: Raw) -> String {
        let mut rules = match self.draft.0.iter().find(|(known, _)| known == list) {
            Some((_, Raw::List(rules))) => rules.clone(),
            _ => Vec::new(),
        };
        let is_it = |rule: &Raw| match rule {
            Raw::Map(rule) => {
                rule.iter().any(|(key, value)| key == "signal" && *value == Raw::text("cpu"))
                    && rule.iter().any(|(key, _)| key == side)
            }
            _ => false,
        };
        let index = rules.iter().position(is_it).unwrap_or(rules.len());
        if index == rules.len() {
            let rule = [("signal", "cpu"), (side, default)];
            rules.push(Raw::Map(rule.map(|(key, value)| (key.to_owned(), Raw::text(value))).into()));
        }
        if let Some(Raw::Map(rule)) = rules.get_mut(index) {
            *rule = Draft(std::mem::take(rule)).set(key, value).0;
        }
        self.put(list, Raw::List(rules));
        format!("{list}[{index}].{key}")
    }
}

/// What is wrong, with what cannot be read at all first, and each variable by its name.
pub(super) fn named<T>(
    checked: Result<T, PolicyErrors>,
    variables: &[(String, Variable)],
) -> Result<T, PolicyErrors> {
    let error = |variable: &Variable, expected: &str| PolicyError {
        place: None,
        path: variable.name.to_owned(),
        value: format!("\"{}\"", truncated(&variable.value, 80)),
        expected: expected.to_owned(),
    };
    let unread = variables.iter().filter_map(|(_, variable)| Some(error(variable, variable.wrong?)));
    let found = checked.as_ref().err().into_iter().flat_map(PolicyErrors::iter).map(|found| {
        let same =
            |(pool, variable): &&(String, Variable)| found.path == format!("pools.{pool}.{}", variable.place);
        let by_name = variables.iter().rev().find(same).map(|(_, variable)| error(variable, &found.expected));
        by_name.unwrap_or_else(|| found.clone())
    });
    let left_out = checked.as_ref().err().map_or(0, |errors| errors.count() - errors.iter().count());
    match PolicyErrors::all(unread.chain(found), left_out) {
        Some(errors) => Err(errors),
        None => checked,
    }
}

fn number(text: &str) -> Option<Raw> {
    let plain = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u64>().ok().filter(|_| plain).map(Raw::whole)
}

fn seconds(text: &str) -> Option<Raw> {
    let Some(Raw::Whole(seconds)) = number(text) else { return None };
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds <= 1_000_000_000)?;
    Some(Raw::text(Span::from_secs(seconds)))
}

/// `70` as `70%`. Less than 1 is a fraction by mistake.
fn percent(text: &str) -> Option<String> {
    let written = format!("{text}%");
    let least = Fixed::from_micros(10_000);
    (!text.ends_with('%') && units::ratio(&Raw::text(&written)).ok()? >= least).then_some(written)
}
