//! The contract of a [`NodeProvider`].

mod launch;
mod list;
mod terminate;

use std::sync::Arc;

use async_trait::async_trait;

use super::check::{LATER, Stop, tests, verdicts};
use super::verdict::Verdicts;
use crate::data::order::{LaunchOrder, Offering, TerminateOrder};
use crate::data::view::{Instance, Listing};
use crate::ports::NodeProvider;
use crate::words::{ClusterId, Inc, InstanceId, PoolName, Token};

/// What can be bought on a stage.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Wares {
    /// The cluster that tags name.
    pub cluster: ClusterId,
    /// A pool.
    pub pool: PoolName,
    /// An offering that has capacity.
    pub offering: Offering,
    /// Another one, where there is one.
    pub other_offering: Option<Offering>,
    /// What an order pins: a template's version, an image; empty if the provider does not read it.
    pub pinned: String,
}

impl Wares {
    /// One offering, with nothing pinned.
    pub const fn new(cluster: ClusterId, pool: PoolName, offering: Offering) -> Self {
        Self { cluster, pool, offering, other_offering: None, pinned: String::new() }
    }

    /// Another offering.
    #[must_use]
    pub fn with_other(mut self, offering: Offering) -> Self {
        self.other_offering = Some(offering);
        self
    }

    /// What an order pins.
    #[must_use]
    pub fn with_pinned(mut self, pinned: impl Into<String>) -> Self {
        self.pinned = pinned.into();
        self
    }
}

/// An instance that is not a worker of the stage's cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Stranger {
    /// It carries none of our tags.
    Untagged,
    /// It carries all tags of a worker, and another cluster's name.
    OtherCluster,
    /// It carries the tag of this cluster's control plane.
    ControlPlane,
    /// It carries only the user's own worker tag.
    WorkerTag,
}

/// One new cloud account, as far as the tests are concerned: nothing runs in it.
#[async_trait]
pub trait NodeStage: Send + Sync + 'static {
    /// The provider under test.
    fn provider(&self) -> Arc<dyn NodeProvider>;

    /// What can be bought.
    fn wares(&self) -> Wares;

    /// The truth: every instance that this token has bought so far, alive or not.
    async fn bought(&self, token: &Token) -> Vec<InstanceId>;

    /// The truth: whether an instance is alive and not on its way out.
    async fn is_alive(&self, instance: &InstanceId) -> bool;

    /// Lets lists catch up and machines come and go, until nothing changes by itself.
    async fn settle(&self) {}

    /// Adds an instance that somebody else bought. `None`: the stage cannot do that.
    async fn place(&self, stranger: Stranger) -> Option<InstanceId> {
        let _ = stranger;
        None
    }

    /// An offering runs out of capacity. `false`: it cannot.
    async fn sell_out(&self, offering: &Offering) -> bool {
        let _ = offering;
        false
    }

    /// Switches on an instance's protection against termination. `false`: it cannot.
    async fn protect(&self, instance: &InstanceId) -> bool {
        let _ = instance;
        false
    }

    /// The next launch request is carried out, and its answer is lost. `false`: it cannot.
    async fn lose_answer(&self) -> bool {
        false
    }

    /// How many launch requests have been sent, counting each copy. `None`: it cannot tell.
    async fn launches_sent(&self) -> Option<u64> {
        None
    }

    /// How often tags were written to an instance that existed already. `None`: it cannot tell.
    async fn tags_written(&self) -> Option<u64> {
        None
    }

    /// The second page of the next list cannot be read. `false`: it cannot.
    async fn cut_list(&self) -> bool {
        false
    }

    /// The next list is refused as a whole. `false`: it cannot.
    async fn fail_list(&self) -> bool {
        false
    }
}

