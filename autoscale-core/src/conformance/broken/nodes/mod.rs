mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::super::nodes::{NodeStage, Stranger, TESTS, Wares, nodes};
use stage::Stage;

use super::{Once, Row, each_test_bites, shared, world};
use crate::data::order::{LaunchOrder, Launched, Offering, TerminateOrder};
use crate::data::policy::Purchase;
use crate::data::view::{Instance, Listing, Ownership};
use crate::memory::{New, Shared};
use crate::ports::{Error, ErrorKind, NodeProvider, Result};
use crate::words::{Deadline, InstanceId, Span, Token, Zone};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    ListsOneOfSeveral,
    HidesTheWorkerTag,
    ForgetsTokensInTheList,
    ForgetsTheZone,
    ControlPlaneIsOurs,
    StrangersAreOurs,
    NeverComplete,
    FirstPageIsAll,
    FailureIsEmpty,
    ForgetsTokensWhenListed,
    LooksThenLaunches,
    OneInstancePerOffering,
    TokenIsPerOffering,
    ForgetsTokensOfTheGone,
    RetriesInside,
    LostAnswerIsUnavailable,
    NamesAnotherOffering,
    RefusesAndBuys,
    LaunchesLate,
    TagsLater,
    EndsNothing,
    GoneIsNotFound,
    EndsOtherClusters,
    EndsStrangers,
    EndsTheControlPlane,
    ProtectionIsUnclear,
    EndsLate,
}

use Fault::*;

const ROWS: &[Row<Fault>] = &[
    (ListsOneOfSeveral, "launched_is_listed"),
    (HidesTheWorkerTag, "worker_tag_is_listed"),
    (ForgetsTokensInTheList, "listed_with_its_token"),
    (ForgetsTheZone, "listed_as_ordered"),
    (ControlPlaneIsOurs, "control_plane_is_listed_as_such"),
    (StrangersAreOurs, "strangers_are_not_ours"),
    (NeverComplete, "a_whole_list_is_complete"),
    (FirstPageIsAll, "an_unread_page_is_not_complete"),
    (FailureIsEmpty, "a_failed_list_is_an_error"),
    (ForgetsTokensWhenListed, "same_token_same_instance"),
    (LooksThenLaunches, "racing_launches_buy_once"),
    (OneInstancePerOffering, "two_tokens_two_instances"),
    (TokenIsPerOffering, "other_parameters_buy_nothing"),
    (ForgetsTokensOfTheGone, "a_spent_token_buys_nothing"),
    (RetriesInside, "one_copy_is_sent"),
    (LostAnswerIsUnavailable, "a_lost_answer_is_unclear"),
    (NamesAnotherOffering, "no_capacity_names_the_offering"),
    (RefusesAndBuys, "a_refusal_bought_nothing"),
    (LaunchesLate, "a_late_launch_is_not_sent"),
    (TagsLater, "nothing_is_tagged_after_birth"),
    (EndsNothing, "ends_the_instance"),
    (GoneIsNotFound, "gone_already_is_ok"),
    (EndsOtherClusters, "spares_other_clusters"),
    (EndsStrangers, "spares_strangers"),
    (EndsTheControlPlane, "spares_the_control_plane"),
    (ProtectionIsUnclear, "protection_is_denied"),
    (EndsLate, "a_late_terminate_is_not_sent"),
];

/// The account: what is between the provider and the world, and what tests can make happen there.
#[derive(Debug, Default)]
struct Account {
    losing: Once,
    cutting: Once,
    failing: Once,
    sent: AtomicU64,
    tagged: AtomicU64,
    /// Tokens that a broken implementation used in place of the one it was given.
    instead: Mutex<BTreeMap<Token, Vec<Token>>>,
    strangers: Mutex<BTreeSet<InstanceId>>,
}

#[derive(Clone, Debug)]
struct Provider {
    fault: Option<Fault>,
    world: Shared,
    inner: Arc<dyn NodeProvider>,
    account: Arc<Account>,
    /// Of this implementation: what was launched, and whether it was listed since.
    launched: Arc<Mutex<BTreeMap<Token, (InstanceId, bool)>>>,
}

impl Provider {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// One request to the cloud.
    async fn send(&self, order: &LaunchOrder) -> Result<Launched> {
        self.account.sent.fetch_add(1, Ordering::Relaxed);
        let answer = self.inner.launch(order).await;
        if self.account.losing.take() {
            return Err(Error::new(ErrorKind::Unclear, "launch: no answer within 5s"));
        }
        answer
    }

    /// The same order under another token, which counts as the order's own.
    async fn send_again(&self, order: &LaunchOrder) -> Result<Launched> {
        let mut again = order.clone();
        let count = self.account.instead.lock().unwrap().entry(order.token.clone()).or_default().len();
        again.token = Token::new(format!("{}-again-{count}", order.token)).unwrap();
        self.account
            .instead
            .lock()
            .unwrap()
            .entry(order.token.clone())
            .or_default()
            .push(again.token.clone());
        self.send(&again).await
    }

    fn known(&self, order: &LaunchOrder) -> Option<(InstanceId, bool)> {
        self.launched.lock().unwrap().get(&order.token).cloned()
    }

    fn alive(&self, instance: &InstanceId) -> bool {
        let world = self.world.lock();
        let machine = world.cloud.index_of(instance).and_then(|index| world.cloud.machine(index));
        machine.is_some_and(|machine| machine.is_alive())
    }
}

