//! The audit logs in memory and in files keep the contract.
#![cfg(all(feature = "audit", feature = "conformance", feature = "file", feature = "memory"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use autoscale_core::conformance::{self, AuditStage};
use autoscale_core::data::audit::Line;
use autoscale_core::file::AuditFile;
use autoscale_core::memory::AuditMemory;
use autoscale_core::ports::AuditLog;

struct Memory(Arc<AuditMemory>);

#[async_trait]
impl AuditStage for Memory {
    fn log(&self) -> Arc<dyn AuditLog> {
        self.0.clone()
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.0.clone()
    }
}

/// A folder of its own, removed at the end.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-audit-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    fn write(&self, bytes: &[u8]) -> bool {
        let file = OpenOptions::new().append(true).open(self.path());
        file.unwrap().write_all(bytes).is_ok()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[async_trait]
impl AuditStage for File {
    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(AuditFile::open(self.path()).unwrap().without_sync())
    }

    fn other(&self) -> Arc<dyn AuditLog> {
        self.log()
    }

    async fn leave_a_part(&self, line: &Line) -> bool {
        self.write(&line.text.as_bytes()[..line.text.len() / 2])
    }

    async fn spoil(&self) -> bool {
        self.write(b"nothing of ours\n")
    }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let verdicts = conformance::audit(async || Memory(Arc::default())).await;
    println!("{verdicts}");
    verdicts.assert_all();
    let cannot = ["a_lost_answer_is_unclear", "what_is_no_line_is_read", "a_part_of_a_line_is_none"];
    assert_eq!(verdicts.not_applicable(), cannot);
}

#[tokio::test]
async fn files_keep_the_contract() {
    let verdicts = conformance::audit(async || File::new()).await;
    println!("{verdicts}");
    verdicts.assert_all();
    assert_eq!(verdicts.not_applicable(), ["a_lost_answer_is_unclear"]);
}
