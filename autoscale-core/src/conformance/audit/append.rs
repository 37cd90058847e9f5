//! What becomes of a line.

use super::{AuditStage, all, expect, line, names, stored};
use crate::conformance::check::{Ended, Stop, able, ensure};
use crate::data::audit::{Kind, Line};
use crate::ports::{Appended, ErrorKind};

pub(super) async fn a_stored_line_comes_back(stage: &dyn AuditStage) -> Ended {
    let mut head = super::head(stage, "w", 1, 0, b"{}");
    head.actions = ["grün 🦀", "\\ \"quoted\" <xml> %20", "two\r\nlines"].map(str::to_owned).to_vec();
    let one = Line::make(head, b"{}").map_err(|broken| Stop::Failed(broken.to_string()))?;
    stored(&*stage.log(), &one).await?;
    expect(&*stage.log(), &[&one]).await
}

/// A text, as JSON, that cannot be made much smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        // Knuth's multiplier; the upper bits are good enough to keep a compressor busy.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b'0' + (state >> 58) as u8
    };
    let letters = std::iter::repeat_with(next).filter(|byte| *byte != b'\\').take(length);
    std::iter::once(b'"').chain(letters).chain([b'"']).collect()
}

pub(super) async fn a_large_line_comes_back(stage: &dyn AuditStage) -> Ended {
    let (log, small) = (stage.log(), line(stage, "w", 1, 0, b"{}")?);
    let large = line(stage, "w", 2, 1, &noise(2 << 20))?;
    let last = line(stage, "w", 3, 2, b"{}")?;
    for line in [&small, &large, &last] {
        stored(&*log, line).await?;
    }
    expect(&*stage.other(), &[&small, &large, &last]).await
}

pub(super) async fn a_full_line_is_taken(stage: &dyn AuditStage) -> Ended {
    let (log, other) = (stage.log(), stage.other());
    for (writer, n, log) in [("w", 1, &log), ("other", 1, &other), ("w", 2, &log), ("other", 2, &other)] {
        // What a clock that was set makes of its time.
        let after = if n == 1 { 40 * 24 * 3_600_000 } else { -3_600_000 };
        let line = line(stage, writer, n, after, b"{}")?;
        let appended = log.append(&line).await?;
        ensure!(appended == Appended::Stored, "full line {n} of {writer} gave {appended:?}");
    }
    Ok(())
}

/// The line as a difference.
fn difference(stage: &dyn AuditStage, writer: &str, n: u64) -> Result<Line, Stop> {
    let mut head = super::head(stage, writer, n, 1, b"{}");
    head.kind = Kind::Delta;
    Line::make(head, b"{}").map_err(|broken| Stop::Failed(broken.to_string()))
}

pub(super) async fn what_was_refused_is_not_there(stage: &dyn AuditStage) -> Ended {
    let first = line(stage, "w", 1, 0, b"{}")?;
    stored(&*stage.log(), &first).await?;
    // To what another process has written, as far as anybody here can know.
    let stray = difference(stage, "stray", 2)?;
    let wanted = match stage.other().append(&stray).await? {
        Appended::Stored => vec![&first, &stray],
        Appended::NeedsFull => vec![&first],
    };
    expect(&*stage.log(), &wanted).await
}

pub(super) async fn a_body_is_not_looked_into(stage: &dyn AuditStage) -> Ended {
    let one = line(stage, "w", 1, 0, b"\xff no JSON \0")?;
    stored(&*stage.log(), &one).await?;
    expect(&*stage.log(), &[&one]).await
}

pub(super) async fn a_lost_answer_is_unclear(stage: &dyn AuditStage) -> Ended {
    let log = stage.log();
    stored(&*log, &line(stage, "w", 1, 0, b"{}")?).await?;
    able(stage.lose_answer().await, "the stage cannot lose an answer")?;
    let answer = log.append(&line(stage, "w", 2, 1, b"{}")?).await;
    let unclear = answer.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Unclear);
    ensure!(unclear, "an append whose answer was lost gave {answer:?}");
    let there = all(&*log).await?;
    ensure!(there.len() <= 2, "two lines were appended, read {:?}", names(&there));
    Ok(())
}
