use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::super::store::{StoreStage, TESTS, store};
use super::{Once, Row, each_test_bites, shared, world};
use crate::memory::{BEGINNING, Shared};
use crate::ports::{Error, ErrorKind, Expected, Loaded, Result, Sealed, StateStore, Swapped, Version};
use crate::words::{Span, WriteId};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    EmptyIsSomething,
    OtherProcessCaches,
    LoadNamesAnotherVersion,
    TrimsLines,
    WantsText,
    CutsAt64KiB,
    CountsToTwo,
    CreatesOverVersionTwo,
    VersionCreates,
    WritesBeforeItLooks,
    LostSaysWhatWasWanted,
    ChecksThenWrites,
    LooksThenCreates,
    TakesItsOwnWriteForSuccess,
    RefusesAWriteIdTwice,
    LostAnswerIsAnError,
    LocksUntilItReturns,
    Expires,
    CountsFromTheStart,
}

use Fault::*;

const ROWS: &[Row<Fault>] = &[
    (EmptyIsSomething, "nothing_is_stored_at_first"),
    (OtherProcessCaches, "load_reports_the_last_applied_swap"),
    (LoadNamesAnotherVersion, "a_loaded_version_can_be_swapped"),
    (TrimsLines, "text_comes_back_as_given"),
    (WantsText, "bytes_are_not_looked_into"),
    (CutsAt64KiB, "a_full_record_fits"),
    (CountsToTwo, "a_stale_version_loses"),
    (CreatesOverVersionTwo, "absent_loses_when_something_is_stored"),
    (VersionCreates, "a_version_loses_when_nothing_is_stored"),
    (WritesBeforeItLooks, "a_lost_swap_changes_nothing"),
    (LostSaysWhatWasWanted, "a_lost_swap_says_what_is_stored"),
    (ChecksThenWrites, "racing_swaps_have_one_winner"),
    (LooksThenCreates, "racing_creations_have_one_winner"),
    (TakesItsOwnWriteForSuccess, "a_repeated_swap_loses"),
    (RefusesAWriteIdTwice, "a_write_id_is_not_judged"),
    (LostAnswerIsAnError, "a_lost_answer_is_unknown"),
    (LocksUntilItReturns, "an_abandoned_swap_locks_nobody_out"),
    (Expires, "nothing_expires"),
    (CountsFromTheStart, "a_version_is_not_used_again"),
];

/// What all clients of one place share.
#[derive(Debug, Default)]
struct Place {
    losing: Once,
    locked: AtomicBool,
    erased: AtomicBool,
    first_load: Mutex<Option<Loaded>>,
    last_write: Mutex<Option<WriteId>>,
}

#[derive(Clone, Debug)]
struct Client {
    fault: Option<Fault>,
    world: Shared,
    place: Arc<Place>,
    is_other: bool,
}

impl Client {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// What this implementation calls a version of the store below: the same but for versions counted anew.
    fn shown(&self, version: Version) -> Version {
        let again = self.is(CountsFromTheStart) && self.place.erased.load(Ordering::Relaxed);
        let back = |version: &Version| version.as_str().parse::<u64>().unwrap() - 1;
        if again { Version::new(back(&version).to_string()) } else { version }
    }

    fn meant(&self, expected: &Expected) -> Expected {
        let Expected::At(version) = expected else { return expected.clone() };
        let again = self.is(CountsFromTheStart) && self.place.erased.load(Ordering::Relaxed);
        let on = |version: &Version| version.as_str().parse::<u64>().map_or(0, |number| number + 1);
        Expected::At(if again { Version::new(on(version).to_string()) } else { version.clone() })
    }

    fn now(&self) -> Option<Loaded> {
        self.world.lock().load()
    }

    /// Replaces what is stored, whatever it is.
    fn force(&self, sealed: &Sealed) -> Swapped {
        let expected = self.now().map_or(Expected::Absent, |now| Expected::At(now.version));
        self.world.lock().swap(&expected, sealed)
    }

    fn version(&self) -> u64 {
        self.now().map_or(0, |now| now.version.as_str().parse().unwrap())
    }
}

