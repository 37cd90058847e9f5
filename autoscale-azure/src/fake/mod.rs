//! Azure Resource Manager in memory, as far as machines are concerned: for tests of programs that use this crate.
//!
//! What the service's REST reference says: names, `If-None-Match`, provisioning states, operations that are accepted and end later, or fail,
//! polling addresses with `Retry-After`, pages, error bodies, custom roles; and what no reference says but every client meets: lists
//! that lag, throttling, lost requests and answers, requests that are carried out late. Its time stands still until it is moved.
//!
//! A [`Vms`](crate::vm::Vms) reaches it in process, through [`Arm::transport`]; other programs over HTTP, by [`Arm::serve`]. Microsoft's own
//! client for Python drives it in the tests; where it differs from the service is listed beside them.

mod access;
mod answer;
mod capacity;
mod clock;
mod create;
mod faults;
mod journal;
mod list;
mod machines;
mod operations;
mod route;
mod server;
mod transport;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoscale_core::ports::Clock;
use autoscale_core::words::{Span, Timestamp};
use azure_core::credentials::TokenCredential;
use serde_json::Value;

use world::World;

pub use capacity::Shortage;
pub use faults::{Fault, Requests, Trouble};
pub use journal::Entry;
pub use server::{ServeOptions, Serving};
pub use world::{ArmSettings, Part, Truth};

/// A resource manager that several clients share. Cheap to clone.
#[derive(Clone)]
pub struct Arm(Arc<Mutex<World>>);

/// Without what there is: it may be much.
impl fmt::Debug for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arm").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Default for Arm {
    fn default() -> Self {
        Self::new(ArmSettings::default())
    }
}

impl Arm {
    /// One subscription with one resource group, in which nothing runs.
    pub fn new(settings: ArmSettings) -> Self {
        Self(Arc::new(Mutex::new(World::new(settings))))
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transport of the SDK, in process.
    pub fn transport(&self) -> Arc<dyn azure_core_021::HttpClient> {
        Arc::new(transport::InProcess(self.clone()))
    }

    /// The credential of a user. A user whom nothing was [granted](Self::grant) may do everything.
    pub fn credential(&self, user: impl Into<String>) -> Arc<dyn TokenCredential> {
        Arc::new(transport::User(user.into()))
    }

    /// The clock of this world: sleeping moves its time.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(clock::ArmClock(self.clone()))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Lets time pass: operations end, lists catch up, requests that were late arrive.
    pub fn advance(&self, span: Span) {
        self.lock().advance(span);
    }

    /// Lets time pass until nothing changes by itself any more.
    pub fn settle(&self) {
        let mut world = self.lock();
        let span = world.settings.longest();
        world.advance(span);
    }

    /// Gives a user the actions of a custom role, as its JSON has them, at a scope and below it.
    pub fn grant(&self, user: &str, role: &Value, scope: &str) {
        self.lock().access.grant(user, role, scope);
    }

    /// Takes one action from a user, whatever the roles say.
    pub fn deny(&self, user: &str, action: &str) {
        self.lock().access.deny(user, action);
    }

    /// The actions that a user was asked to have, and had.
    pub fn actions_used(&self, user: &str) -> BTreeSet<String> {
        self.lock().access.used(user)
    }

    /// From now on something is short; of several that cover a machine the first added is told.
    pub fn add_shortage(&self, shortage: Shortage) {
        self.lock().shortages.push(shortage);
    }

    /// Nothing is short any more.
    pub fn clear_shortages(&self) {
        self.lock().shortages.clear();
    }

    /// Something goes wrong from now on; of several faults that cover a request the first added strikes.
    pub fn add_fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Faults that have not struck as often as they should.
    pub fn faults_left(&self) -> u32 {
        self.lock().faults.iter().map(|fault| fault.times).sum()
    }

    /// Every request that arrived, in order.
    pub fn log(&self) -> Vec<Entry> {
        self.lock().journal.clone()
    }

    /// The truth about every machine that was ever made, in the order of their making.
    pub fn truth(&self) -> Vec<Truth> {
        self.lock().truth()
    }

    /// The names of all interfaces and disks that are there.
    pub fn parts(&self) -> Vec<Part> {
        self.lock().parts.keys().cloned().collect()
    }

    /// Adds a running machine that somebody made: its name and the body of its PUT.
    pub fn place(&self, name: &str, body: Value) {
        self.lock().place(name, body);
    }

    /// Leaves a disk or an interface behind that no machine has.
    pub fn leave(&self, part: Part) {
        self.lock().parts.insert(part, None);
    }

    /// Puts a lock on a machine: it cannot be deleted.
    pub fn lock_machine(&self, name: &str) {
        self.lock().locked.insert(name.to_ascii_lowercase());
    }

    /// Somebody stops a machine without deleting it.
    pub fn deallocate(&self, name: &str) {
        self.lock().deallocate(name);
    }

    /// An update of a running machine fails, such as one of its extensions: it is `Failed`, and runs on.
    pub fn fail_update(&self, name: &str, code: &str) {
        self.lock().fail_update(name, code);
    }

    /// Azure takes a spot machine: it is deleted, as its eviction policy says.
    pub fn evict(&self, name: &str) {
        self.lock().evict(name);
    }
}
