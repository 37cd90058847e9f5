//! The record as bytes, and back. What cannot be read halts; it is never guessed.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::data::record::{MAX_BYTES, MAX_NOTICES, Op, Record, SCHEMA};
use crate::ports::{Sealed, Summary};
use crate::words::{Timestamp, Ver, truncated};

/// Bytes that are no record of ours, or one that cannot be true.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the stored record cannot be used: {why}")]
#[non_exhaustive]
pub struct Unreadable {
    /// What is wrong.
    pub why: String,
}

/// A record ready to be stored. How many workers there are is not in it, and stays open in the summary.
///
/// # Errors
/// A record above 200 KiB is refused; `plan` never makes one.
pub fn seal(record: &Record) -> Result<Sealed, Unreadable> {
    let bytes = serde_json::to_vec(record).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() > MAX_BYTES {
        return Err(unreadable(format!("{} bytes: expected at most {MAX_BYTES}", bytes.len())));
    }
    let open: Vec<String> = record.ops.iter().map(|op| op.id().to_string()).collect();
    let holder = record.lease.as_ref().map(|lease| lease.holder.clone());
    let operations = record.ops.len() as u32;
    let text = truncated(&format!("ver {}, open: {}", record.ver, open.join(" ")), 200);
    let summary = Summary { holder, operations, workers: None, last_scaled: last_scaled(record), text };
    Ok(Sealed::new(record.inc.clone(), record.ver, record.write_id.clone(), summary, bytes))
}

/// When the last scaling action was finished, by the wall clock of the record's last write.
fn last_scaled(record: &Record) -> Option<Timestamp> {
    let of_pools = record.pools.values().flat_map(|marks| [marks.last_up, marks.last_down]);
    let last = of_pools.flatten().max()?;
    Some(record.time.last_now.before(record.time.elapsed.since(last)))
}

/// The record in stored bytes.
///
/// # Errors
/// Too long, not JSON, of a schema this version cannot read, or contradictory in itself.
pub fn open(bytes: &[u8]) -> Result<Record, Unreadable> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
        min_reader: u32,
    }
    if bytes.len() > MAX_BYTES {
        return Err(unreadable(format!("{} bytes: expected at most {MAX_BYTES}", bytes.len())));
    }
    let head: Head =
        serde_json::from_slice(bytes).map_err(|error| unreadable(truncated(&error.to_string(), 200)))?;
    if head.min_reader > SCHEMA {
        let Head { schema, min_reader } = head;
        let why = format!(
            "it is of schema {schema} and needs a reader of schema {min_reader}, this is {SCHEMA}: run a newer version"
        );
        return Err(unreadable(why));
    }
    let record: Record =
        serde_json::from_slice(bytes).map_err(|error| unreadable(truncated(&error.to_string(), 200)))?;
    contradiction(&record).map_or(Ok(record), |why| Err(unreadable(why)))
}

/// What a record of ours can never say.
fn contradiction(record: &Record) -> Option<String> {
    let mut ids = BTreeSet::new();
    let mut instances = BTreeSet::new();
    for op in &record.ops {
        if !ids.insert(op.id()) {
            return Some(format!("operation {} stands there twice", op.id()));
        }
        if op.seq >= record.next_seq {
            return Some(format!("operation {} is above the next number {}", op.id(), record.next_seq));
        }
        if op.instance().is_some_and(|instance| !instances.insert(instance)) {
            return Some(format!("two operations are open on one instance, among them {}", op.id()));
        }
    }
    let armed = |op: &Op| op.launch().is_some_and(|launch| launch.attempt.armed > record.ver);
    if record.ops.iter().any(armed) {
        return Some("a launch is authorised by a version that is not written yet".to_owned());
    }
    if record.ver == Ver::ZERO {
        return Some("version 0 is never stored".to_owned());
    }
    (record.notices.len() > MAX_NOTICES)
        .then(|| format!("{} notices: expected at most {MAX_NOTICES}", record.notices.len()))
}

fn unreadable(why: impl Into<String>) -> Unreadable {
    Unreadable { why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::testing::record_at;
    use crate::words::{Elapsed, PoolName};
    use proptest::prelude::*;

    #[test]
    fn a_sealed_record_opens_to_the_same() {
        let record = record_at(Timestamp::from_millis(5));
        let sealed = seal(&record).unwrap();
        assert_eq!(open(&sealed.bytes), Ok(record));
    }

    #[test]
    fn the_summary_says_when_a_pool_was_scaled_last() {
        let mut record = record_at(Timestamp::from_millis(100_000));
        assert_eq!(seal(&record).unwrap().summary.last_scaled, None);
        record.time.elapsed = Elapsed::from_millis(50_000);
        for (pool, up, down) in [("a", Some(9_000), None), ("b", Some(10_000), Some(20_000))] {
            let marks = record.pools.entry(PoolName::new(pool).unwrap()).or_default();
            (marks.last_up, marks.last_down) = (up.map(Elapsed::from_millis), down.map(Elapsed::from_millis));
        }
        assert_eq!(seal(&record).unwrap().summary.last_scaled, Some(Timestamp::from_millis(70_000)));
    }

    #[test]
    fn what_cannot_be_true_is_not_read() {
        let record = record_at(Timestamp::from_millis(5));
        let json = String::from_utf8(seal(&record).unwrap().bytes).unwrap();
        for (from, to, why) in [
            ("\"min_reader\":1", "\"min_reader\":2", "run a newer version"),
            ("\"ver\":1", "\"ver\":0", "version 0"),
            ("\"ver\":1", "\"ver\":-1", "invalid value"),
            ("\"next_seq\":1", "\"next_seq\":\"x\"", "invalid type"),
            ("\"inc\":\"abcd1234\"", "\"inc\":\"../x\"", "incarnation"),
            ("{", "", "invalid type"),
        ] {
            let broken = json.replacen(from, to, 1);
            let error = open(broken.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{from} -> {to}: {error}");
        }
        assert!(open(&vec![b' '; MAX_BYTES + 1]).unwrap_err().why.contains("expected at most"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(open(&bytes).is_err());
        }
    }
}
