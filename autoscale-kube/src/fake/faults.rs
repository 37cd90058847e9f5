//! What goes wrong between client and server, on purpose.

use autoscale_core::words::Span;

use super::journal::Entry;
use super::rng::Rng;

/// What goes wrong with a request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// It is carried out, and the connection breaks before the answer.
    AnswerLost,
    /// The connection breaks before anything happens.
    RequestLost,
    /// It is carried out so much later, in virtual time.
    Delayed(Span),
    /// 429, with so many seconds in `Retry-After` unless they are zero.
    TooMany(u32),
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// 403 that is no question of permissions: an admission webhook denied it, with these words.
    Denied(String),
    /// 410, as for a list that cannot be continued any more, or an old resource version.
    Expired,
    /// It is carried out, and half of the answer arrives.
    Truncated,
    /// It is not carried out, and a `Failure` arrives under the code of a success.
    FailureAsSuccess,
}

/// Which requests something goes wrong with. Fields that are `None` are not looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Requests {
    /// As RBAC calls it.
    pub verb: Option<String>,
    /// The group.
    pub group: Option<String>,
    /// Such as `pods`, or `pods/eviction`.
    pub resource: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// Who asks.
    pub user: Option<String>,
    /// A part of the parameters, such as `continue=`.
    pub query: Option<String>,
}

impl Requests {
    /// All requests.
    pub fn any() -> Self {
        Self::default()
    }

    /// Those of a verb.
    #[must_use]
    pub fn verb(mut self, verb: impl Into<String>) -> Self {
        self.verb = Some(verb.into());
        self
    }

    /// Those of a group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Those of a resource, such as `pods`, which does not cover `pods/eviction`.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Those about an object of that name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Those of a user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Those whose parameters contain this.
    #[must_use]
    pub fn query(mut self, part: impl Into<String>) -> Self {
        self.query = Some(part.into());
        self
    }

    fn cover(&self, entry: &Entry) -> bool {
        let Self { verb, group, resource, name, user, query } = self;
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        same(verb, &entry.verb)
            && same(group, &entry.group)
            && same(resource, &entry.permission().resource)
            && same(name, entry.name.as_deref().unwrap_or_default())
            && same(user, &entry.user)
            && query.as_ref().is_none_or(|part| entry.query.contains(part.as_str()))
    }
}

/// Something that goes wrong a number of times.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// By which it is known in [`ApiServer::faults_left`](super::ApiServer::faults_left).
    pub label: String,
    /// With which requests.
    pub requests: Requests,
    /// How many of them go well first.
    pub skip: u32,
    /// With how many of them it goes wrong.
    pub times: u32,
    /// What goes wrong.
    pub trouble: Trouble,
}

impl Fault {
    /// It goes wrong once, with the next such request.
    pub fn new(label: impl Into<String>, requests: Requests, trouble: Trouble) -> Self {
        Self { label: label.into(), requests, skip: 0, times: 1, trouble }
    }

    /// It goes wrong so many times.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// So many such requests go well first.
    #[must_use]
    pub const fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }
}

/// What goes wrong at random, drawn from the seed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Weather {
    /// With which requests.
    pub requests: Requests,
    /// What, and how often in a million requests.
    pub rates: Vec<(Trouble, u32)>,
}

impl Weather {
    /// Nothing goes wrong with these requests yet.
    pub const fn new(requests: Requests) -> Self {
        Self { requests, rates: Vec::new() }
    }

    /// This goes wrong so often in a million requests.
    #[must_use]
    pub fn with(mut self, trouble: Trouble, per_million: u32) -> Self {
        self.rates.push((trouble, per_million));
        self
    }
}

/// All that is to go wrong.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) script: Vec<Fault>,
    pub(super) weather: Weather,
    rng: Rng,
}

impl Faults {
    pub(super) const fn new(seed: u64) -> Self {
        let weather = Weather::new(Requests {
            verb: None,
            group: None,
            resource: None,
            name: None,
            user: None,
            query: None,
        });
        Self { script: Vec::new(), weather, rng: Rng::new(seed ^ 0x5eed_fa17) }
    }

    /// What goes wrong with a request.
    pub(super) fn strike(&mut self, entry: &Entry) -> Option<Trouble> {
        for fault in self.script.iter_mut().filter(|fault| fault.times > 0 && fault.requests.cover(entry)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.trouble.clone());
        }
        if !self.weather.requests.cover(entry) {
            return None;
        }
        let Self { weather, rng, .. } = self;
        weather.rates.iter().find(|(_, rate)| rng.chance(*rate)).map(|(trouble, _)| trouble.clone())
    }
}
