//! The policy file while the program runs: what counts, and what is told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::words::Span;
use controller::board::Board;
use controller::policy::{Watcher, read};
use tokio::sync::watch;

use common::{POLICY, ServerClock, policy, server};

fn file(name: &str, text: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_bad_version_keeps_the_last_good_one() {
    let path = file("watched.yaml", POLICY.as_bytes());
    let clock = Arc::new(ServerClock(server(1)));
    let board = Arc::new(Board::new(clock.clone(), 1, Span::from_mins(1), false));
    let (to, mut counts) = watch::channel(policy());
    let mut watcher = Watcher::new(path.clone(), Span::from_secs(5), clock, board.clone(), to);
    watcher.look();
    assert!(!counts.has_changed().unwrap(), "it is the one that counts already");
    for (bad, expected) in [
        (POLICY.replace("min: 1", "min: 8"), "pools.web.min: 8: expected at most max, which is 4"),
        (POLICY.replace("cluster: shop", "cluster: mall"), "cluster: mall: expected shop"),
        (" \n".to_owned(), "empty file"),
        ("x".repeat((1 << 20) + 1), "longer than 1 MiB"),
    ] {
        std::fs::write(&path, &bad).unwrap();
        watcher.look();
        let told = board.policy_refused().unwrap();
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!counts.has_changed().unwrap(), "{expected}");
    }
    std::fs::remove_file(&path).unwrap();
    watcher.look();
    assert!(board.policy_refused().unwrap().contains("cannot read"));
    std::fs::write(&path, POLICY.replace("max: 4", "max: 5")).unwrap();
    watcher.look();
    assert_eq!(board.policy_refused(), None);
    assert!(counts.has_changed().unwrap());
    assert_eq!(counts.borrow_and_update().pools().values().next().unwrap().max, 5);
    // Back to what counted before: that is a new version too.
    std::fs::write(&path, POLICY).unwrap();
    watcher.look();
    assert_eq!(counts.borrow_and_update().hash(), policy().hash());
}

#[test]
fn a_file_that_is_no_policy_is_refused_in_words() {
    for (name, text, expected) in [
        ("policy.txt", b"version: 1".as_slice(), "a name that ends in"),
        ("latin.yaml", b"cluster: caf\xe9", "UTF-8"),
        ("nothing.yaml", b"", "empty file"),
    ] {
        let told = read(&file(name, text)).unwrap_err().to_string();
        assert!(told.contains(expected) && told.contains(name), "{told}");
    }
    let told = read(Path::new("not-there.yaml")).unwrap_err().to_string();
    assert!(told.contains("not-there.yaml: cannot read"), "{told}");
}
