//! Records that are deleted, put back or damaged, and the operator who repairs them (F5 to F8).

use crate::data::record::{MAX_BYTES, Record};
use crate::words::{Span, Timestamp};

use super::blow::{Blow, Damage};
use super::net::{Item, Net};

/// A record that is not what it should be.
#[derive(Debug)]
pub(super) struct Hurt {
    kind: Damage,
    at: Timestamp,
    kept: Vec<u8>,
}

impl Net {
    /// Does it, unless it is damaged already.
    pub(super) fn damage(&mut self, kind: Damage) {
        let Some(loaded) = self.world.load().filter(|_| self.hurt.is_none()) else { return };
        if self.processes.values().any(|process| process.foreign) {
            // With no record in its way a foreign driver would found one: that is not what is tried here.
            return self.plan(Span::from_secs(30), Item::Blow(Blow::Record(kind)));
        }
        let now = self.world.now();
        let text = String::from_utf8_lossy(&loaded.bytes).into_owned();
        let half = loaded.bytes.len() / 2;
        let (name, bytes) = match kind {
            Damage::Deleted => ("record-deleted", None),
            Damage::Restored => {
                let read = |bytes: &[u8]| serde_json::from_slice::<Record>(bytes).ok();
                let inc = read(&loaded.bytes).map(|record| record.inc);
                let older = |bytes: &&Vec<u8>| **bytes != loaded.bytes && read(bytes).map(|r| r.inc) == inc;
                let Some(old) = self.snapshots.iter().map(|(_, bytes)| bytes).find(older).cloned() else {
                    return;
                };
                ("record-restored", Some(old))
            }
            Damage::Corrupt => {
                let mut bytes = loaded.bytes.clone();
                if let Some(byte) = bytes.get_mut(half) {
                    *byte = 0;
                }
                ("record-corrupt", Some(bytes))
            }
            Damage::Truncated => ("record-truncated", loaded.bytes.get(..half).map(<[u8]>::to_vec)),
            Damage::Huge => ("record-huge", Some(vec![b'['; MAX_BYTES * 20])),
            Damage::Future => {
                ("record-future", Some(text.replacen("\"min_reader\":1", "\"min_reader\":9", 1).into_bytes()))
            }
            Damage::Hostile => {
                ("record-hostile", Some(text.replacen("\"next_seq\":", "\"next_seq\":-", 1).into_bytes()))
            }
        };
        self.chaos.count(name);
        self.tell(name);
        let restored = bytes.as_ref().filter(|_| kind == Damage::Restored);
        let restored = restored.and_then(|bytes| serde_json::from_slice(bytes).ok());
        self.world.store.put(bytes);
        self.truth.on_damage(kind, restored);
        self.snapshots.clear();
        if kind != Damage::Deleted {
            self.hurt = Some(Hurt { kind, at: now, kept: loaded.bytes });
            let after = self.chaos.rng.span(Span::from_mins(5), Span::from_mins(25));
            self.plan(after, Item::Repair(now));
        }
    }

    /// The operator looks, and puts right what only a person can: by the last good copy, or by deleting the record.
    pub(super) fn repair(&mut self, since: Timestamp) {
        if self.hurt.as_ref().is_none_or(|hurt| hurt.at != since) {
            return;
        }
        if self.processes.values().any(|process| process.foreign) {
            return self.plan(Span::from_secs(30), Item::Repair(since));
        }
        let Some(hurt) = self.hurt.take() else { return };
        self.tell("the operator repairs");
        if hurt.kind == Damage::Restored {
            if !self.truth.halted_since(hurt.at) {
                // Not seen yet: a list may hide for 15 minutes what contradicts the record.
                if self.chaos.rates.hostile && self.world.now().since(hurt.at) < Span::from_mins(50) {
                    self.hurt = Some(hurt);
                    return self.plan(Span::from_mins(10), Item::Repair(since));
                }
                return self.truth.on_repair(false);
            }
            self.world.store.put(None);
            return self.truth.on_repair(true);
        }
        let delete = self.chaos.rng.chance(500_000);
        self.world.store.put((!delete).then_some(hurt.kept));
        self.truth.on_repair(delete);
    }

    /// At the end of all faults.
    pub(super) fn repair_at_last(&mut self) {
        let Some((kind, at)) = self.hurt.as_ref().map(|hurt| (hurt.kind, hurt.at)) else { return };
        if kind == Damage::Restored {
            // An operator who knows of it does not wait for the contradiction to show.
            self.hurt = None;
            self.world.store.put(None);
            return self.truth.on_repair(true);
        }
        self.repair(at);
    }
}
