//! 200 processes are killed while they swap, and 200 while they tick: the file always opens, and versions only grow, one at a time.
#![cfg(all(feature = "file", feature = "memory", unix))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod store_crowd;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::driver::{Driver, Ports, Trigger, open};
use autoscale_core::file::FileStore;
use autoscale_core::memory::{BEGINNING, Rng, quick};
use autoscale_core::ports::{Expected, RandomIds, StateStore};
use autoscale_core::words::Span;
use futures_util::future::FutureExt;
use store_crowd::sealed;

const VICTIM: &str = "ASC_TEST_VICTIM";
const VICTIMS: u64 = 200;

/// What is stored: how many writes there were by the store's own count, and by the record.
fn stored(file: &Path, ver: fn(&[u8]) -> u64) -> Option<(u64, u64)> {
    let loaded = FileStore::open(file).unwrap().load().now_or_never().unwrap().expect("the file opens")?;
    let (count, _) = loaded.version.as_str().split_once('.').unwrap();
    Some((count.parse().unwrap(), ver(&loaded.bytes)))
}

fn ver_of_text(bytes: &[u8]) -> u64 {
    std::str::from_utf8(bytes).unwrap().split_once(' ').unwrap().0.parse().unwrap()
}

fn ver_of_record(bytes: &[u8]) -> u64 {
    open(bytes).unwrap().ver.get()
}

/// Says that it has begun, and works until it is killed.
fn victim(file: &Path, number: u64, work: impl AsyncFn(Arc<FileStore>, u64)) {
    let store = Arc::new(FileStore::open(file).unwrap());
    println!("\nbegun");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        loop {
            work(store.clone(), number).await;
        }
    });
}

async fn swap(store: Arc<FileStore>, number: u64) {
    let loaded = store.load().await.unwrap();
    let ver = loaded.as_ref().map_or(0, |loaded| ver_of_text(&loaded.bytes)) + 1;
    let expected = loaded.map_or(Expected::Absent, |loaded| Expected::At(loaded.version));
    let _ = store.swap(&expected, &sealed(ver, &format!("w-{number}-{ver}"))).await;
}

async fn tick(store: Arc<FileStore>, number: u64) {
    let pool = PoolPolicy::builder("web").with_zones(["a", "b"]).with_shape("m", 4_000, 8 << 30, 110);
    let policy = Policy::builder("shop").with_pool(pool).build().unwrap();
    let world = quick(&policy, 0).unwrap();
    // The lease of whoever was killed before has expired.
    world.lock().advance_to(BEGINNING.after(Span::from_mins(60 * number)));
    let Ports { metrics, nodes, drainer, clock, .. } = world.ports();
    let ports = Ports::new(metrics, nodes, drainer, store, clock, Arc::new(RandomIds::new("victim")));
    let driver = Driver::new(Arc::new(policy), ports);
    for _ in 0..20 {
        let _ = driver.tick(&Trigger::Schedule).await;
        let now = world.lock().now();
        world.lock().advance_to(now.after(Span::from_mins(2)));
    }
}

fn spawn(test: &str, file: &Path, number: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(VICTIM, format!("{number} {}", file.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "begun"), "the victim has begun");
    child
}

fn kill_many(test: &str, ver: fn(&[u8]) -> u64, work: impl AsyncFn(Arc<FileStore>, u64)) {
    if let Ok(order) = std::env::var(VICTIM) {
        let (number, file) = order.split_once(' ').unwrap();
        return victim(Path::new(file), number.parse().unwrap(), work);
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("record");
    let (mut rng, mut last, mut in_the_middle, mut grown) = (Rng::new(1), (0, 0), 0, 0);
    for pair in 0..VICTIMS / 2 {
        let children = [2 * pair + 1, 2 * pair + 2].map(|number| spawn(test, &file, number));
        for mut child in children {
            // Not to wait for anything: this is the random moment.
            std::thread::sleep(Duration::from_micros(rng.below(10_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            if let Some((count, ver)) = stored(&file, ver) {
                assert_eq!(count, ver, "every write that counts was applied once");
                assert!((count, ver) >= last, "{count} after {last:?}");
                grown += u32::from((count, ver) > last);
                last = (count, ver);
            }
        }
        in_the_middle += u32::from(folder.join("record.new").exists());
    }
    println!("{VICTIMS} killed, {in_the_middle} times between writing aside and renaming; {} writes", last.0);
    assert!(
        grown > 10 && in_the_middle > 0,
        "{grown} of them wrote, {in_the_middle} pairs died in the middle"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn killed_while_they_swap() {
    kill_many("killed_while_they_swap", ver_of_text, swap);
}

#[test]
fn killed_while_they_tick() {
    kill_many("killed_while_they_tick", ver_of_record, tick);
}