#[async_trait]
impl StateStore for Client {
    async fn load(&self) -> Result<Option<Loaded>> {
        let old = self.world.lock().now().since(BEGINNING) > Span::from_mins(60 * 24 * 365);
        if self.is(Expires) && old {
            return Ok(None);
        }
        let Some(mut now) = self.now() else {
            let something = Loaded::new(Version::new("0"), Vec::new());
            return Ok(self.is(EmptyIsSomething).then_some(something));
        };
        now.version = self.shown(now.version);
        if self.is(LoadNamesAnotherVersion) && now.version.as_str() == "1" {
            now.version = Version::new(format!("W/{}", now.version.as_str()));
        }
        if self.is(OtherProcessCaches) && self.is_other {
            return Ok(self.place.first_load.lock().unwrap().get_or_insert(now).clone().into());
        }
        Ok(Some(now))
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        let mut sealed = sealed.clone();
        let mut forced = None;
        let error = |kind| Err(Error::new(kind, "swap"));
        match (self.fault, expected) {
            (Some(TrimsLines), _) if std::str::from_utf8(&sealed.bytes).is_ok() => {
                sealed.bytes = sealed.bytes.trim_ascii_end().to_vec();
            }
            (Some(WantsText), _) => {
                sealed.bytes = String::from_utf8_lossy(&sealed.bytes).into_owned().into_bytes();
            }
            (Some(CutsAt64KiB), _) => sealed.bytes.truncate(64 << 10),
            (Some(CountsToTwo), Expected::At(version)) => {
                let (wanted, now) = (version.as_str().parse::<u64>().unwrap(), self.version());
                if wanted < now && wanted % 2 == now % 2 {
                    return Ok(self.force(&sealed));
                }
            }
            (Some(CreatesOverVersionTwo), Expected::Absent) if self.version() == 2 => {
                return Ok(self.force(&sealed));
            }
            (Some(VersionCreates), Expected::At(_)) if self.now().is_none() => return Ok(self.force(&sealed)),
            (Some(WritesBeforeItLooks), Expected::At(version)) => {
                let stale = self.now().filter(|now| version.as_str() == "2" && now.version.as_str() == "3");
                if let Some(now) = stale {
                    let _ = self.force(&sealed);
                    return Ok(Swapped::Lost(Some(now)));
                }
            }
            (Some(ChecksThenWrites), Expected::At(version))
                if self.now().is_some_and(|now| now.version == *version) =>
            {
                tokio::task::yield_now().await;
                forced = Some(self.force(&sealed));
            }
            (Some(LooksThenCreates), Expected::Absent) if self.now().is_none() => {
                tokio::task::yield_now().await;
                return Ok(self.force(&sealed));
            }
            (Some(RefusesAWriteIdTwice), Expected::At(_)) => {
                let twice = self.place.last_write.lock().unwrap().as_ref() == Some(&sealed.write_id);
                if twice && self.now().is_some_and(|now| Expected::At(now.version) == *expected) {
                    return error(ErrorKind::Invalid);
                }
            }
            (Some(LocksUntilItReturns), _) => {
                if self.place.locked.swap(true, Ordering::Relaxed) {
                    return error(ErrorKind::Throttled { retry_after: None });
                }
                tokio::task::yield_now().await;
                self.place.locked.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
        let swap = || self.world.lock().swap(&self.meant(expected), &sealed);
        let mut answer = forced.unwrap_or_else(swap);
        if let Swapped::Lost(current) = &mut answer {
            let own = self.place.last_write.lock().unwrap().as_ref() == Some(&sealed.write_id);
            let same = current.as_ref().is_some_and(|current| current.bytes == sealed.bytes);
            if self.is(TakesItsOwnWriteForSuccess) && own && same {
                return Ok(Swapped::Applied(self.now().unwrap().version));
            }
            if let Some(current) = current.as_mut().filter(|_| self.is(LostSaysWhatWasWanted)) {
                current.bytes = sealed.bytes.clone();
            }
        }
        if let Swapped::Applied(version) = answer {
            answer = Swapped::Applied(self.shown(version));
            *self.place.last_write.lock().unwrap() = Some(sealed.write_id.clone());
        }
        if !self.is_other && self.place.losing.take() {
            if self.is(LostAnswerIsAnError) {
                return error(ErrorKind::Unavailable);
            }
            return Ok(Swapped::Unknown { why: "no answer within 5s".to_owned() });
        }
        Ok(answer)
    }
}

struct Stage(Client);

#[async_trait]
impl StoreStage for Stage {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.0.clone())
    }

    fn other(&self) -> Arc<dyn StateStore> {
        Arc::new(Client { is_other: true, ..self.0.clone() })
    }

    async fn erase(&self) -> bool {
        self.0.world.lock().store.erase();
        self.0.place.erased.store(true, Ordering::Relaxed);
        true
    }

    async fn lose_answer(&self) -> bool {
        self.0.place.losing.set();
        true
    }

    async fn pass(&self, span: Span) -> bool {
        let mut world = self.0.world.lock();
        world.settings.scrape = span;
        let end = world.now().after(span);
        world.advance_to(end);
        true
    }
}

#[tokio::test]
async fn each_store_test_bites() {
    let run = async |fault| {
        store(async || Stage(Client { fault, world: world(0), place: shared(), is_other: false })).await
    };
    each_test_bites(TESTS, ROWS, run).await;
}
