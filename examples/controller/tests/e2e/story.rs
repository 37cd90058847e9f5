//! One story, told to any cluster: pods wait, nodes come, pods run, the load goes, nodes are drained and go.

use async_trait::async_trait;
use autoscale_core::words::Span;

use crate::truth::{Seen, Witness};

/// Where it is told.
#[async_trait]
pub(crate) trait Stage: Send {
    /// What the API server has.
    async fn look(&mut self) -> Seen;
    /// So many pods of a workload are wanted: of `web`, or of `late`.
    async fn scale(&mut self, workload: &str, replicas: u32);
    /// Time passes.
    async fn pass(&mut self, span: Span);
    /// Whether the record is there, and has no operation and no lease.
    async fn is_clean(&mut self) -> bool;
    /// The policy's bounds.
    fn bounds(&self) -> (usize, usize);
    /// What to print when it fails.
    fn told(&self) -> String;
    /// No chapter takes longer.
    fn patience(&self) -> Span {
        Span::from_mins(30)
    }
}

const STEP: Span = Span::from_secs(2);

/// Tells it. Every invariant is looked at every two seconds.
pub(crate) async fn tell(stage: &mut dyn Stage) -> Witness {
    let (min, max) = stage.bounds();
    let mut witness = Witness::new(min, max);
    chapter(stage, &mut witness, "the least nodes come", |seen| seen.ready() >= min).await;
    stage.scale("web", 9).await;
    chapter(stage, &mut witness, "pods wait, nodes come, pods run", |seen| seen.running() == 9).await;
    assert!(witness.most >= 3, "9 pods of which 3 fit on a node: {}", stage.told());
    // Every node is full: this one runs on a node of its own, and has to move when that goes.
    stage.scale("late", 1).await;
    chapter(stage, &mut witness, "one more pod, one more node", |seen| seen.running() == 10).await;
    stage.scale("web", 2).await;
    chapter(stage, &mut witness, "idle nodes are drained and go", |seen| {
        seen.running() == 3 && seen.living() == min && seen.pool() == min && seen.cordoned() == 0
    })
    .await;
    stage.scale("web", 4).await;
    chapter(stage, &mut witness, "it grows again", |seen| seen.running() == 5).await;
    let mut passed = Span::ZERO;
    while !stage.is_clean().await {
        assert!(passed < stage.patience(), "the record is not clean: {}", stage.told());
        stage.pass(STEP).await;
        passed = passed.plus(STEP);
    }
    let seen = stage.look().await;
    assert_eq!(witness.see(&seen), Ok(()), "{}", stage.told());
    assert_eq!(seen.running(), 5, "every pod runs again: {}", stage.told());
    witness
}

async fn chapter(
    stage: &mut dyn Stage,
    witness: &mut Witness,
    what: &str,
    over: impl Fn(&Seen) -> bool + Send + Sync,
) {
    let mut passed = Span::ZERO;
    loop {
        let seen = stage.look().await;
        if let Err(broken) = witness.see(&seen) {
            panic!("{what}: {broken}: {}", stage.told());
        }
        if over(&seen) {
            println!("after {passed}: {what}");
            return;
        }
        if passed >= stage.patience() {
            let counts =
                (seen.living(), seen.pool(), seen.ready(), seen.cordoned(), seen.running(), seen.pods.len());
            panic!(
                "{what}: not after {passed}: (living, nodes, ready, cordoned, running, pods) {counts:?}: {}",
                stage.told()
            );
        }
        stage.pass(STEP).await;
        passed = passed.plus(STEP);
    }
}
