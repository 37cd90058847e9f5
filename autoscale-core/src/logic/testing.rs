//! What the unit tests of the logic share.

use crate::data::policy::{Policy, PoolPolicy};
use crate::data::record::{Fingerprint, Record};
use crate::words::{Inc, Timestamp, Ver, WriteId};

pub(crate) fn policy() -> Policy {
    let pool =
        PoolPolicy::builder("web").with_zones(["a", "b", "c"]).with_shape("m6i.large", 2_000, 8 << 30, 110);
    Policy::builder("shop").with_pool(pool).build().expect("a valid policy")
}

pub(crate) fn record_at(now: Timestamp) -> Record {
    let inc = Inc::new("abcd1234").unwrap();
    let fingerprint = Fingerprint::of(policy().cluster(), "");
    let mut record = Record::founding(fingerprint, inc, WriteId::new("w0").unwrap(), now);
    record.ver = Ver::new(1);
    record
}
