//! The record and the policy in S3: in the bucket of the server that `AUTOSCALE_TEST_S3` names, such as moto on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use autoscale_aws::s3::{BucketStore, S3Config};
use autoscale_core::words::ClusterId;
use k3s_lambda::command::{Command, Exit};
use k3s_lambda::objects::Buckets;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::house::{House, schedule};
use crate::policies::{DOCUMENT, NONE};
use crate::real;

const BUCKET: &str = "k3s-lambda-test";

/// The port of the server, which has the bucket then, and a place of its own for a test.
fn place() -> Option<(u16, String)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let endpoint = real::endpoint("AUTOSCALE_TEST_S3", ".ci/moto")?;
    let port = endpoint.strip_prefix("http://127.0.0.1:").unwrap().trim_end_matches('/').parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    stream.write_all(format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    // The buckets of this region can be made twice.
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Some((port, format!("run-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst))))
}

/// The bucket, looked at from outside.
fn bucket(port: u16) -> std::sync::Arc<dyn ObjectStore> {
    let config = S3Config::new(ClusterId::new("shop").unwrap(), BUCKET, "us-east-1").build().unwrap();
    BucketStore::on_emulator(config, port).unwrap().objects()
}

/// In real time, as long as somebody outside of this process is asked.
async fn outside<T>(asks: impl Future<Output = T>) -> T {
    tokio::time::resume();
    let told = asks.await;
    tokio::time::pause();
    told
}

#[tokio::test(start_paused = true)]
async fn the_record_and_the_policy_are_in_a_bucket() {
    let Some((port, place)) = place() else { return };
    let (state, policy) = (format!("s3://{BUCKET}/{place}"), format!("s3://{BUCKET}/{place}/policy.yaml"));
    let variables: Vec<(&str, &str)> =
        [&NONE[..], &[("STATE_TABLE", ""), ("STATE_S3", &state), ("POLICY_S3", &policy)]].concat();
    let mut house = House::new().await;
    let said = house.function_with(&variables).await.unwrap_err().to_string();
    assert_eq!(said, "POLICY_S3: there are no credentials for S3");
    house.reach(Buckets::Here(port));
    let missing = outside(house.function_with(&variables)).await.unwrap_err().to_string();
    assert!(
        missing.starts_with(&format!("POLICY_S3: \"{policy}\": expected an object to read: ")),
        "{missing}"
    );
    let objects = bucket(port);
    let document = Path::from(format!("{place}/policy.yaml"));
    outside(objects.put(&document, DOCUMENT.into())).await.unwrap();
    for _ in 0..2 {
        // Another process each time: what one has begun the next one knows of.
        house.function = outside(house.function_with(&variables)).await.unwrap();
        outside(Box::pin(house.invoke(&schedule()))).await.unwrap();
        assert_eq!(house.ec2.sent("RunInstances"), 3, "three at least, as the document says, and no more");
        house.pass().await;
    }
    let record = Path::from(format!("{place}/autoscale/shop.record"));
    assert!(outside(objects.get(&record)).await.is_ok());
    let mut out = Vec::new();
    let status =
        outside(Command::Status { json: false }.run(house.function.setup(), &mut out)).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(status == Exit::Well && out.starts_with("record "), "{out}");
    assert!(house.tables.service.items("state").is_empty(), "nothing is in a table");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_hold_a_record_is_refused_by_its_variable() {
    let mut house = House::new().await;
    house.reach(Buckets::Here(9));
    let variables = [("STATE_TABLE", ""), ("STATE_S3", "s3://a..b/what?")];
    let said = house.function_with(&variables).await.unwrap_err().to_string();
    for field in ["STATE_S3: bucket: \"a..b\": expected ", "STATE_S3: prefix: \"what?/autoscale\": expected "]
    {
        assert!(said.lines().any(|line| line.starts_with(field)), "{said}");
    }
}
