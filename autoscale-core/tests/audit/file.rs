//! The log in files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::data::audit::Kind;
use autoscale_core::driver::Auditor;
use autoscale_core::file::{AuditFile, audit_files};
use autoscale_core::logic::replay;
use autoscale_core::memory::block_on;
use autoscale_core::ports::{AuditLog, ErrorKind};

use super::common::{World, all, name, pages, read};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

fn open(folder: &Path) -> AuditFile {
    AuditFile::open(folder.join("log")).unwrap().without_sync()
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read(path).unwrap();
    text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn files_are_bounded_and_each_can_be_read_alone() {
    let folder = folder("rotation");
    let log = Arc::new(open(&folder).with_rotation(20_000, 3));
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    let mut world = World::new();
    for _ in 0..200 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let files = audit_files(log.path());
    assert_eq!(files.len(), 4);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 5, "four files and the lock");
    for file in &files {
        assert!(fs::metadata(file).unwrap().len() <= 20_000);
        let entries = all(&lines(file)).unwrap();
        assert_eq!(entries.len(), lines(file).len(), "every line is an entry");
        assert!(entries[0].0.kind == Kind::Full && entries.iter().all(|(_, entry)| replay(entry).is_ok()));
    }
    let everything = read(&*log);
    assert_eq!(everything, files.iter().flat_map(|file| lines(file)).collect::<Vec<_>>());
    let entries = all(&everything).unwrap();
    assert_eq!(entries.last().unwrap().0.n, 200);
    pages(&*log, entries.len());
}

#[test]
fn two_processes_share_a_file() {
    let folder = folder("shared");
    let mut auditors = ["a", "b"].map(|who| {
        let log = Arc::new(open(&folder).with_rotation(30_000, 100));
        Auditor::new(log, name(who)).with_everything()
    });
    let mut world = World::new();
    for turn in 0..120 {
        let report = world.tick();
        let _ = block_on(auditors[usize::from(turn % 5 < 2)].record(&report)).unwrap();
    }
    let log = open(&folder);
    let entries = all(&read(&log)).unwrap();
    assert_eq!(entries.len(), 120);
    for file in audit_files(log.path()) {
        assert_eq!(all(&lines(&file)).unwrap().len(), lines(&file).len(), "no difference without its base");
    }
}

#[test]
fn lines_of_many_threads_stay_whole() {
    let folder = folder("threads");
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let folder = &folder;
            scope.spawn(move || {
                let log = Arc::new(open(folder).with_rotation(40_000, 1_000));
                let mut auditor = Auditor::new(log, name(&format!("t{thread}"))).with_everything();
                let mut world = World::new();
                for _ in 0..15 {
                    let _ = block_on(auditor.record(&world.tick())).unwrap();
                }
            });
        }
    });
    assert_eq!(all(&read(&open(&folder))).unwrap().len(), 90);
}

#[test]
fn a_writer_goes_on_behind_a_torn_line() {
    let folder = folder("torn");
    let mut world = World::new();
    let log = Arc::new(open(&folder));
    let mut auditor = Auditor::new(log.clone(), name("a")).with_everything();
    for _ in 0..3 {
        let _ = block_on(auditor.record(&world.tick())).unwrap();
    }
    let whole = fs::read(log.path()).unwrap();
    for (cut, kept) in [(whole.len() - 1, 3), (whole.len() - 2, 2), (whole.len() - 300, 2)] {
        fs::write(log.path(), &whole[..cut]).unwrap();
        let newest = block_on(log.newest()).unwrap().unwrap();
        assert_eq!(newest.n, kept);
        let mut next = Auditor::new(Arc::new(open(&folder)), name("b")).with_everything();
        let _ = block_on(next.record(&world.tick())).unwrap();
        let _ = block_on(next.record(&world.tick())).unwrap();
        let entries = all(&read(&*log)).unwrap();
        assert_eq!(entries.len() as u64, kept + 2);
        assert_eq!(entries[kept as usize].0.prev, Some(newest.sum));
    }
}

#[test]
fn what_is_there_and_is_no_log_stays() {
    let folder = folder("foreign");
    fs::write(folder.join("log"), b"somebody's notes\n").unwrap();
    let log = open(&folder);
    assert_eq!(block_on(log.newest()).unwrap(), None);
    let mut auditor = Auditor::new(Arc::new(open(&folder)), name("a"));
    let _ = block_on(auditor.record(&World::new().tick())).unwrap();
    let found = read(&log);
    assert_eq!((found.len(), found[0].as_slice()), (2, b"somebody's notes".as_slice()));
    assert_eq!(all(&found).unwrap_err().0, 1);
    assert_eq!(*AuditFile::open(folder.join("no/log")).unwrap_err().kind(), ErrorKind::Invalid);
    let mut file = OpenOptions::new().append(true).open(folder.join("log")).unwrap();
    file.write_all(&[0xff; 200_000]).unwrap();
    assert!(block_on(log.newest()).unwrap().is_some(), "behind much that is none");
}
