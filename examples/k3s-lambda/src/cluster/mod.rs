//! The cluster, reached at its master: the Kubernetes API, and Prometheus.
//!
//! Nothing is connected to before it is needed. What was connected is kept for the next invocations; it is given up when the
//! master has another address, and when the API does not answer, so that a new certificate authority is picked up.

mod auth;
mod dial;
mod master;
mod pem;
mod ports;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use autoscale_core::ports::{Clock, Drainer, Error, MetricsSource};
use autoscale_core::words::{Deadline, Span};
use tokio::sync::Mutex;

pub use auth::authenticated;
pub use dial::MasterDial;
pub use master::{Master, refused_address};
pub use ports::{ClusterDrainer, ClusterMetrics};

/// For so long the master's address is believed without looking again.
const KEEP: Span = Span::from_mins(5);

/// What there is at the master.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reached {
    /// The Kubernetes API.
    pub drainer: Arc<dyn Drainer>,
    /// Prometheus, and what pods ask for.
    pub metrics: Arc<dyn MetricsSource>,
}

impl Reached {
    /// Both.
    pub fn new(drainer: Arc<dyn Drainer>, metrics: Arc<dyn MetricsSource>) -> Self {
        Self { drainer, metrics }
    }
}

/// Connects to what runs at an address.
#[async_trait]
pub trait Dial: std::fmt::Debug + Send + Sync + 'static {
    /// Connects. The address has been judged.
    ///
    /// # Errors
    /// Something that is needed for it cannot be fetched or used.
    async fn dial(&self, address: IpAddr) -> Result<Reached, Error>;
}

/// The cluster behind its master. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Cluster {
    master: Arc<Master>,
    dial: Arc<dyn Dial>,
    clock: Arc<dyn Clock>,
    held: Arc<Mutex<Option<Held>>>,
}

#[derive(Clone, Debug)]
struct Held {
    address: IpAddr,
    reached: Reached,
    until: Deadline,
}

impl Cluster {
    /// A cluster that is looked for when it is needed.
    pub fn new(master: Master, dial: Arc<dyn Dial>, clock: Arc<dyn Clock>) -> Self {
        Self { master: Arc::new(master), dial, clock, held: Arc::default() }
    }

    /// What there is, found and connected to.
    ///
    /// # Errors
    /// There is no master, or more than one, or its address is none to connect to; or as [`Dial::dial`].
    pub async fn reached(&self) -> Result<Reached, Error> {
        // Held for the whole of it: whoever comes second wants the same connection.
        let mut held = self.held.lock().await;
        let now = self.clock.boot();
        if let Some(held) = held.as_ref().filter(|held| now < held.until) {
            return Ok(held.reached.clone());
        }
        let address = self.master.address().await?;
        let until = now.after(KEEP);
        if let Some(held) = held.as_mut().filter(|held| held.address == address && held.until != GIVEN_UP) {
            held.until = until;
            return Ok(held.reached.clone());
        }
        let reached = self.dial.dial(address).await?;
        *held = Some(Held { address, reached: reached.clone(), until });
        Ok(reached)
    }

    /// The master's address: the one that is connected to, or as it is now. It has been judged.
    ///
    /// # Errors
    /// As [`Master::address`].
    pub async fn address(&self) -> Result<IpAddr, Error> {
        let now = self.clock.boot();
        let held = self.held.lock().await.as_ref().filter(|held| now < held.until).map(|held| held.address);
        match held {
            Some(address) => Ok(address),
            None => self.master.address().await,
        }
    }

    /// The next call looks for the master anew and connects anew.
    pub(crate) async fn give_up(&self) {
        if let Some(held) = self.held.lock().await.as_mut() {
            held.until = GIVEN_UP;
        }
    }
}

/// What is not to be used again.
const GIVEN_UP: Deadline = Deadline::from_millis(0);
