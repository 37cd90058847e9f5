//! What the cloud announces, on its way into the record.
//!
//! Whoever hears of something puts it into the [`Inbox`] and waits until a tick has stored it; only then it may forget where it
//! heard it. The inbox outlives the drivers, of which each version of the policy has its own.

#[cfg(feature = "azure")]
pub mod marks;
#[cfg(feature = "aws")]
pub mod queue;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoscale_core::data::record::IncomingNotice;
use autoscale_core::driver::Report;
use autoscale_core::ports::Clock;
use autoscale_core::words::Deadline;
use tokio::sync::{mpsc, oneshot};

/// Where notices wait until they are stored. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order they came. The first `handed` of them went to the driver, the last `lying` of these when it was given
    /// something for the last time.
    line: VecDeque<Waiting>,
    handed: usize,
    lying: usize,
    driver: Option<mpsc::Sender<Vec<IncomingNotice>>>,
}

/// One notice, or a reason to look.
#[derive(Debug)]
struct Waiting {
    notice: Option<IncomingNotice>,
    came: Deadline,
    /// Nobody may be there any more to hear it.
    stored: Vec<oneshot::Sender<()>>,
}

impl Inbox {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { clock, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes notices in, and ends when they are in the record, or need no entry there. Without any it is a reason to look: it
    /// ends after a tick. Whoever stops waiting takes nothing back.
    pub async fn tell(&self, notices: Vec<IncomingNotice>) {
        let stored: Vec<oneshot::Receiver<()>> = {
            let (mut state, now) = (self.state(), self.0.clock.boot());
            let stored = match notices.is_empty() {
                true => vec![state.join(None, now)],
                false => notices.into_iter().map(|notice| state.join(Some(notice), now)).collect(),
            };
            state.hand_over(now);
            stored
        };
        for one in stored {
            if one.await.is_err() {
                // The inbox is gone, and the program with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Notices that wait to be stored.
    pub fn waiting(&self) -> usize {
        self.state().line.len()
    }

    /// For a new driver: everything that is not stored goes to it, whatever another one was given.
    pub fn open(&self) -> mpsc::Receiver<Vec<IncomingNotice>> {
        // A driver takes one delivery before each tick: all that waits has to be in one.
        let (driver, receiver) = mpsc::channel(1);
        let mut state = self.state();
        (state.driver, state.handed, state.lying) = (Some(driver), 0, 0);
        state.hand_over(self.0.clock.boot());
        receiver
    }

    /// A tick of that driver has ended: what it was given before, and stored, is done.
    pub fn observe(&self, report: &Report) {
        let mut state = self.state();
        let Some(driver) = &state.driver else { return };
        // What still lies in the channel came after the tick began.
        let later = if driver.capacity() == 0 { state.lying } else { 0 };
        let taken = state.handed.saturating_sub(later);
        if report.notices_stored {
            for done in state.line.drain(..taken).flat_map(|waiting| waiting.stored) {
                let _ = done.send(());
            }
            state.handed = later;
        }
        state.hand_over(self.0.clock.boot());
    }
}

impl State {
    /// Puts something in, behind the rest, unless it waits already: a queue gives what is not deleted again and again.
    fn join(&mut self, notice: Option<IncomingNotice>, now: Deadline) -> oneshot::Receiver<()> {
        let (stored, done) = oneshot::channel();
        let handed = self.handed;
        let same = |(at, waiting): (usize, &Waiting)| match (&waiting.notice, &notice) {
            (Some(a), Some(b)) => (&a.id, &a.instance, a.kind) == (&b.id, &b.instance, b.kind),
            // The tick that is under way may have looked already.
            (None, None) => at >= handed,
            _ => false,
        };
        match (0..).zip(&self.line).position(same).and_then(|at| self.line.get_mut(at)) {
            Some(waiting) => waiting.stored.push(stored),
            None => self.line.push_back(Waiting { notice, came: now, stored: vec![stored] }),
        }
        done
    }

    /// Gives the driver everything that it has not got, if it has taken what it got last. On the way time has passed.
    fn hand_over(&mut self, now: Deadline) {
        let Some(driver) = &self.driver else { return };
        let fresh = self.line.len().saturating_sub(self.handed);
        if fresh == 0 {
            return;
        }
        let notices = self.line.iter().skip(self.handed).filter_map(|waiting| {
            let mut notice = waiting.notice.clone()?;
            notice.time_left = notice.time_left.minus(now.since(waiting.came));
            Some(notice)
        });
        if driver.try_send(notices.collect()).is_ok() {
            (self.handed, self.lying) = (self.line.len(), fresh);
        }
    }
}

/// How long nobody is asked who has just failed: doubling from a second to a minute.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(any(feature = "aws", feature = "azure")), allow(dead_code, reason = "each source uses it"))]
pub(crate) struct Pause(u32);

#[cfg_attr(not(any(feature = "aws", feature = "azure")), allow(dead_code, reason = "each source uses it"))]
impl Pause {
    /// After one more failure.
    pub(crate) fn next(&mut self) -> autoscale_core::words::Span {
        let seconds = 1_u64.checked_shl(self.0).unwrap_or(u64::MAX).min(60);
        self.0 = self.0.saturating_add(1);
        autoscale_core::words::Span::from_secs(seconds)
    }

    /// It went well.
    pub(crate) fn over(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::data::Ended;
    use autoscale_core::data::policy::Policy;
    use autoscale_core::data::record::NoticeKind;
    use autoscale_core::driver::SystemClock;
    use autoscale_core::words::{InstanceId, Span};
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    fn inbox() -> Inbox {
        Inbox::new(Arc::new(SystemClock::new()))
    }

    fn notice(id: &str) -> Vec<IncomingNotice> {
        let instance = InstanceId::new("i-00000000").unwrap();
        vec![IncomingNotice::new(id, instance, NoticeKind::Interruption, Span::from_secs(120))]
    }

    fn report(stored: bool) -> Report {
        let policy = "version: 1\ncluster: shop\npools: { web: { zones: [a], shape: { name: m, cpu: 2, memory: 8Gi, pods: 9 } } }";
        let policy = Arc::new(Policy::from_yaml(policy).unwrap());
        let mut report = Report::new(SystemClock::new().now(), policy, Ended::Done);
        report.notices_stored = stored;
        report
    }

    /// Who tells, and has told already.
    fn tell<'i>(inbox: &'i Inbox, id: &str) -> BoxFuture<'i, ()> {
        let mut telling = inbox.tell(notice(id)).boxed();
        assert!((&mut telling).now_or_never().is_none(), "nothing is stored yet");
        telling
    }

    fn taken(receiver: &mut mpsc::Receiver<Vec<IncomingNotice>>) -> Vec<String> {
        std::iter::from_fn(|| receiver.try_recv().ok()).flatten().map(|notice| notice.id).collect()
    }

    #[tokio::test]
    async fn a_notice_is_done_when_the_tick_that_had_it_stored_it() {
        let inbox = inbox();
        let mut receiver = inbox.open();
        let mut one = tell(&inbox, "1");
        // A tick that was under way already: it knows nothing of it.
        inbox.observe(&report(true));
        assert!((&mut one).now_or_never().is_none(), "it lies in the channel");
        assert_eq!(taken(&mut receiver), ["1"]);
        let mut two = tell(&inbox, "2");
        inbox.observe(&report(false));
        assert!((&mut one).now_or_never().is_none(), "the tick has not stored it");
        inbox.observe(&report(true));
        assert!((&mut one).now_or_never().is_some());
        assert!((&mut two).now_or_never().is_none(), "it came while the tick was under way");
        assert_eq!(taken(&mut receiver), ["2"]);
        inbox.observe(&report(true));
        assert!((&mut two).now_or_never().is_some());
        assert_eq!(inbox.waiting(), 0);
    }

    #[tokio::test]
    async fn the_next_driver_gets_what_the_last_one_has_not_stored() {
        let inbox = inbox();
        let mut one = tell(&inbox, "1");
        let mut receiver = inbox.open();
        assert_eq!(taken(&mut receiver), ["1"], "it came before there was a driver");
        let mut two = tell(&inbox, "2");
        let mut next = inbox.open();
        assert_eq!(taken(&mut next), ["1", "2"]);
        inbox.observe(&report(true));
        assert!((&mut one).now_or_never().is_some() && (&mut two).now_or_never().is_some());
    }

    #[tokio::test]
    async fn whatever_comes_during_a_tick_goes_in_one_delivery() {
        let inbox = inbox();
        let mut receiver = inbox.open();
        let mut all: Vec<_> = (0..100).map(|n| tell(&inbox, &n.to_string())).collect();
        assert_eq!(taken(&mut receiver), ["0"], "it was there at once");
        inbox.observe(&report(true));
        assert!((&mut all[0]).now_or_never().is_some());
        let rest = receiver.try_recv().unwrap();
        assert_eq!((rest.len(), rest[0].id.as_str(), rest[98].id.as_str()), (99, "1", "99"));
        inbox.observe(&report(true));
        assert!(all[1..].iter_mut().all(|one| one.now_or_never().is_some()));
        assert_eq!(inbox.waiting(), 0);
    }

    #[tokio::test]
    async fn what_comes_again_while_it_waits_is_the_same() {
        let inbox = inbox();
        let mut receiver = inbox.open();
        let mut both = [tell(&inbox, "1"), tell(&inbox, "1")];
        assert_eq!(taken(&mut receiver), ["1"]);
        let mut third = tell(&inbox, "1");
        assert_eq!((taken(&mut receiver), inbox.waiting()), (Vec::new(), 1));
        inbox.observe(&report(true));
        assert!(both.iter_mut().all(|one| one.now_or_never().is_some()));
        assert!((&mut third).now_or_never().is_some());
        // It is about another machine, or says something else.
        let mut other = notice("1");
        other[0].kind = NoticeKind::Withdrawn;
        let mut more = notice("1");
        more.extend(other);
        assert!(inbox.tell(more).now_or_never().is_none());
        assert_eq!(inbox.waiting(), 2);
    }

    #[tokio::test]
    async fn a_reason_to_look_wakes_the_driver() {
        let inbox = inbox();
        let mut receiver = inbox.open();
        let mut looks = [inbox.tell(Vec::new()).boxed(), inbox.tell(Vec::new()).boxed()];
        assert!((&mut looks[0]).now_or_never().is_none());
        assert_eq!(receiver.try_recv().unwrap(), []);
        // Its tick may be under way: another one has to look.
        assert!((&mut looks[1]).now_or_never().is_none());
        inbox.observe(&report(true));
        assert!((&mut looks[0]).now_or_never().is_some() && (&mut looks[1]).now_or_never().is_none());
        assert_eq!(receiver.try_recv().unwrap(), []);
        inbox.observe(&report(true));
        assert!((&mut looks[1]).now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_nothing_back() {
        let inbox = inbox();
        drop(tell(&inbox, "1"));
        assert_eq!(taken(&mut inbox.open()), ["1"]);
    }

    #[test]
    fn pauses_grow_to_a_minute() {
        let mut pause = Pause::default();
        let seconds: Vec<u64> = (0..9).map(|_| pause.next().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        pause.over();
        assert_eq!(pause.next(), Span::from_secs(1));
        assert_eq!(Pause(u32::MAX).next(), Span::from_secs(60));
    }
}
