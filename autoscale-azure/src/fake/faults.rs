//! What goes wrong between a client and the resource manager.

use autoscale_core::words::Span;

use super::answer::Reply;
use super::journal::Entry;
use super::route::Call;
use super::world::World;

/// Which requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Requests {
    method: Option<String>,
    part: String,
}

impl Requests {
    /// All of them.
    pub fn any() -> Self {
        Self::default()
    }

    /// Those with this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Those whose path and query have this part.
    #[must_use]
    pub fn part(mut self, part: impl Into<String>) -> Self {
        self.part = part.into();
        self
    }

    fn cover(&self, call: &Call) -> bool {
        let asked = format!("{}?{}", call.url.path(), call.url.query().unwrap_or_default());
        self.method.as_ref().is_none_or(|method| *method == call.method) && asked.contains(&self.part)
    }
}

/// What goes wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// The request never arrives.
    RequestLost,
    /// It is carried out, and nobody hears of it.
    AnswerLost,
    /// It is carried out after so long, and nobody hears of it.
    Late(Span),
    /// It is refused for now, with this `Retry-After` in seconds.
    Throttled(u64),
    /// It is answered with this status and code, and not carried out.
    Refused(u16, String),
    /// The address of the next page leads to another host.
    ForeignNext,
    /// The answer is no JSON.
    Garbled,
}

/// Something that goes wrong, so many times.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// To which requests.
    pub requests: Requests,
    /// What.
    pub trouble: Trouble,
    /// How often it still will.
    pub times: u32,
}

impl Fault {
    /// Once.
    pub const fn once(requests: Requests, trouble: Trouble) -> Self {
        Self { requests, trouble, times: 1 }
    }

    /// So many times.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// What a client hears: an answer, bytes that are no JSON, or nothing.
pub(super) enum Heard {
    Reply(Reply),
    Garbled(Reply),
    Nothing,
}

impl World {
    /// A request arrives, or what the faults make of that.
    pub(super) fn arrive(&mut self, call: &Call) -> Heard {
        let fault = self.faults.iter_mut().find(|fault| fault.times > 0 && fault.requests.cover(call));
        let trouble = fault.map(|fault| {
            fault.times -= 1;
            fault.trouble.clone()
        });
        let refused = |reply: Reply| (reply.status, Heard::Reply(reply));
        let (status, heard) = match trouble {
            None => refused(self.carry_out(call)),
            Some(Trouble::RequestLost) => (0, Heard::Nothing),
            Some(Trouble::AnswerLost) => (self.carry_out(call).status, Heard::Nothing),
            Some(Trouble::Late(span)) => {
                self.late.push((self.now.after(span), call.clone()));
                (0, Heard::Nothing)
            }
            Some(Trouble::Throttled(seconds)) => {
                let reply = Reply::error(429, "TooManyRequests", "The request is being throttled.");
                refused(reply.with("retry-after", seconds.to_string()))
            }
            Some(Trouble::Refused(status, code)) => {
                refused(Reply::error(status, &code, "It is said to go wrong."))
            }
            Some(Trouble::ForeignNext) => {
                let mut reply = self.carry_out(call);
                let next = reply.body.as_mut().and_then(|body| body.as_object_mut());
                let foreign = "https://elsewhere.example/next?api-version=2024-07-01";
                next.map(|body| body.insert("nextLink".to_owned(), foreign.into()));
                refused(reply)
            }
            Some(Trouble::Garbled) => {
                let reply = self.carry_out(call);
                (reply.status, Heard::Garbled(reply))
            }
        };
        self.journal.push(Entry::new(call, status));
        heard
    }
}
