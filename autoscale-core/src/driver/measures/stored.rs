//! What the record says.

use super::gauges::{Gauges, Group, Labels};
use crate::data::record::{Op, OpKind, Record};
use crate::driver::{Ended, Report, codes};
use crate::words::Elapsed;

pub(super) fn recorded(gauges: &mut Gauges, record: &Record, report: &Report) {
    let now = record.elapsed_at(report.at);
    let busy = matches!(report.ended, Ended::Busy { .. });
    let leased = record.lease.as_ref().is_some_and(|lease| lease.until > report.at);
    let paused = record.paused.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > now));
    let quiet = record.time.quiet_until.since(now).as_millis() as f64 / 1_000.0;
    let mut shown: Vec<(&'static str, Labels, f64)> = vec![
        ("autoscale_lock_held", Labels::new(), f64::from(u8::from(busy || leased))),
        ("autoscale_paused", Labels::new(), f64::from(u8::from(paused))),
        ("autoscale_quiet_seconds", Labels::new(), quiet),
    ];
    record.ops.iter().for_each(|op| shown.extend(operation(op)));
    for notice in record.notices.iter().filter(|notice| !notice.closed) {
        shown.push(("autoscale_notices", vec![("kind", codes::notice(notice.kind).to_owned())], 1.0));
    }
    shown.extend(backoffs(record, now));
    gauges.show(Group::Record, shown);
}

fn operation(op: &Op) -> Vec<(&'static str, Labels, f64)> {
    let pool = op.pool.to_string();
    let labels = |kind: &str, state: &str| {
        vec![("pool", pool.clone()), ("kind", kind.to_owned()), ("state", state.to_owned())]
    };
    match &op.kind {
        OpKind::Launch(launch) => {
            vec![("autoscale_operations", labels("launch", codes::launch_state(&launch.state)), 1.0)]
        }
        OpKind::Remove(remove) => {
            let state = codes::remove_state(&remove.state);
            let drain = vec![("pool", pool.clone()), ("state", state.to_owned())];
            vec![("autoscale_operations", labels("remove", state), 1.0), ("autoscale_drains", drain, 1.0)]
        }
    }
}

fn backoffs(record: &Record, now: Elapsed) -> Vec<(&'static str, Labels, f64)> {
    let mut shown = Vec::new();
    for (pool, marks) in &record.pools {
        let offerings = marks.offerings.iter().filter(|known| known.backoff.until > now).count();
        let nodes = marks.nodes.iter().filter(|known| known.backoff.until > now).count();
        for (kind, count) in [("offering", offerings), ("node", nodes)] {
            let labels = vec![("pool", pool.to_string()), ("kind", kind.to_owned())];
            shown.push(("autoscale_backoffs", labels, count as f64));
        }
        let labels = vec![("pool", pool.to_string())];
        shown.push(("autoscale_failed_joins", labels, f64::from(marks.failed_joins)));
    }
    shown
}
