//! An audit log in memory.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::data::audit::{Head, Line};
use crate::ports::{Appended, AuditLog, AuditPage, AuditRange, Error, ErrorKind, Result};

/// An [`AuditLog`] in memory, for tests and for looking at a run afterwards.
#[derive(Debug, Default)]
pub struct AuditMemory {
    lines: Mutex<Vec<Line>>,
}

impl AuditMemory {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// All lines, oldest first.
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl AuditLog for AuditMemory {
    async fn append(&self, line: &Line) -> Result<Appended> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |known: &Line| (&known.head.writer, known.head.n) == (&line.head.writer, line.head.n);
        match lines.iter().any(named) {
            true => Err(Error::new(ErrorKind::Invalid, "append an entry whose writer and number are there")),
            false => {
                lines.push(line.clone());
                Ok(Appended::Stored)
            }
        }
    }

    async fn read(&self, range: &AuditRange) -> Result<AuditPage> {
        let invalid =
            |_| Error::new(ErrorKind::Invalid, "read the audit log from a place that it has not named");
        let from = range.after.as_ref().map_or(Ok(0), |after| after.parse::<usize>().map_err(invalid))?;
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |line: &&Line| {
            range.from.is_none_or(|from| line.head.at >= from)
                && range.until.is_none_or(|end| line.head.at <= end)
        };
        let mut rest = (1..).zip(lines.iter()).skip(from).filter(|(_, line)| wanted(line)).peekable();
        let mut page = AuditPage::default();
        let mut end = from;
        for (at, line) in rest.by_ref().take(range.most.max(1)) {
            page.lines.push(line.text.clone().into_bytes());
            end = at;
        }
        page.next = rest.peek().map(|_| end.to_string());
        Ok(page)
    }

    async fn newest(&self) -> Result<Option<Head>> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(lines.last().map(|line| line.head.clone()))
    }
}
