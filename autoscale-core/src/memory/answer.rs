//! The world's answers to port calls, given at once and for certain.

use crate::data::order::{
    CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder, LaunchOrder, Launched, TerminateOrder,
};
use crate::data::view::{ClusterView, Listing, Sample, Scope, SignalQuery};
use crate::ports::{Expected, Loaded, Result, Sealed, Swapped};

use super::world::World;

impl World {
    /// What the cloud lists: with the list's lag.
    pub fn list(&mut self) -> Listing {
        Listing::new(self.now, self.cloud.list(self.now, self.settings.listed_after_end))
    }

    /// Buys an instance, or names the one that the token has bought.
    ///
    /// # Errors
    /// `NoCapacity`, `TokenSpent`, `TokenMismatch`, `Invalid`, `Denied`.
    pub fn launch(&mut self, order: &LaunchOrder) -> Result<Launched> {
        let new = match self.cloud.launch(order, &self.settings, self.now)? {
            Ok(launched) => return Ok(launched),
            Err(new) => new,
        };
        let index = self.boot(new);
        let id = self.cloud.machine(index).map(|machine| machine.id.clone());
        Ok(Launched::new(id.expect("the instance was added above")))
    }

    /// Ends an instance.
    ///
    /// # Errors
    /// `Denied` for what is not a worker of this cluster, and for what is protected.
    pub fn terminate(&mut self, order: &TerminateOrder) -> Result<()> {
        if let Some(index) = self.cloud.terminable(order, &self.settings)? {
            self.end(index);
        }
        Ok(())
    }

    /// What the API server shows.
    pub fn survey(&self, scope: &Scope) -> ClusterView {
        self.cluster.survey(scope, self.now)
    }

    /// Keeps pods away from a node.
    pub fn cordon(&mut self, order: &CordonOrder) -> Cordoned {
        self.cluster.cordon(order, true, self.now)
    }

    /// Lets pods come to a node again.
    pub fn uncordon(&mut self, order: &CordonOrder) -> Cordoned {
        let answer = self.cluster.cordon(order, false, self.now);
        self.settle();
        answer
    }

    /// Asks pods to leave.
    pub fn evict(&mut self, order: &EvictOrder) -> EvictPass {
        let grace = self.settings.pod_grace;
        let (pass, leaving) = self.cluster.evict(order, grace, &mut self.rng, self.now);
        for (pod, end) in leaving {
            self.pod_leaves(pod, end);
        }
        self.settle();
        pass
    }

    /// Deletes a Node object. Its instance registers again if its kubelet lives.
    pub fn forget(&mut self, order: &ForgetOrder) {
        if let Some(index) = self.cluster.forget(order, self.now) {
            self.rejoin(index);
        }
        self.settle();
    }

    /// What is stored.
    pub fn load(&self) -> Option<Loaded> {
        self.store.load(self.now)
    }

    /// Replaces what is stored, if it is what is expected.
    pub fn swap(&mut self, expected: &Expected, sealed: &Sealed) -> Swapped {
        self.store.swap(expected, sealed, self.now)
    }

    /// Answers every query.
    pub fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        self.metrics.sample(wanted, self.now)
    }
}
