//! What each blow does to the world, the net and the processes.

use std::sync::Arc;

use crate::data::policy::Policy;
use crate::data::record::RemoveState;
use crate::data::view::{Eviction, Storage, Toleration};
use crate::driver::{Driver, Trigger};
use crate::memory::{Workload, WorkloadId, World};
use crate::words::{InstanceId, Span};

use super::blow::{Blow, Change};
use super::clocks::ProcessClock;
use super::distort::foreign;
use super::engine::Engine;
use super::net::{Item, Net};
use super::process::Process;
use super::scenario;

const MIB: u64 = 1 << 20;

/// Newline, shell, escape sequence, right-to-left mark, NUL, path: whatever may stand in a name that nobody checks (F39).
const HOSTILE_NAME: &str = "a\n$(reboot)`x`\u{1b}[31m\u{202e}\0../\"'";

/// Pods that hold nodes back, none of them at first (F28).
pub(super) fn awkward(world: &mut World) -> Vec<WorkloadId> {
    let plain = |name: &str| Workload::new(name, 0, 200, 128 * MIB);
    let mut forbidden = plain("do-not-disrupt");
    forbidden.eviction = Eviction::Never;
    let mut bare = plain("bare");
    bare.kind = None;
    let mut local = plain("local-storage");
    local.storage = Storage::Local;
    let mut slow = plain("long-grace");
    slow.grace = Span::from_mins(10);
    let mut tolerant = plain("tolerates-everything");
    tolerant.constraints.tolerations = vec![Toleration::everything()];
    let mut named = plain(HOSTILE_NAME);
    (named.namespace, named.eviction) = (HOSTILE_NAME.repeat(8), Eviction::Never);
    [forbidden, bare, local, slow, tolerant, named].map(|workload| world.add_workload(workload)).into()
}

impl Engine<'_> {
    pub(super) fn strike(&mut self, blow: Blow) {
        match blow {
            Blow::Crowd(count) => {
                self.wire.lock().chaos.count("crowd");
                for _ in 0..count {
                    self.start(Trigger::Schedule, Vec::new());
                }
            }
            Blow::ForeignDriver => self.start_foreign(),
            Blow::Policy(change) => self.change_policy(change),
            Blow::Park => {
                if self.tasks.is_empty() {
                    return self.wire.lock().plan(Span::from_millis(700), Item::Blow(Blow::Park));
                }
                self.driver.park();
                self.driver = self.driver_of(self.policy.clone());
                self.wire.lock().chaos.count("sigterm");
            }
            Blow::Unlock if self.tasks.is_empty() => {
                self.wire.lock().plan(Span::from_secs(1), Item::Blow(Blow::Unlock));
            }
            Blow::Swing(span) => {
                let net = &mut *self.wire.lock();
                self.swing_until = net.world.now().after(span);
                net.chaos.count("oscillating-load");
            }
            Blow::AwkwardPods(span) => {
                let net = &mut *self.wire.lock();
                let Some(id) = net.chaos.rng.pick(&self.awkward).copied() else { return };
                let pods = 1 + net.chaos.rng.below(2) as u32;
                net.world.set_replicas(id, pods);
                net.chaos.count("awkward-pods");
                if self.awkward.last() == Some(&id) {
                    net.chaos.count("hostile-names");
                }
                net.plan(span, Item::PodsGo(id.0));
            }
            other => self.wire.clone().lock().strike(other),
        }
    }

    /// A driver of a policy over the ports of this run.
    pub(super) fn driver_of(&self, policy: Arc<Policy>) -> Driver {
        Driver::new(policy, self.ports.clone()).with_scope("sim")
    }

    fn start_foreign(&mut self) {
        {
            let net = &mut *self.wire.lock();
            if net.world.load().is_none() || net.hurt.is_some() {
                return;
            }
            net.chaos.count("foreign-driver");
        }
        let driver = Driver::new(self.policy.clone(), self.ports.clone()).with_scope("elsewhere");
        self.start_by(driver, Trigger::Schedule, Vec::new(), true);
    }

    pub(super) fn change_policy(&mut self, change: Change) {
        if self.config.policy.is_some() {
            return;
        }
        let name = match change {
            Change::LowerMax => "policy-max-lowered",
            Change::RaiseMin => "policy-min-raised",
            Change::Thresholds => "policy-thresholds",
            Change::Template => "policy-template",
            Change::Back => "policy-back",
        };
        self.policy = scenario::policy_of(self.config.scenario, self.config.scale, change);
        self.driver = self.driver_of(self.policy.clone());
        let net = &mut *self.wire.lock();
        net.chaos.count(name);
        net.truth.on_policy(self.policy.clone());
    }

    /// A process as the seed has it.
    pub(super) fn process(&self, net: &mut Net, foreign: bool) -> Process {
        let now = net.world.now();
        let clock = if now < net.unanswered_until && net.chaos.rng.chance(500_000) {
            ProcessClock::ahead(now)
        } else {
            ProcessClock::draw(&mut net.chaos, now)
        };
        Process::new(clock, foreign)
    }
}

