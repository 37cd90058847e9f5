//! I12: the same record, view, policy, names and time give the same decision, in whatever order a view comes.

use crate::data::view::{Seen, View};
use crate::driver::{Report as TickReport, Round};
use crate::logic::plan;

use super::Truth;

/// Every so many ticks are decided again.
const EVERY: u64 = 5;

impl Truth {
    /// Decides the rounds of a tick again.
    pub(super) fn replay(&mut self, report: &TickReport) {
        self.reports += 1;
        if !self.reports.is_multiple_of(EVERY) {
            return;
        }
        for round in &report.rounds {
            let same = self.decides_alike(round, &round.view);
            let turned = self.decides_alike(round, &turned(&round.view));
            let now = self.now;
            self.check("I12", now, same && turned, || {
                format!("decided again: the same {same}, with the view turned round: {turned}")
            });
        }
    }

    fn decides_alike(&self, round: &Round, view: &View) -> bool {
        let Some(policy) = self.policy_by(&round.explanation.policy) else { return true };
        let again = plan(policy, &round.before, view, &round.tick, round.explanation.at);
        again.is_ok_and(|again| {
            again.explanation == round.explanation
                && round.stored.as_ref().is_none_or(|stored| *stored == again.next)
        })
    }
}

/// The same view with every list the other way round.
fn turned(view: &View) -> View {
    let mut view = view.clone();
    if let Seen::Known(listing) = &mut view.instances {
        listing.instances.reverse();
    }
    if let Seen::Known(cluster) = &mut view.cluster {
        cluster.nodes.reverse();
        cluster.pods.reverse();
    }
    view
}
