//! All stories, told once for all tests.

use std::sync::LazyLock;

use crate::history::History;
use crate::{stories, trouble};

/// A story that was told.
pub(crate) struct Told {
    pub(crate) name: &'static str,
    /// The alert that fires in it, once.
    pub(crate) alert: Option<&'static str>,
    pub(crate) history: History,
}

type Story = (&'static str, Option<&'static str>, fn() -> History);

const STORIES: [Story; 17] = [
    ("quiet", None, || passes(stories::quiet())),
    ("a day", None, || passes(stories::a_day())),
    ("pods", None, || passes(stories::pods())),
    ("needed again", None, || passes(stories::needed_again())),
    ("two processes", None, || passes(stories::two_processes())),
    ("an operator", None, || passes(stories::an_operator())),
    ("nobody calls", Some("AutoscaleNotRunning"), || passes(trouble::nobody_calls())),
    ("nothing is permitted", Some("AutoscaleErrors"), || passes(trouble::nothing_is_permitted())),
    ("a record that was edited", Some("AutoscaleErrors"), || passes(trouble::a_record_that_was_edited())),
    ("a record of tomorrow", Some("AutoscaleHalted"), || passes(trouble::a_record_of_tomorrow())),
    ("no load is known", Some("AutoscaleMetricsMissing"), || passes(trouble::no_load_is_known())),
    ("a machine is silent", Some("AutoscaleJoinTimeout"), || passes(trouble::a_machine_is_silent())),
    ("a budget is used up", Some("AutoscaleDrainFailure"), || passes(trouble::a_budget_is_used_up())),
    ("a machine is protected", Some("AutoscaleDrainFailure"), || passes(trouble::a_machine_is_protected())),
    ("taken and sold out", Some("AutoscaleReplacementFailure"), || passes(trouble::taken_and_sold_out())),
    ("sold out", Some("AutoscalePendingTooLong"), || passes(trouble::sold_out())),
    ("no more is allowed", Some("AutoscaleAtMax"), || passes(trouble::no_more_is_allowed())),
];

/// One of them.
pub(crate) fn story(name: &str) -> &'static Told {
    ALL.iter().find(|told| told.name == name).unwrap_or_else(|| panic!("there is no story \"{name}\""))
}

/// Each of them.
pub(crate) static ALL: LazyLock<Vec<Told>> = LazyLock::new(|| {
    std::thread::scope(|scope| {
        let begun = STORIES.map(|(name, alert, tell)| (name, alert, scope.spawn(tell)));
        let end = |(name, alert, told): (_, _, std::thread::ScopedJoinHandle<'_, History>)| {
            let history =
                told.join().unwrap_or_else(|_| panic!("the story \"{name}\" did not come to its end"));
            Told { name, alert, history }
        };
        begun.into_iter().map(end).collect()
    })
});

/// Time that passes when nobody has anything to do.
pub(crate) fn passes<T>(story: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(story)
}