impl Net {
    fn any_of(&mut self, targets: &[InstanceId]) -> Option<InstanceId> {
        self.chaos.rng.pick(targets).cloned()
    }

    fn any_node(&mut self) -> Option<u32> {
        let open = self.world.serving();
        let name = self.chaos.rng.pick(&open).cloned()?;
        self.world.cluster.node_by_name(&name)
    }

    fn interrupt(&mut self, count: usize) {
        let mut targets = self.world.cloud.spot_targets();
        for _ in 0..count {
            let index = self.chaos.rng.below(targets.len() as u64) as usize;
            if index < targets.len() {
                let instance = targets.swap_remove(index);
                self.world.interrupt(&instance);
            }
        }
    }

    fn strike(&mut self, blow: Blow) {
        if self.log.is_some() && !matches!(blow, Blow::KillDraining) {
            self.tell(&format!("{blow:?}"));
        }
        let now = self.world.now();
        let (spot, alive) = (self.world.cloud.spot_targets(), self.world.alive());
        match blow {
            Blow::Interrupt(count) => self.interrupt(count as usize),
            Blow::Mass => {
                self.chaos.count("mass-notice");
                self.interrupt(spot.len().div_ceil(2));
            }
            Blow::Rebalance => {
                if let Some(instance) = self.any_of(&spot) {
                    self.world.recommend_rebalance(&instance);
                }
            }
            Blow::FalseNotice | Blow::Withdrawn => {
                let Some(instance) = self.any_of(&spot) else { return };
                self.world.announce_falsely(&instance);
                self.truth.on_false_notice(instance.clone());
                if blow == Blow::Withdrawn {
                    self.plan(Span::from_secs(50), Item::Withdraw(instance));
                } else {
                    self.chaos.count("false-notice");
                }
            }
            Blow::ShortNotice => {
                if let Some(instance) = self.any_of(&spot) {
                    self.world.interrupt_in(&instance, Span::from_secs(30));
                    self.chaos.count("short-notice");
                }
            }
            Blow::ForeignNotice => {
                let id = format!("i-foreign{}", self.chaos.rng.below(100));
                if let Some(notice) = self.world.foreign_notice(&id) {
                    self.chaos.count("foreign-notice");
                    self.post(notice, Span::from_secs(1));
                }
            }
            Blow::Kill => {
                if let Some(instance) = self.any_of(&alive) {
                    self.world.kill(&instance);
                    self.chaos.count("unannounced-death");
                }
            }
            Blow::HumanTerminate => {
                if let Some(instance) = self.any_of(&alive) {
                    self.world.kill(&instance);
                    self.chaos.count("human-terminate");
                }
            }
            Blow::KillDraining => {
                let record = self.truth.current.clone();
                let draining = record.iter().flat_map(|record| &record.ops).filter_map(|op| op.remove());
                let instance = draining
                    .filter(|remove| matches!(remove.state, RemoveState::Cordoned))
                    .map(|remove| remove.instance.clone())
                    .find(|instance| alive.contains(instance));
                match instance {
                    Some(instance) => {
                        self.world.kill(&instance);
                        self.chaos.count("death-while-draining");
                    }
                    // Tried again until there is one; one such blow waits at a time.
                    None if self.chaos.rates.hostile && self.kill_again_at.is_none_or(|at| at <= now) => {
                        let again = Span::from_secs(7);
                        self.kill_again_at = Some(now.after(again));
                        self.plan(again, Item::Blow(blow));
                    }
                    None => {}
                }
            }
            Blow::HumanCreate => {
                self.world.create_by_hand();
                self.chaos.count("human-create");
            }
            Blow::StripTags => {
                // Not one that we are working on: who knows of it only by its tags cannot finish.
                let record = self.truth.current.clone();
                let idle: Vec<_> = alive
                    .into_iter()
                    .filter(|id| record.as_ref().is_some_and(|record| record.op_on(id).is_none()))
                    .collect();
                if let Some(instance) = self.any_of(&idle) {
                    let after = self.chaos.rng.span(Span::from_mins(10), Span::from_mins(30));
                    self.world.strip_tags(&instance, after);
                    self.chaos.count("tags-stripped");
                }
            }
            Blow::CopyTags => {
                self.world.copy_tags();
                self.chaos.count("tags-copied");
            }
            Blow::MoveControlPlane => {
                self.world.move_control_plane();
                self.chaos.count("control-plane-moved");
            }
            Blow::Flap(span) => {
                if let Some(index) = self.any_node() {
                    self.world.flap(index, span);
                    self.chaos.count("node-flap");
                }
            }
            Blow::DeleteNode => {
                if let Some(index) = self.any_node() {
                    self.world.delete_node_by_hand(index);
                    self.chaos.count("node-deleted-by-hand");
                }
            }
            Blow::FailZone(zone, span) => {
                self.world.fail_zone(&zone, span);
                self.chaos.count("zone-failed");
            }
            Blow::Silence(span) => self.world.silence_metrics(span),
            Blow::Capacity(offering, most) => self.world.set_capacity(offering, most),
            Blow::HumanCordon(span) => {
                let open = self.world.serving();
                if let Some(name) = self.chaos.rng.pick(&open).cloned() {
                    self.world.cordon_by_hand(&name, true);
                    self.chaos.count("human-cordon");
                    self.plan(span, Item::Uncordon(name.to_string()));
                }
            }
            Blow::StuckBudget(span) => {
                let workload = self.chaos.rng.below(5) as u32;
                self.stuck = Some((workload, now.after(span)));
            }
            Blow::ForeignCluster => {
                self.second_cluster = foreign("i-other", 40).collect();
                self.chaos.count("second-cluster");
            }
            Blow::Storm(span) => self.storm_until = now.after(span),
            Blow::Denied(span) => self.denied_until = now.after(span),
            Blow::Unanswered(span) => self.unanswered_until = now.after(span),
            Blow::StoreOut(span) => self.store_out_until = now.after(span),
            Blow::Pause(span) => self.pause(span),
            Blow::Unlock => self.unlock(),
            Blow::Record(kind) => self.damage(kind),
            Blow::Next(name) => *self.chaos.forced.entry(name).or_default() += 1,
            // The engine's.
            Blow::Crowd(_)
            | Blow::ForeignDriver
            | Blow::Policy(_)
            | Blow::Park
            | Blow::Swing(_)
            | Blow::AwkwardPods(_) => {}
        }
    }

    /// No more faults: what was done is undone.
    pub(super) fn cease(&mut self) {
        self.chaos.cease();
        let now = self.world.now();
        for until in [
            &mut self.store_out_until,
            &mut self.storm_until,
            &mut self.denied_until,
            &mut self.unanswered_until,
        ] {
            *until = now;
        }
        self.stuck = None;
        self.repair_at_last();
        self.refuse_once.clear();
        self.world.settings_mut().list_lag = Span::ZERO;
        self.world.settings_mut().hang_per_million = 0;
        self.world.cloud.lift_capacity();
        self.world.heal();
    }
}