#[async_trait]
impl NodeProvider for Provider {
    async fn list(&self) -> Result<Listing> {
        if self.account.failing.take() {
            let error = Error::new(ErrorKind::Unavailable, "list");
            return if self.is(FailureIsEmpty) {
                Ok(Listing::new(Default::default(), Vec::new()))
            } else {
                Err(error)
            };
        }
        let mut listing = self.inner.list().await?;
        if self.account.cutting.take() {
            listing.instances.pop();
            listing.complete = self.is(FirstPageIsAll);
        }
        listing.complete &= !self.is(NeverComplete);
        self.launched.lock().unwrap().values_mut().for_each(|(_, listed)| *listed = true);
        let ours = listing.instances.iter().filter(|instance| instance.ownership == Ownership::Ours).count();
        if self.is(ListsOneOfSeveral) && ours > 1 {
            listing.instances.pop();
        }
        if self.is(HidesTheWorkerTag) {
            listing.instances.retain(|instance| instance.ownership != Ownership::WorkerTag);
        }
        if self.is(StrangersAreOurs) {
            let strangers = self.account.strangers.lock().unwrap().clone();
            listing.instances.extend(strangers.into_iter().map(|id| Instance::new(id, Ownership::Ours)));
        }
        for instance in &mut listing.instances {
            match self.fault {
                Some(ForgetsTokensInTheList) => instance.token = None,
                Some(ForgetsTheZone) => instance.zone = None,
                Some(ControlPlaneIsOurs) if instance.ownership == Ownership::ControlPlane => {
                    instance.ownership = Ownership::Ours;
                }
                _ => {}
            }
            // A tidy-up that no implementation may do.
            if self.is(TagsLater) {
                self.account.tagged.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(listing)
    }

    async fn launch(&self, order: &LaunchOrder) -> Result<Launched> {
        let mut order = order.clone();
        let known = self.known(&order);
        match (self.fault, &known) {
            (Some(ForgetsTokensWhenListed), Some((id, true))) if self.alive(id) => {
                return self.send_again(&order).await;
            }
            (Some(LooksThenLaunches), None) => {
                tokio::task::yield_now().await;
                if self.known(&order).is_some() {
                    return self.send_again(&order).await;
                }
            }
            (Some(OneInstancePerOffering), None) => {
                if let Some((id, _)) = self.launched.lock().unwrap().values().next() {
                    return Ok(Launched::new(id.clone()));
                }
            }
            (Some(TokenIsPerOffering), Some(_)) => {
                let same = self.inner.launch(&order).await;
                if same.is_err_and(|error| *error.kind() == ErrorKind::TokenMismatch) {
                    return self.send_again(&order).await;
                }
            }
            (Some(ForgetsTokensOfTheGone), Some((id, _))) if !self.alive(id) => {
                return self.send_again(&order).await;
            }
            (Some(LaunchesLate), _) => order.not_after = Deadline::from_millis(u64::MAX),
            _ => {}
        }
        let mut answer = self.send(&order).await;
        if let Err(error) = &answer {
            answer = match (self.fault, error.kind().clone()) {
                (Some(RetriesInside), ErrorKind::Unclear) => {
                    let _ = self.send(&order).await;
                    answer
                }
                (Some(LostAnswerIsUnavailable), ErrorKind::Unclear) => {
                    Err(Error::new(ErrorKind::Unavailable, "launch"))
                }
                (Some(NamesAnotherOffering), ErrorKind::NoCapacity { mut offering }) => {
                    offering.purchase = Purchase::Spot;
                    Err(Error::new(ErrorKind::NoCapacity { offering }, "launch"))
                }
                (Some(RefusesAndBuys), ErrorKind::NoCapacity { offering }) => {
                    self.world.lock().set_capacity(offering, None);
                    let _ = self.send(&order).await;
                    answer
                }
                _ => answer,
            };
        }
        if let Ok(launched) = &answer {
            let mut known = self.launched.lock().unwrap();
            known.entry(order.token.clone()).or_insert((launched.instance.clone(), false));
        }
        answer
    }

    async fn terminate(&self, order: &TerminateOrder) -> Result<()> {
        let mut order = order.clone();
        let ownership = {
            let mut world = self.world.lock();
            let index = world.cloud.index_of(&order.instance);
            let found = index.and_then(|index| world.cloud.machine(index));
            let ownership = found.map(|machine| machine.ownership);
            let ended = match self.fault {
                Some(EndsStrangers) => ownership == Some(Ownership::Foreign),
                Some(EndsTheControlPlane) => ownership == Some(Ownership::ControlPlane),
                _ => false,
            };
            if let Some(index) = index.filter(|_| ended) {
                world.end(index);
                return Ok(());
            }
            ownership
        };
        match self.fault {
            // Other tests look at gone ones.
            Some(EndsNothing) if self.launched.lock().unwrap().len() > 1 => return Ok(()),
            Some(GoneIsNotFound) if !self.alive(&order.instance) => {
                return Err(Error::new(ErrorKind::NotFound, "terminate"));
            }
            Some(EndsOtherClusters) if ownership == Some(Ownership::Ours) => {
                order.cluster = self.world.lock().settings.cluster.clone();
            }
            Some(EndsLate) => order.not_after = Deadline::from_millis(u64::MAX),
            _ => {}
        }
        let answer = self.inner.terminate(&order).await;
        let protected = |error: &Error| matches!(error.kind(), ErrorKind::Denied { action } if action == "DisableApiTermination");
        if self.is(ProtectionIsUnclear) && answer.as_ref().is_err_and(protected) {
            return Err(Error::new(ErrorKind::Unclear, "terminate"));
        }
        answer
    }
}

#[tokio::test]
async fn each_node_test_bites() {
    let run = async |fault| {
        let fresh = async || {
            let world = world(0);
            world.lock().settings.list_lag = Span::from_mins(2);
            let inner = world.ports().nodes;
            Stage(Provider { fault, world, inner, account: shared(), launched: shared() })
        };
        nodes(fresh).await
    };
    each_test_bites(TESTS, ROWS, run).await;
}
