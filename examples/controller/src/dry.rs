//! `--dry-run`: reads pass, and nothing is written. What would have been sent is told.
//!
//! A parked driver sends nothing by itself. The ports are wrapped all the same, so that it does not depend on that: whatever
//! would change something is refused before it leaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use autoscale_core::data::order::{
    CordonOrder, Cordoned, Effect, EvictOrder, EvictPass, ForgetOrder, LaunchOrder, Launched, TerminateOrder,
};
use autoscale_core::data::view::{ClusterView, Listing, Scope};
use autoscale_core::driver::{Ports, Report, seal};
use autoscale_core::logic::due;
use autoscale_core::ports::{
    Drainer, Error, ErrorKind, Expected, Loaded, NodeProvider, Sealed, StateStore, Swapped, Version,
};

/// What is wrapped, and the writes that stay here.
#[derive(Clone, Debug)]
pub struct Dry {
    store: Arc<DryStore>,
    everything: bool,
}

impl Dry {
    /// Wraps ports. With `everything` every survey looks at all pods, so that each node can be judged.
    pub fn wrap(ports: &mut Ports, everything: bool) -> Self {
        let store = Arc::new(DryStore { inner: ports.store.clone(), written: Mutex::default() });
        ports.store = store.clone();
        ports.nodes = Arc::new(DryNodes(ports.nodes.clone()));
        ports.drainer = Arc::new(DryDrainer { inner: ports.drainer.clone(), everything });
        Self { store, everything }
    }

    /// What a tick would have sent. What it has begun is forgotten, what it has noted about rules is kept: so the next tick
    /// decides as if this one had not been able to act.
    pub fn withheld(&self, report: &Report) -> Vec<Effect> {
        let mut all = Vec::new();
        for round in &report.rounds {
            let Some(stored) = &round.stored else { continue };
            for effect in due(&report.policy, stored, &round.view) {
                if !all.contains(&effect) {
                    all.push(effect);
                }
            }
        }
        if let (Some(first), Some(last)) = (report.rounds.first(), &report.record) {
            let mut next = last.clone();
            (next.ops, next.next_seq, next.lease) = (first.before.ops.clone(), first.before.next_seq, None);
            self.store.replace(&next);
        }
        all
    }

    /// Whether every survey looks at all pods.
    pub const fn everything(&self) -> bool {
        self.everything
    }
}

/// A store whose writes stay in memory, on top of what is really stored.
#[derive(Debug)]
struct DryStore {
    inner: Arc<dyn StateStore>,
    written: Mutex<Written>,
}

/// What was not written, and on top of what.
#[derive(Debug, Default)]
struct Written {
    base: Option<Version>,
    value: Option<(u64, Vec<u8>)>,
    count: u64,
}

impl Written {
    fn loaded(&self) -> Option<Loaded> {
        let (count, bytes) = self.value.as_ref()?;
        Some(Loaded::new(Version::new(format!("dry-{count}")), bytes.clone()))
    }

    fn put(&mut self, bytes: Vec<u8>) -> Version {
        self.count = self.count.saturating_add(1);
        self.value = Some((self.count, bytes));
        Version::new(format!("dry-{}", self.count))
    }
}

impl DryStore {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, record: &autoscale_core::data::record::Record) {
        let mut written = self.written();
        if let (true, Ok(sealed)) = (written.value.is_some(), seal(record)) {
            written.put(sealed.bytes);
        }
    }
}

#[async_trait]
impl StateStore for DryStore {
    async fn load(&self) -> Result<Option<Loaded>, Error> {
        let stored = self.inner.load().await?;
        let base = stored.as_ref().map(|loaded| loaded.version.clone());
        let mut written = self.written();
        if written.base != base {
            // Somebody has written in earnest: that counts.
            *written = Written { base, value: None, count: written.count };
        }
        Ok(match written.loaded() {
            Some(mut loaded) => {
                loaded.store_time = stored.and_then(|stored| stored.store_time);
                Some(loaded)
            }
            None => stored,
        })
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped, Error> {
        let current = self.load().await?;
        let fits = match (expected, &current) {
            (Expected::Absent, None) => true,
            (Expected::At(version), Some(current)) => *version == current.version,
            _ => false,
        };
        if fits {
            Ok(Swapped::Applied(self.written().put(sealed.bytes.clone())))
        } else {
            Ok(Swapped::Lost(current))
        }
    }
}

fn refused(attempted: &str) -> Error {
    Error::new(ErrorKind::NotSent, format!("{attempted}: this is a dry run"))
}

#[derive(Debug)]
struct DryNodes(Arc<dyn NodeProvider>);

#[async_trait]
impl NodeProvider for DryNodes {
    async fn list(&self) -> Result<Listing, Error> {
        self.0.list().await
    }

    async fn launch(&self, _: &LaunchOrder) -> Result<Launched, Error> {
        Err(refused("launch"))
    }

    async fn terminate(&self, _: &TerminateOrder) -> Result<(), Error> {
        Err(refused("terminate"))
    }
}

#[derive(Debug)]
struct DryDrainer {
    inner: Arc<dyn Drainer>,
    everything: bool,
}

#[async_trait]
impl Drainer for DryDrainer {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView, Error> {
        self.inner.survey(if self.everything { &Scope::Everything } else { scope }).await
    }

    async fn cordon(&self, _: &CordonOrder) -> Result<Cordoned, Error> {
        Err(refused("cordon"))
    }

    async fn uncordon(&self, _: &CordonOrder) -> Result<Cordoned, Error> {
        Err(refused("uncordon"))
    }

    async fn evict(&self, _: &EvictOrder) -> Result<EvictPass, Error> {
        Err(refused("evict"))
    }

    async fn forget(&self, _: &ForgetOrder) -> Result<(), Error> {
        Err(refused("forget"))
    }
}
