//! How the stores that know only bytes keep a record: one line of JSON for people and checks, then the record.

use serde::{Deserialize, Serialize};

use crate::data::record::MAX_BYTES;
use crate::ports::{Error, ErrorKind, Result, Sealed};
use crate::words::{ContentHash, HolderId, Inc, Ver, WriteId, truncated};

/// The longest first line.
const MAX_HEAD: usize = 4 * 1024;
/// More than this is none of ours.
pub(crate) const MAX_STORED: usize = MAX_HEAD + MAX_BYTES;
const FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    autoscale_record: u32,
    /// How many writes there have been at this place, where the store counts them.
    pub(crate) count: u64,
    inc: Inc,
    ver: Ver,
    pub(crate) write_id: WriteId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    holder: Option<HolderId>,
    operations: u32,
    text: String,
    length: usize,
    hash: ContentHash,
}

/// A record as it is stored: the `count`-th write.
///
/// # Errors
/// `Invalid` for one above 200 KiB.
pub(crate) fn wrap(count: u64, sealed: &Sealed) -> Result<Vec<u8>> {
    let Sealed { inc, ver, write_id, summary, bytes } = sealed;
    if bytes.len() > MAX_BYTES {
        let attempted = format!("store a record of {} bytes: expected at most {MAX_BYTES}", bytes.len());
        return Err(Error::new(ErrorKind::Invalid, attempted));
    }
    let head = Head {
        autoscale_record: FORMAT,
        count,
        inc: inc.clone(),
        ver: *ver,
        write_id: write_id.clone(),
        holder: summary.holder.clone(),
        operations: summary.operations,
        text: truncated(&summary.text, 500),
        length: bytes.len(),
        hash: ContentHash::of(bytes),
    };
    let invalid = |error| Error::new(ErrorKind::Invalid, "store a record").with_source(error);
    let mut stored = serde_json::to_vec(&head).map_err(invalid)?;
    stored.push(b'\n');
    stored.extend_from_slice(bytes);
    Ok(stored)
}

/// The first line and the record of what is stored at `place`.
///
/// # Errors
/// `Invalid` for anything that [`wrap`] did not make, with what to do.
pub(crate) fn unwrap(stored: &[u8], place: &str) -> Result<(Head, Vec<u8>)> {
    read(stored).map_err(|why| {
        let attempted = format!(
            "read {place}: {why}. Nothing was changed. If it is not a record of this library, configure another place; \
             if it is a damaged one, move it away: the next tick adopts what carries the cluster's tags"
        );
        Error::new(ErrorKind::Invalid, attempted)
    })
}

fn read(stored: &[u8]) -> std::result::Result<(Head, Vec<u8>), String> {
    #[derive(Deserialize)]
    struct Format {
        autoscale_record: u32,
    }
    if stored.len() > MAX_STORED {
        return Err(format!("it has more than {MAX_STORED} bytes"));
    }
    let end = stored.iter().take(MAX_HEAD).position(|byte| *byte == b'\n');
    let (line, bytes) = end
        .and_then(|end| Some((stored.get(..end)?, stored.get(end + 1..)?)))
        .ok_or("it has no first line of ours")?;
    let not_ours = |error: serde_json::Error| format!("its first line is not ours: {error}");
    let Format { autoscale_record: format } = serde_json::from_slice(line).map_err(not_ours)?;
    if format != FORMAT {
        return Err(format!("it is of format {format}, and this version reads {FORMAT}"));
    }
    let head: Head = serde_json::from_slice(line).map_err(not_ours)?;
    if head.length != bytes.len() {
        return Err(format!("it has {} bytes after its first line, which says {}", bytes.len(), head.length));
    }
    if head.hash != ContentHash::of(bytes) {
        return Err("its bytes are not those that its first line has the hash of".to_owned());
    }
    Ok((head, bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Summary;
    use proptest::prelude::*;

    fn sealed(bytes: Vec<u8>) -> Sealed {
        let summary = Summary {
            holder: Some(HolderId::new("pod-1").unwrap()),
            operations: 2,
            text: "open: 1.0".into(),
            ..Summary::default()
        };
        Sealed::new(Inc::new("abcd").unwrap(), Ver::new(7), WriteId::new("w-7").unwrap(), summary, bytes)
    }

    #[test]
    fn the_first_line_is_for_people() {
        let stored = String::from_utf8(wrap(3, &sealed(b"{}".to_vec())).unwrap()).unwrap();
        assert_eq!(
            stored,
            "{\"autoscale_record\":1,\"count\":3,\"inc\":\"abcd\",\"ver\":7,\"write_id\":\"w-7\",\"holder\":\"pod-1\",\
             \"operations\":2,\"text\":\"open: 1.0\",\"length\":2,\"hash\":\"dd13f2776f3a1d8c0b3d0f0d3f6f1f3a\"}\n{}"
                .replace("dd13f2776f3a1d8c0b3d0f0d3f6f1f3a", ContentHash::of(b"{}").as_str())
        );
    }

    #[test]
    fn what_is_not_ours_is_said_to_be() {
        let whole = wrap(1, &sealed(b"record".to_vec())).unwrap();
        let future = String::from_utf8(whole.clone()).unwrap().replace("record\":1", "record\":2");
        let flipped = whole.iter().rev().enumerate().map(|(at, byte)| if at == 0 { byte ^ 1 } else { *byte });
        let flipped: Vec<u8> = flipped.collect::<Vec<_>>().into_iter().rev().collect();
        for (stored, why) in [
            (Vec::new(), "no first line"),
            (b"\0\0\0\0".to_vec(), "no first line"),
            (b"{}\n{}".to_vec(), "not ours"),
            (whole[..whole.len() - 1].to_vec(), "has 5 bytes after its first line, which says 6"),
            (flipped, "not those"),
            (future.into_bytes(), "of format 2"),
            (vec![b'\n'; MAX_STORED + 1], "more than"),
        ] {
            let error = unwrap(&stored, "the file x").unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(why), "{why}: {error}");
            assert!(error.to_string().contains("move it away"), "{error}");
        }
        assert_eq!(*wrap(1, &sealed(vec![0; MAX_BYTES + 1])).unwrap_err().kind(), ErrorKind::Invalid);
    }

    proptest! {
        #[test]
        fn comes_back_as_given(bytes: Vec<u8>, count: u64) {
            let stored = wrap(count, &sealed(bytes.clone())).unwrap();
            let (head, back) = unwrap(&stored, "x").unwrap();
            prop_assert_eq!((head.count, back), (count, bytes));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(unwrap(&bytes, "x").is_err());
        }
    }
}