tests! { dyn NodeStage:
    list::launched_is_listed = "`list` reports every instance with the tags of the cluster.";
    list::worker_tag_is_listed = "`list` reports every instance with the user's own worker tag.";
    list::listed_with_its_token = "Each instance is listed with its token, from the tag.";
    list::listed_as_ordered = "Pool, zone, purchase and shape are listed as they are.";
    list::control_plane_is_listed_as_such = "Whatever carries the tag of the control plane is never listed as a worker.";
    list::strangers_are_not_ours = "Only what carries the cluster's tags is ours.";
    list::a_whole_list_is_complete = "Each page was read, and `complete` says so.";
    list::an_unread_page_is_not_complete = "Each page was read, or `complete` is false.";
    list::a_failed_list_is_an_error = "A list that failed is an error; never an empty list.";
    launch::same_token_same_instance = "`launch` with the same token names the same instance, however often it is sent.";
    launch::racing_launches_buy_once = "`launch` with the same token names the same instance, by whomever it is sent.";
    launch::two_tokens_two_instances = "Another token buys another instance.";
    launch::other_parameters_buy_nothing = "A token that was used with other parameters buys nothing.";
    launch::a_spent_token_buys_nothing = "A token whose instance is gone buys nothing.";
    launch::one_copy_is_sent = "`launch` sends exactly one copy: no retries inside.";
    launch::a_lost_answer_is_unclear = "`Unclear` whenever the request may have left and no definite answer came.";
    launch::no_capacity_names_the_offering = "`NoCapacity` carries the offering that was asked for.";
    launch::a_refusal_bought_nothing = "Another error than `Unclear` means that this request bought nothing and will not.";
    launch::a_late_launch_is_not_sent = "No launch is sent after the order's `not_after`.";
    launch::nothing_is_tagged_after_birth = "Nothing is tagged after its birth.";
    terminate::ends_the_instance = "`terminate` ends one instance.";
    terminate::gone_already_is_ok = "An instance that is gone already is `Ok`.";
    terminate::spares_other_clusters = "`terminate` touches only an instance of the order's cluster.";
    terminate::spares_strangers = "`terminate` touches only an instance that carries the tags of a cluster.";
    terminate::spares_the_control_plane = "`terminate` touches only an instance with the role of a worker.";
    terminate::protection_is_denied = "A protected instance is `Denied`, with the protection.";
    terminate::a_late_terminate_is_not_sent = "No terminate is sent after the order's `not_after`.";
}

/// Puts a node provider to every test; `fresh` makes a new cloud for each.
pub async fn nodes<S: NodeStage>(fresh: impl AsyncFn() -> S) -> Verdicts {
    let mut found = Vec::with_capacity(TESTS.len());
    for test in TESTS {
        found.push(test.verdict(&fresh().await).await);
    }
    verdicts("NodeProvider", found)
}

/// The order of the `seq`-th launch.
fn order(stage: &dyn NodeStage, seq: u64) -> LaunchOrder {
    let Wares { cluster, pool, offering, other_offering: _, pinned } = stage.wares();
    let inc = Inc::new("conf").expect("four lower-case letters");
    LaunchOrder { cluster, pool, offering, token: Token::of(&inc, seq, 0, 1), pinned, not_after: LATER }
}

/// Buys the `seq`-th instance where nothing stands in the way.
async fn bought(stage: &dyn NodeStage, seq: u64) -> Result<InstanceId, Stop> {
    Ok(stage.provider().launch(&order(stage, seq)).await?.instance)
}

fn end(stage: &dyn NodeStage, instance: &InstanceId) -> TerminateOrder {
    TerminateOrder { cluster: stage.wares().cluster, instance: instance.clone(), not_after: LATER }
}

/// The list, after everything has settled.
async fn listed(stage: &dyn NodeStage) -> Result<Listing, Stop> {
    stage.settle().await;
    Ok(stage.provider().list().await?)
}

fn find<'a>(listing: &'a Listing, instance: &InstanceId) -> Option<&'a Instance> {
    listing.instances.iter().find(|listed| listed.id == *instance)
}
