//! The record as an item, and back. Pure.

use std::collections::HashMap;

use autoscale_core::data::record::MAX_BYTES;
use autoscale_core::ports::{Error, ErrorKind, Expected, Sealed, Version};
use autoscale_core::words::{ContentHash, Timestamp, Ver, WriteId, truncated};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The format of items that this version writes and reads.
const FORMAT: u32 = 1;

/// The attribute that says that an item is one of ours, and in which format.
pub(super) const OURS: &str = "autoscaleRecord";
pub(super) const VER: &str = "ver";
pub(super) const WRITE_ID: &str = "writeId";
const HASH: &str = "hash";
const RECORD: &str = "record";

/// The names of all attributes beside the key.
pub(super) const ATTRIBUTES: [&str; 12] = [
    OURS,
    "inc",
    VER,
    WRITE_ID,
    HASH,
    RECORD,
    "underWay",
    "operations",
    "scalingInProgress",
    "holder",
    "lastScaleEpoch",
    "workerCount",
];

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The item of a record: what is read back, and what is there for people.
///
/// # Errors
/// `Invalid` for a record above 200 KiB.
pub(super) fn of(sealed: &Sealed) -> Result<Item, Error> {
    let Sealed { inc, ver, write_id, summary, bytes, .. } = sealed;
    if bytes.len() > MAX_BYTES {
        let attempted = format!("store a record of {} bytes: expected at most {MAX_BYTES}", bytes.len());
        return Err(Error::new(ErrorKind::Invalid, attempted));
    }
    // Text where it is text: it can be read in the console.
    let record = match std::str::from_utf8(bytes) {
        Ok(record) => text(record),
        Err(_) => AttributeValue::B(Blob::new(bytes.clone())),
    };
    let mut item = Item::from([
        (OURS.to_owned(), number(FORMAT)),
        ("inc".to_owned(), text(inc.as_str())),
        (VER.to_owned(), number(ver)),
        (WRITE_ID.to_owned(), text(write_id.as_str())),
        (HASH.to_owned(), text(ContentHash::of(bytes).as_str())),
        (RECORD.to_owned(), record),
        ("underWay".to_owned(), text(truncated(&summary.text, 500))),
        ("operations".to_owned(), number(summary.operations)),
        ("scalingInProgress".to_owned(), AttributeValue::Bool(summary.operations > 0)),
    ]);
    let epoch = |at: Timestamp| number(at.as_millis().div_euclid(1_000));
    let for_people = [
        ("holder", summary.holder.as_ref().map(|holder| text(holder.as_str()))),
        ("lastScaleEpoch", summary.last_scaled.map(epoch)),
        ("workerCount", summary.workers.map(number)),
    ];
    item.extend(for_people.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(item)
}

/// The name of a state: a record that was deleted and made again comes to the same number, not to the same write.
pub(super) fn version(ver: Ver, write_id: &WriteId) -> Version {
    Version::new(format!("{ver}.{write_id}"))
}

/// What is expected, as it is compared; `None` for a version that this store cannot have given.
pub(super) fn expected(expected: &Expected) -> Option<Option<(Ver, WriteId)>> {
    let Expected::At(version) = expected else { return Some(None) };
    let (ver, write_id) = version.as_str().split_once('.')?;
    Some(Some((Ver::new(ver.parse().ok()?), WriteId::new(write_id).ok()?)))
}

/// The state and the bytes in an item.
///
/// # Errors
/// Why it is none of ours, or a broken one, in words.
pub(super) fn read(item: &Item) -> Result<(Version, Vec<u8>), String> {
    let number = |name: &str| match item.get(name) {
        Some(AttributeValue::N(number)) => number.parse::<u64>().ok(),
        _ => None,
    };
    let text = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text.as_str()),
        _ => None,
    };
    let wrong = |name: &str, expected: &str| format!("its attribute {name} is not {expected}");
    match number(OURS) {
        None => return Err(format!("it has no number {OURS}")),
        Some(format) if format != u64::from(FORMAT) => {
            return Err(format!("it is of format {format}, and this version reads {FORMAT}"));
        }
        Some(_) => {}
    }
    let ver = number(VER).map(Ver::new).ok_or_else(|| wrong(VER, "a number from 0"))?;
    let write_id = text(WRITE_ID).and_then(|id| WriteId::new(id).ok());
    let write_id = write_id.ok_or_else(|| wrong(WRITE_ID, "the name of a write"))?;
    let bytes = match item.get(RECORD) {
        Some(AttributeValue::S(record)) => record.as_bytes(),
        Some(AttributeValue::B(record)) => record.as_ref(),
        _ => return Err(wrong(RECORD, "a text or bytes")),
    };
    if text(HASH) != Some(ContentHash::of(bytes).as_str()) {
        return Err("its record was changed after it was written".to_owned());
    }
    Ok((version(ver, &write_id), bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::ports::Summary;
    use autoscale_core::words::{HolderId, Inc};
    use proptest::prelude::*;

    fn sealed(bytes: Vec<u8>) -> Sealed {
        let mut summary = Summary::default();
        (summary.operations, summary.workers) = (2, Some(7));
        summary.last_scaled = Some(Timestamp::from_millis(1_795_384_288_042));
        Sealed::new(Inc::new("abcd").unwrap(), Ver::new(7), WriteId::new("w-7").unwrap(), summary, bytes)
    }

    #[test]
    fn people_see_what_is_under_way() {
        let item = of(&sealed(b"{}".to_vec())).unwrap();
        for (name, value) in [
            ("scalingInProgress", AttributeValue::Bool(true)),
            ("lastScaleEpoch", number(1_795_384_288)),
            ("workerCount", number(7)),
            ("record", text("{}")),
        ] {
            assert_eq!(item.get(name), Some(&value), "{name}");
        }
        let mut full = sealed(Vec::new());
        full.summary.holder = HolderId::new("pod-1").ok();
        let full = of(&full).unwrap();
        assert_eq!(full.len(), ATTRIBUTES.len());
        assert!(ATTRIBUTES.iter().all(|name| full.contains_key(*name)));
        let mut quiet = sealed(Vec::new());
        quiet.summary = Summary::default();
        let quiet = of(&quiet).unwrap();
        assert_eq!(quiet.get("scalingInProgress"), Some(&AttributeValue::Bool(false)));
        assert!(!quiet.contains_key("workerCount") && !quiet.contains_key("holder"));
        assert_eq!(*of(&sealed(vec![0; MAX_BYTES + 1])).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn what_is_not_ours_says_so() {
        let whole = of(&sealed(b"record".to_vec())).unwrap();
        for (name, value, why) in [
            (OURS, None, "no number autoscaleRecord"),
            (OURS, Some(number(2)), "of format 2"),
            (OURS, Some(text("1")), "no number"),
            (VER, Some(number(-1)), "ver is not a number"),
            (WRITE_ID, Some(text("../x")), "writeId is not the name of a write"),
            (RECORD, Some(number(1)), "record is not a text"),
            (RECORD, Some(text("Record")), "changed after it was written"),
            (HASH, None, "changed after it was written"),
        ] {
            let mut item = whole.clone();
            match value {
                Some(value) => drop(item.insert(name.to_owned(), value)),
                None => drop(item.remove(name)),
            }
            let error = read(&item).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
    }

    proptest! {
        #[test]
        fn comes_back_as_given(bytes: Vec<u8>) {
            let (version, back) = read(&of(&sealed(bytes.clone())).unwrap()).unwrap();
            prop_assert_eq!((version.as_str(), back), ("7.w-7", bytes));
            let parts = expected(&Expected::At(version)).unwrap();
            prop_assert_eq!(parts, Some((Ver::new(7), WriteId::new("w-7").unwrap())));
        }

        #[test]
        fn no_version_panics(text in ".*") {
            let _ = expected(&Expected::At(Version::new(text)));
        }
    }
}
