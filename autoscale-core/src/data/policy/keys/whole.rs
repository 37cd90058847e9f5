//! The keys of the whole policy.

use super::pool::{MAX_NODES, NAME, NAMES, POOL};
use super::{Key, Kind, List, Map, Name, fields, key, needed};
use crate::data::policy::names::Named;
use crate::words::{Span, Unit};

/// Signals that need no declaration; both are ratios.
pub(in crate::data::policy) const BUILT_IN: [&str; 2] = ["cpu", "memory"];
/// The longest key of a label or a taint, as in Kubernetes: a prefix of 253 characters, a slash and 63 more.
pub(in crate::data::policy) const MAX_KEY: usize = 317;
/// The longest value of a label or a taint.
pub(in crate::data::policy) const MAX_LABEL: usize = 63;
/// No length of time in a policy is longer.
pub(super) const MAX_SPAN: Span = Span::from_mins(7 * 24 * 60);

const CLUSTER: Name = Name {
    words: "1 to 32 characters of a-z, 0-9 and inner dashes",
    pattern: "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$",
};
pub(super) const SIGNAL: Name = Name {
    words: "1 to 63 characters of a-z, 0-9, underscores and dashes, starting with a letter",
    pattern: "^[a-z][a-z0-9_-]{0,62}$",
};

/// The whole policy.
pub(in crate::data::policy) static POLICY: Kind = fields(
    "a map with version, cluster and pools",
    &[
        needed("version", Kind::Version, "The version of this format."),
        needed("cluster", Kind::Id(CLUSTER), "The cluster that the policy is for."),
        key("tick", fields("a map with interval and limit", TICK), "How often and how long a tick runs."),
        key(
            "health",
            fields("a map with tolerated and ratio", HEALTH),
            "When the cluster counts as too unhealthy to be scaled: more unready nodes than `tolerated`, and more than `ratio` of all.",
        ),
        key(
            "choose",
            Kind::WordOr(&["least_waste", "price", "priority"], &ORDER),
            "Which pool and shape a new node is of, where several would do: the least left over, the least price, the highest priority, or the pool that comes first in a list.",
        ),
        key(
            "signals",
            Kind::Map(Map {
                of: &SIGNALS,
                name: "signals",
                one: None,
                most: 1_000,
                keys: SIGNAL,
                known: &BUILT_IN,
            }),
            "The signals that rules and targets look at, by name; `cpu` and `memory` are always there.",
        ),
        needed(
            "pools",
            Kind::Map(Map {
                of: &POOL,
                name: "pools",
                one: Some("pool"),
                most: MAX_POOLS,
                keys: NAME,
                known: &[],
            }),
            "The pools, by name.",
        ),
    ],
);

const MAX_POOLS: usize = 1_000;

static ORDER: Kind =
    Kind::List(List { of: &NAMES, name: "pools", one: Some("pool"), most: MAX_POOLS, unique: true });

const TICK: &[Key] = &[
    // A record's timeline moves on by 15 minutes a tick at most: timers would run slowly under a longer interval.
    key(
        "interval",
        Kind::Span(Span::from_secs(1), Span::from_mins(15)),
        "From the start of one tick to the start of the next.",
    ),
    // Effects stop 8 s before the limit; a limit of 10 s leaves two seconds for them.
    key(
        "limit",
        Kind::Span(Span::from_secs(10), Span::from_mins(15)),
        "After which a tick has ended, whatever happens; effects stop 8 s before it.",
    ),
];

const HEALTH: &[Key] = &[
    key("tolerated", Kind::Whole(0, MAX_NODES), "So many unready nodes are always tolerated."),
    key("ratio", Kind::Share, "So large a share of unready nodes is always tolerated."),
];

static SIGNALS: Kind = fields(
    "a map with unit",
    &[
        needed(
            "unit",
            Kind::Word(|| Unit::ALL.iter().map(|unit| unit.name()).collect()),
            "What the number counts.",
        ),
        key("stale_after", Kind::Span(Span::from_secs(1), MAX_SPAN), "A sample older than this is stale."),
    ],
);
