//! The operator's calls on a driver: one load and at most one swap each.

use super::observe::within;
use super::store::{Written, load, swap};
use super::{Driver, Ended, tell};
use crate::data::record::{Fingerprint, Record};
use crate::logic::{Claim, OperateError, Operation, Status, Tick, claim, operate};
use crate::ports::{Expected, Version};
use crate::words::Span;

/// How long one call to the store may take.
const CALL: Span = Span::from_secs(5);

/// Others may write in between so often.
const TRIES: u32 = 5;

/// Why an operator's call did nothing, or may not have done anything.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// There is no record yet.
    #[error("there is no record yet: the first tick writes it")]
    NoRecord,
    /// The record cannot be used by this program.
    #[error("{why}")]
    Halted {
        /// What is wrong and what to do.
        why: String,
    },
    /// The store did not answer, refused, or others kept writing.
    #[error("not done: {why}")]
    Store {
        /// In words.
        why: String,
    },
    /// The write may or may not have been applied.
    #[error("the store's answer got lost: look at the status before you ask again")]
    Unknown,
    /// The wish itself was refused.
    #[error(transparent)]
    Refused(#[from] OperateError),
}

impl Driver {
    /// What is under way and what happens next.
    ///
    /// # Errors
    /// No record, one that cannot be used, or a store that does not answer.
    pub async fn status(&self) -> Result<Status, OperatorError> {
        let (_, record) = self.look().await?;
        Ok(Status::new(record, self.ports.clock.now()))
    }

    /// Carries out an operator's wish, and returns what is under way and what happens next.
    ///
    /// # Errors
    /// As [`status`](Self::status); a stale version, nothing to do, or an answer that got lost.
    pub async fn operate(&self, wish: &Operation) -> Result<Status, OperatorError> {
        let status = self.carry_out(wish).await;
        tell::operated(self.policy.cluster(), wish, &status);
        status
    }

    async fn carry_out(&self, wish: &Operation) -> Result<Status, OperatorError> {
        if let Operation::Adopt { pool } = wish
            && self.policy.pool(pool).is_none()
        {
            let known = self.policy.pools().keys().cloned().collect();
            return Err(OperateError::NoPool { pool: pool.clone(), known }.into());
        }
        for _ in 0..TRIES {
            let (version, record) = self.look().await?;
            let ids = &self.ports.ids;
            let tick = Tick::new(ids.holder(), ids.write_id(), self.launch_delay);
            let next = operate(&record, wish, &tick, self.ports.clock.now())?;
            match swap(&self.ports, &Expected::At(version), &next, None, CALL).await.map_err(refused)? {
                Written::Applied(_) => return Ok(Status::new(next, self.ports.clock.now())),
                Written::Unknown => return Err(OperatorError::Unknown),
                Written::Lost(_) => within(&*self.ports.clock, CALL, self.ports.clock.sleep(PAUSE)).await,
            };
        }
        Err(OperatorError::Store { why: "others kept writing".to_owned() })
    }

    async fn look(&self) -> Result<(Version, Record), OperatorError> {
        let (version, record) =
            load(&self.ports, CALL).await.map_err(refused)?.ok_or(OperatorError::NoRecord)?;
        let fingerprint = Fingerprint::of(self.policy.cluster(), &self.scope);
        match claim(&self.policy, &fingerprint, &record, &self.ports.ids.holder(), self.ports.clock.now()) {
            Claim::Halt { why } => Err(OperatorError::Halted { why }),
            Claim::Free | Claim::Busy { .. } => Ok((version, record)),
        }
    }
}

/// Between two tries.
const PAUSE: Span = Span::from_millis(200);

fn refused(ended: Ended) -> OperatorError {
    match ended {
        Ended::Halted { why } => OperatorError::Halted { why },
        Ended::NoAuthority { why } => OperatorError::Store { why },
        Ended::Done | Ended::Busy { .. } => {
            OperatorError::Store { why: "the store did not answer".to_owned() }
        }
    }
}
