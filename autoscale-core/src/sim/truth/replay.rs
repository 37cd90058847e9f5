//! I12: the same record, view, policy, names and time give the same decision, in whatever order lists come.

use crate::data::view::{ClusterView, Listing, Seen, View};
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
            let now = self.now;
            self.check("I12", now, same, || "decided again, and not the same".to_owned());
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

impl Truth {
    /// A survey and a list with everything the other way round give the same view.
    pub(in crate::sim) fn same_in_any_order(&mut self, survey: &ClusterView) {
        self.surveys += 1;
        if !self.surveys.is_multiple_of(EVERY) {
            return;
        }
        let mut turned = survey.clone();
        turned.nodes.reverse();
        turned.pods.reverse();
        let now = self.now;
        let view = |survey: ClusterView| {
            View::new(now, Seen::Known(Listing::new(now, Vec::new())), Seen::Known(survey), Vec::new())
        };
        let same = view(survey.clone()) == view(turned);
        self.check("I12", now, same, || "a survey turned round gives another view".to_owned());
    }
}
