//! Lines come back.

use super::{AuditStage, all, expect, line, names, pages, stored};
use crate::conformance::check::{Ended, Stop, able, ensure};
use crate::data::audit::Line;
use crate::ports::{AuditRange, ErrorKind};
use crate::words::Timestamp;

pub(super) async fn lines_of_a_writer_keep_their_order(stage: &dyn AuditStage) -> Ended {
    let log = stage.log();
    // A clock that stands still, goes back and goes on.
    let times = [0, 0, -5_000, -5_000, 7, 6];
    let lines: Result<Vec<Line>, _> =
        (1..).zip(times).map(|(n, after)| line(stage, "w", n, after, b"{}")).collect();
    let lines = lines?;
    for line in &lines {
        stored(&*log, line).await?;
    }
    expect(&*log, &lines.iter().collect::<Vec<_>>()).await
}

pub(super) async fn the_oldest_is_first(stage: &dyn AuditStage) -> Ended {
    let (log, other) = (stage.log(), stage.other());
    let mut lines = Vec::new();
    // "z" would come behind "a" by name, and is first by time.
    for (at, n) in [(0, 1), (10, 2)] {
        for (log, writer, after) in [(&log, "z", at), (&other, "a", at + 5)] {
            // As an auditor does that begins.
            log.newest().await?;
            let line = line(stage, writer, n, after, b"{}")?;
            stored(&**log, &line).await?;
            lines.push(line);
        }
    }
    expect(&*log, &lines.iter().collect::<Vec<_>>()).await
}

pub(super) async fn another_process_reads_them(stage: &dyn AuditStage) -> Ended {
    let (log, other) = (stage.log(), stage.other());
    let (one, two) = (line(stage, "w", 1, 0, b"{}")?, line(stage, "w", 2, 1, b"{}")?);
    stored(&*log, &one).await?;
    expect(&*other, &[&one]).await?;
    stored(&*log, &two).await?;
    expect(&*other, &[&one, &two]).await
}

/// Five lines, a second after each other.
async fn five(stage: &dyn AuditStage) -> Result<Vec<Line>, Stop> {
    let log = stage.log();
    let lines: Result<Vec<Line>, _> =
        (1..=5_u32).map(|n| line(stage, "w", n.into(), i64::from(n) * 1_000, b"{}")).collect();
    let lines = lines?;
    for line in &lines {
        stored(&*log, line).await?;
    }
    Ok(lines)
}

pub(super) async fn pages_make_up_the_whole(stage: &dyn AuditStage) -> Ended {
    let lines = five(stage).await?;
    let wanted: Vec<&[u8]> = lines.iter().map(|line| line.text.as_bytes()).collect();
    for most in [1, 2, 5, 6] {
        let found = pages(&*stage.log(), AuditRange { most, ..AuditRange::all() }).await?;
        let sizes: Vec<usize> = found.iter().map(Vec::len).collect();
        let many = sizes.iter().any(|size| *size > most);
        ensure!(!many, "at most {most} lines were wanted on a page, and there were {sizes:?}");
        let found = found.concat();
        ensure!(found == wanted, "pages of {most} made up {:?}", names(&found));
    }
    Ok(())
}

pub(super) async fn a_range_has_what_began_in_it(stage: &dyn AuditStage) -> Ended {
    let lines = five(stage).await?;
    let at = |n: i64| Some(Timestamp::from_millis(stage.now().as_millis().saturating_add(n * 1_000)));
    for (from, until, first, last) in [
        (at(2), None, 2, 5),
        (None, at(4), 1, 4),
        (at(2), at(4), 2, 4),
        (at(3), at(3), 3, 3),
        (at(6), None, 6, 5),
        (None, at(0), 1, 0),
    ] {
        let range = AuditRange { from, until, most: 2, ..AuditRange::all() };
        let found = pages(&*stage.log(), range).await?.concat();
        let wanted: Vec<&[u8]> = lines
            .iter()
            .filter(|line| (first..=last).contains(&line.head.n))
            .map(|line| line.text.as_bytes())
            .collect();
        ensure!(found == wanted, "the range {first} to {last} has {:?}", names(&found));
    }
    Ok(())
}

pub(super) async fn what_is_no_line_is_read(stage: &dyn AuditStage) -> Ended {
    let one = line(stage, "w", 1, 0, b"{}")?;
    stored(&*stage.log(), &one).await?;
    able(stage.spoil().await, "the stage cannot spoil a log")?;
    let found = all(&*stage.log()).await?;
    let (lines, others): (Vec<_>, Vec<_>) = found.iter().partition(|bytes| Line::is_whole(bytes));
    let right = lines.len() == 1 && others.len() == 1;
    ensure!(right, "one line, and one thing that is none: read {:?}", names(&found));
    // Nor does a range hide it.
    let at = |after: i64| Some(Timestamp::from_millis(stage.now().as_millis().saturating_add(after)));
    let range = AuditRange { from: at(-1_000), until: at(1_000), ..AuditRange::all() };
    let found = pages(&*stage.log(), range).await?.concat();
    ensure!(found.len() == 2, "in a range of both: read {:?}", names(&found));
    Ok(())
}

pub(super) async fn an_unknown_place_is_refused(stage: &dyn AuditStage) -> Ended {
    five(stage).await?;
    let after = Some("nowhere at all".to_owned());
    let answer = stage.log().read(&AuditRange { after, ..AuditRange::all() }).await;
    let refused = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Invalid);
    ensure!(refused, "reading on from a place that the log has not named gave {answer:?}");
    Ok(())
}
