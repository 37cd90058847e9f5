//! What S3's answers come to, on a server that answers as planned. The contracts are put to the stores on moto: `s3_real`.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../stub/mod.rs"]
mod stub;

use autoscale_aws::s3::{BucketStore, S3Config};
use autoscale_core::conformance;
use autoscale_core::ports::{
    Appended, AuditLog, ErrorKind, Expected, Sealed, StateStore, Summary, Swapped, Version,
};
use autoscale_core::words::{ClusterId, HolderId, Inc, Timestamp, Ver, WriteId};
use stub::{Answer, Stub};

fn store(stub: &Stub) -> BucketStore {
    let config = S3Config::new(ClusterId::new("shop").unwrap(), "state", "eu-central-1");
    BucketStore::on_emulator(config.build().unwrap(), stub.port).unwrap()
}

fn sealed() -> Sealed {
    let (inc, write) = (Inc::new("abcd").unwrap(), WriteId::new("w-1").unwrap());
    Sealed::new(inc, Ver::new(1), write, Summary::default(), b"{}".to_vec())
}

const CREATED: Answer = Answer::Object("\"1\"", Vec::new());

#[tokio::test]
async fn a_swap_is_one_conditional_put() {
    let stub = Stub::new([CREATED, CREATED]).await;
    let store = store(&stub);
    let swapped = store.swap(&Expected::Absent, &sealed()).await.unwrap();
    assert_eq!(swapped, Swapped::Applied(Version::new("\"1\"")));
    let _ = store.swap(&Expected::At(Version::new("\"1\"")), &sealed()).await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    for (asked, header, value) in [(&asked[0], "if-none-match", "*"), (&asked[1], "if-match", "\"1\"")] {
        assert_eq!(asked.line, "PUT /state/autoscale/shop.record HTTP/1.1");
        assert_eq!(asked.header(header), Some(value));
        let signed = asked.header("authorization").unwrap();
        assert!(signed.contains("/eu-central-1/s3/aws4_request") && signed.contains(header), "{signed}");
        assert!(asked.header("x-amz-checksum-sha256").is_some(), "{asked:?}");
        assert!(asked.body.ends_with(b"{}"));
    }
}

#[tokio::test]
async fn a_swap_that_may_have_been_applied_is_unknown() {
    let busy = Answer::Status(503, "<Error><Code>SlowDown</Code></Error>");
    let failed = Answer::Status(500, "<Error><Code>InternalError</Code></Error>");
    for answer in [Answer::Closed, busy, failed] {
        let stub = Stub::new([answer.clone()]).await;
        let swapped = store(&stub).swap(&Expected::Absent, &sealed()).await.unwrap();
        assert!(matches!(swapped, Swapped::Unknown { .. }), "{answer:?}: {swapped:?}");
        assert_eq!(stub.asked().len(), 1, "{answer:?}: sent more than once");
    }
}

#[tokio::test]
async fn a_conflict_is_not_lost_for_certain() {
    let conflict = || Answer::Status(409, "<Error><Code>ConditionalRequestConflict</Code></Error>");
    let record = |tag| {
        let head = r#"{"autoscale_record":1}"#;
        Answer::Object(tag, format!("{head}\n{{}}").into_bytes())
    };
    // Not readable as a record, so that nobody knows what it lost against.
    let stub = Stub::new([conflict(), record("\"1\"")]).await;
    let swapped = store(&stub).swap(&Expected::At(Version::new("\"1\"")), &sealed()).await.unwrap();
    assert_eq!(swapped, Swapped::Lost(None));
    let stub = Stub::new([CREATED]).await;
    let _ = store(&stub).swap(&Expected::Absent, &sealed()).await.unwrap();
    let stored = stub.asked()[0].body.clone();
    let stub = Stub::new([conflict(), Answer::Object("\"1\"", stored)]).await;
    let swapped = store(&stub).swap(&Expected::At(Version::new("\"1\"")), &sealed()).await.unwrap();
    assert!(matches!(swapped, Swapped::Unknown { .. }), "{swapped:?}");
}

#[tokio::test]
async fn a_refusal_names_what_is_missing() {
    let denied = || Answer::Status(403, "<Error><Code>AccessDenied</Code></Error>");
    let missing = || Answer::Status(404, "<Error><Code>NoSuchBucket</Code></Error>");
    let stub = Stub::new([denied(), denied(), missing(), denied()]).await;
    let store = store(&stub);
    let error = store.swap(&Expected::Absent, &sealed()).await.unwrap_err();
    let action = |kind: &ErrorKind| match kind {
        ErrorKind::Denied { action } => action.clone(),
        other => panic!("{other:?}"),
    };
    assert!(action(error.kind()).contains("put the object"), "{error}");
    let error = store.load().await.unwrap_err();
    assert!(action(error.kind()).contains("list"), "{error}");
    let error = store.swap(&Expected::Absent, &sealed()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
    let error = store.audit().unwrap().newest().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
}

const EMPTY: Answer = Answer::Status(
    200,
    "<ListBucketResult><Name>state</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>",
);

#[tokio::test]
async fn an_entry_is_created_below_the_prefix_of_the_log() {
    let line =
        conformance::audit_line(&HolderId::new("w").unwrap(), 1, Timestamp::from_millis(1_795_384_288_042));
    let stub = Stub::new([EMPTY, CREATED, EMPTY, Answer::Closed]).await;
    let log = store(&stub).audit().unwrap();
    assert_eq!(log.append(&line).await.unwrap(), Appended::Stored);
    let asked = stub.asked();
    assert!(asked[0].line.contains("prefix=autoscale%2Fshop.audit%2F"), "{}", asked[0].line);
    let object = "/state/autoscale/shop.audit/2026-11-22/001795384288042-001795384288042.jsonl";
    assert_eq!(asked[1].line, format!("PUT {object} HTTP/1.1"));
    assert_eq!(asked[1].header("if-none-match"), Some("*"));
    assert_eq!(asked[1].body, format!("{}\n", line.text).into_bytes());
    let error = log.append(&line).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unclear);
    assert_eq!(stub.asked().len(), 4);
}
