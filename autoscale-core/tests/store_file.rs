//! The file store: its contract, a crowd of threads, and what it says to a file that is not its own.
#![cfg(all(feature = "file", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod store_crowd;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use autoscale_core::conformance::{self, StoreStage};
use autoscale_core::file::FileStore;
use autoscale_core::ports::{ErrorKind, Expected, StateStore, Swapped};
use store_crowd::{CONTENDERS, ROUNDS, contend, sealed};

/// A folder of its own, deleted at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("store-file-{}-{count}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("record")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Stage(Folder);

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(FileStore::open(self.0.file()).unwrap())
    }

    fn other(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    async fn erase(&self) -> bool {
        std::fs::remove_file(self.0.file()).is_ok()
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let verdicts = conformance::store(async || Stage(Folder::new())).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unknown", "nothing_expires"]);
}

#[test]
fn one_of_many_contenders_wins_each_round() {
    let folder = Folder::new();
    let open = |_| Arc::new(FileStore::open(folder.file()).unwrap()) as Arc<dyn StateStore>;
    contend((0..CONTENDERS).map(open).collect(), ROUNDS).unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_left_alone() {
    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    for foreign in ["", "{}", "not a record\n", "{\"autoscale_record\":1}\n{}"] {
        std::fs::write(folder.file(), foreign).unwrap();
        let loaded = store.load().await.unwrap_err();
        let swapped = store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap_err();
        for error in [loaded, swapped] {
            assert_eq!(*error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("move it away"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(folder.file()).unwrap(), foreign);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_only_and_links_are_not_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    let beside = |ending: &str| folder.0.join(format!("record.{ending}"));
    std::fs::write(folder.0.join("precious"), "precious").unwrap();
    symlink(folder.0.join("precious"), beside("new")).unwrap();
    assert!(matches!(store.swap(&Expected::Absent, &sealed(1, "w-1")).await, Ok(Swapped::Applied(_))));
    assert_eq!(std::fs::read_to_string(folder.0.join("precious")).unwrap(), "precious");
    for path in [folder.file(), beside("lock")] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    std::fs::remove_file(beside("lock")).unwrap();
    symlink(folder.0.join("precious"), beside("lock")).unwrap();
    assert!(store.swap(&Expected::Absent, &sealed(1, "w-1")).await.is_err());
    symlink(folder.0.join("precious"), folder.0.join("link")).unwrap();
    assert_eq!(*FileStore::open(folder.0.join("link")).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_lock_that_is_never_released_is_not_waited_for_for_ever() {
    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    let lock = std::fs::File::create(folder.0.join("record.lock")).unwrap();
    lock.lock().unwrap();
    let error = store.swap(&Expected::Absent, &sealed(1, "w-1")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Throttled { .. }), "{error}");
    assert_eq!(store.load().await.unwrap(), None);
    drop(lock);
    assert!(matches!(store.swap(&Expected::Absent, &sealed(1, "w-1")).await, Ok(Swapped::Applied(_))));
}
