//! The newest line.

use super::{AuditStage, line, stored};
use crate::conformance::check::{Ended, able, ensure};
use crate::data::audit::Line;
use crate::ports::AuditLog;

pub(super) async fn there_is_none_at_first(stage: &dyn AuditStage) -> Ended {
    let newest = stage.log().newest().await?;
    ensure!(newest.is_none(), "the newest line of a new place is {newest:?}");
    Ok(())
}

/// Fails unless this line is the newest.
async fn expect(log: &dyn AuditLog, line: &Line) -> Ended {
    let newest = log.newest().await?;
    let name = |head: &crate::data::audit::Head| format!("{} {}", head.writer, head.n);
    let (found, wanted) = (newest.as_ref().map(name), name(&line.head));
    ensure!(newest.as_ref() == Some(&line.head), "{wanted} was stored last, and the newest is {found:?}");
    Ok(())
}

pub(super) async fn it_is_the_one_stored_last(stage: &dyn AuditStage) -> Ended {
    let log = stage.log();
    for n in 1..=3 {
        let next = line(stage, "w", n, n as i64, b"{}")?;
        stored(&*log, &next).await?;
        expect(&*log, &next).await?;
    }
    Ok(())
}

pub(super) async fn it_is_by_whomever(stage: &dyn AuditStage) -> Ended {
    let (log, other) = (stage.log(), stage.other());
    // The clock of the second one is an hour behind.
    for (n, after) in [(1, 0), (2, 1_000)] {
        let mine = line(stage, "w", n, after, b"{}")?;
        stored(&*log, &mine).await?;
        expect(&*other, &mine).await?;
        let theirs = line(stage, "other", n, after - 3_600_000, b"{}")?;
        stored(&*other, &theirs).await?;
        expect(&*log, &theirs).await?;
    }
    Ok(())
}

pub(super) async fn a_part_of_a_line_is_none(stage: &dyn AuditStage) -> Ended {
    let one = line(stage, "w", 1, 0, b"{}")?;
    stored(&*stage.log(), &one).await?;
    let broken_off = line(stage, "ended", 1, 1, b"{}")?;
    able(stage.leave_a_part(&broken_off).await, "the stage cannot break off a line")?;
    expect(&*stage.other(), &one).await?;
    // And the next writer's line is whole.
    let next = line(stage, "next", 1, 2, b"{}")?;
    stored(&*stage.other(), &next).await?;
    expect(&*stage.log(), &next).await
}
