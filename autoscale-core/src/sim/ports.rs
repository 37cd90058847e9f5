//! The ports of a simulated driver: every call is a request on the wire.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;

use crate::data::order::{
    CordonOrder, Cordoned, EvictOrder, EvictPass, ForgetOrder, LaunchOrder, Launched, TerminateOrder,
};
use crate::data::view::{ClusterView, Listing, Reading, Sample, Scope, SignalQuery};
use crate::driver::Ports;
use crate::memory::CountedIds;
use crate::ports::{
    Clock, Drainer, Error, ErrorKind, Expected, Loaded, MetricsSource, NodeProvider, Result, Sealed,
    StateStore, Swapped,
};
use crate::words::{Deadline, Span, Timestamp};

use super::call::{Call, Reply};
use super::net::Wire;

/// Every port over one wire.
pub(super) fn ports(wire: &Wire, seed: u64) -> Ports {
    let port = Arc::new(Port(wire.clone()));
    Ports::new(port.clone(), port.clone(), port.clone(), port.clone(), port, Arc::new(CountedIds::new(seed)))
}

#[derive(Clone, Debug)]
struct Port(Wire);

impl Port {
    async fn ask(&self, call: Call) -> Reply {
        Ask { wire: self.0.clone(), state: State::New(Box::new(call)) }.await
    }
}

/// A call under way. Dropping it takes nothing back.
struct Ask {
    wire: Wire,
    state: State,
}

enum State {
    New(Box<Call>),
    Sent(u64),
    Done,
}

impl Future for Ask {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let wire = self.wire.clone();
        let mut net = wire.lock();
        let id = match std::mem::replace(&mut self.state, State::Done) {
            State::New(call) => match net.send(*call) {
                Ok(id) => id,
                Err(reply) => return Poll::Ready(reply),
            },
            State::Sent(id) => id,
            State::Done => return Poll::Pending,
        };
        match net.take(id, cx.waker()) {
            Some(reply) => Poll::Ready(reply),
            None => {
                self.state = State::Sent(id);
                Poll::Pending
            }
        }
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        if let State::Sent(id) = self.state {
            self.wire.lock().abandon(id);
        }
    }
}

fn crossed<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unavailable, "an answer to another question"))
}

#[async_trait]
impl MetricsSource for Port {
    async fn sample(&self, wanted: &[SignalQuery]) -> Vec<Sample> {
        let failed = |query: &SignalQuery| {
            Sample::new(query.clone(), Reading::Failed { why: "an answer to another question".to_owned() })
        };
        match self.ask(Call::Sample(wanted.to_vec())).await {
            Reply::Sample(samples) => samples,
            _ => wanted.iter().map(failed).collect(),
        }
    }
}

macro_rules! ask {
    ($self:ident, $call:expr, $reply:ident) => {
        match $self.ask($call).await {
            Reply::$reply(result) => result,
            _ => crossed(),
        }
    };
}

#[async_trait]
impl NodeProvider for Port {
    async fn list(&self) -> Result<Listing> {
        ask!(self, Call::List, List)
    }

    async fn launch(&self, order: &LaunchOrder) -> Result<Launched> {
        ask!(self, Call::Launch(order.clone()), Launch)
    }

    async fn terminate(&self, order: &TerminateOrder) -> Result<()> {
        ask!(self, Call::Terminate(order.clone()), Unit)
    }
}

#[async_trait]
impl Drainer for Port {
    async fn survey(&self, scope: &Scope) -> Result<ClusterView> {
        ask!(self, Call::Survey(scope.clone()), Survey)
    }

    async fn cordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        ask!(self, Call::Cordon(order.clone()), Cordon)
    }

    async fn uncordon(&self, order: &CordonOrder) -> Result<Cordoned> {
        ask!(self, Call::Uncordon(order.clone()), Cordon)
    }

    async fn evict(&self, order: &EvictOrder) -> Result<EvictPass> {
        ask!(self, Call::Evict(order.clone()), Evict)
    }

    async fn forget(&self, order: &ForgetOrder) -> Result<()> {
        ask!(self, Call::Forget(order.clone()), Unit)
    }
}

#[async_trait]
impl StateStore for Port {
    async fn load(&self) -> Result<Option<Loaded>> {
        ask!(self, Call::Load, Load)
    }

    async fn swap(&self, expected: &Expected, sealed: &Sealed) -> Result<Swapped> {
        ask!(self, Call::Swap(expected.clone(), sealed.clone()), Swap)
    }
}

#[async_trait]
impl Clock for Port {
    fn now(&self) -> Timestamp {
        self.0.lock().wall()
    }

    fn boot(&self) -> Deadline {
        self.0.lock().boot()
    }

    async fn sleep(&self, span: Span) {
        let id = self.0.lock().sleep(span);
        let wire = self.0.clone();
        std::future::poll_fn(
            move |cx| {
                if wire.lock().slept(id, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
            },
        )
        .await;
    }
}
