//! An answer from an audit log, wherever that is kept.

use crate::data::audit::{Broken, Read, Reader};
use crate::logic::{Answer, Explainer, NoAnswer, Question};
use crate::ports::{AuditLog, AuditRange, Error};

/// Why an audit log gives no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainFailed {
    /// It cannot be read.
    #[error("{}", .0.chain())]
    Store(Error),
    /// It is damaged, or no audit log.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Nothing in it answers this.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

/// Reads a log from its beginning to its end, checks each line and each writer's chain, and says why it acted, why it did not, what it
/// waits for and until when. It holds one page at a time.
///
/// What a writer left that died, and what differs from lines older than the log, are passed over. Whether all lines of a writer are
/// gone, which is for [`Reader::finish`] to tell, is not asked: what is there still answers.
///
/// # Errors
/// [`ExplainFailed`]. To read a log as far as it can be read, use [`Reader`] and [`Explainer`].
pub async fn explain(log: &dyn AuditLog, question: Question) -> Result<Answer, ExplainFailed> {
    let (mut reader, mut explainer) = (Reader::new(), Explainer::new(question));
    let mut range = AuditRange::all();
    loop {
        let page = log.read(&range).await.map_err(ExplainFailed::Store)?;
        for line in &page.lines {
            if let Read::Entry(entry) = reader.line(line)? {
                let (head, entry) = *entry;
                explainer.see(head, entry);
            }
        }
        match page.next {
            Some(next) => range.after = Some(next),
            None => break,
        }
    }
    Ok(explainer.answer()?)
}
