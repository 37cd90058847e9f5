//! Who may work on the record now.

use crate::data::policy::Policy;
use crate::data::record::{Fingerprint, Lease, Record, SCHEMA};
use crate::words::{HolderId, Span, Timestamp};

/// What a tick may do with a record it has loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a halted or busy record must not be acted on"]
#[non_exhaustive]
pub enum Claim {
    /// Nobody else works on it: go on. The lease is taken in the same swap as the intent.
    Free,
    /// Another tick does. Notices may be appended, nothing else.
    Busy {
        /// Who.
        holder: HolderId,
        /// Until when, by its clock.
        until: Timestamp,
    },
    /// It is not to be touched (rule R15).
    Halt {
        /// What is wrong, and what to do.
        why: String,
    },
}

/// Judges a loaded record.
///
/// A lease counts while `now` is before its end. One that ends later than any holder could have written is not
/// believed: a takeover is safe at any time, so a wrong clock costs work, never safety (rule R4).
pub fn claim(
    policy: &Policy,
    fingerprint: &Fingerprint,
    record: &Record,
    me: &HolderId,
    now: Timestamp,
) -> Claim {
    if record.min_reader > SCHEMA {
        let why = format!(
            "the record needs a reader of schema {} and this is {SCHEMA}: run a newer version",
            record.min_reader
        );
        return Claim::Halt { why };
    }
    if record.fingerprint != *fingerprint {
        let why = format!(
            "the record belongs to {} and this is {fingerprint}: two clusters share a store, or the cluster id, \
             account or region changed; give each its own key",
            record.fingerprint
        );
        return Claim::Halt { why };
    }
    match &record.lease {
        Some(Lease { holder, until }) if holder != me && is_live(policy, *until, now) => {
            Claim::Busy { holder: holder.clone(), until: *until }
        }
        _ => Claim::Free,
    }
}

/// How far beyond its time to live a lease may end before it is not believed.
const MARGIN: Span = Span::from_secs(60);

fn is_live(policy: &Policy, until: Timestamp, now: Timestamp) -> bool {
    now < until && until <= now.after(policy.tick().lease_ttl()).after(MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::record::Record;
    use crate::logic::testing::{policy, record_at};

    fn holder(name: &str) -> HolderId {
        HolderId::new(name).unwrap()
    }

    fn leased(until: i64) -> Record {
        let mut record = record_at(Timestamp::from_millis(0));
        record.lease = Some(Lease { holder: holder("other"), until: Timestamp::from_millis(until) });
        record
    }

    #[test]
    fn a_lease_counts_until_it_ends_and_only_if_it_can_be_true() {
        let policy = policy();
        let judge = |record: &Record, me: &str, now: i64| {
            claim(&policy, &record.fingerprint.clone(), record, &holder(me), Timestamp::from_millis(now))
        };
        assert!(matches!(judge(&leased(60_000), "me", 59_999), Claim::Busy { .. }));
        assert_eq!(judge(&leased(60_000), "me", 60_000), Claim::Free);
        assert_eq!(judge(&leased(60_000), "other", 1), Claim::Free);
        // Ten years ahead: the holder's clock or ours is wrong, and it must not starve us.
        assert_eq!(judge(&leased(315_360_000_000), "me", 0), Claim::Free);
    }

    #[test]
    fn a_foreign_or_newer_record_halts() {
        let policy = policy();
        let mut record = leased(0);
        let mine = record.fingerprint.clone();
        let foreign = Fingerprint::of(policy.cluster(), "elsewhere");
        let now = Timestamp::from_millis(0);
        let me = holder("me");
        assert!(matches!(claim(&policy, &foreign, &record, &me, now), Claim::Halt { .. }));
        record.min_reader = SCHEMA + 1;
        assert!(matches!(claim(&policy, &mine, &record, &me, now), Claim::Halt { .. }));
    }
}
