//! What a cache has to be told.

use autoscale_core::words::{Span, Timestamp};

/// How old facts may be, and how long a survey waits for newer ones. The defaults suit any cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CacheConfig {
    /// How far what is kept may provably lag behind the API server; beyond that it is listed. Default 2 minutes: API
    /// servers tell a quiet watch once a minute how far it has come.
    pub max_age: Span,
    /// How long a survey waits until what is kept has caught up with the moment it was asked at; default 300 ms.
    pub catch_up: Span,
    /// A watch that has said nothing for so long is begun anew; default 150 seconds.
    pub silence: Span,
}

impl CacheConfig {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max_age: Span::from_secs(120),
            catch_up: Span::from_millis(300),
            silence: Span::from_secs(150),
        }
    }

    /// Another limit for the age of facts.
    #[must_use]
    pub const fn with_max_age(mut self, max_age: Span) -> Self {
        self.max_age = max_age;
        self
    }

    /// Another time to wait.
    #[must_use]
    pub const fn with_catch_up(mut self, catch_up: Span) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// Another limit for silence.
    #[must_use]
    pub const fn with_silence(mut self, silence: Span) -> Self {
        self.silence = silence;
        self
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// How one kind of objects is kept, for health checks and for people.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CacheState {
    /// As in a path: `pods`.
    pub resource: &'static str,
    /// How many are kept.
    pub objects: usize,
    /// Whether they are followed now; kinds that no survey has needed yet are not.
    pub followed: bool,
    /// They are known to be at least as new as this, by the API server's clock; `None` before the first list.
    pub at: Option<Timestamp>,
    /// What went wrong last, until it goes well again.
    pub trouble: Option<String>,
}
