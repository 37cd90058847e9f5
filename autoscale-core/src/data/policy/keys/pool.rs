//! The keys of one pool, its shapes, its rules and its targets.

use super::whole::{MAX_SPAN, SIGNAL};
use super::{Fields, Key, Kind, List, MAX_LABEL, Map, Name, fields, key, list, needed};
use crate::data::policy::names::Named;
use crate::data::policy::{Awkward, OnRebalance, Purchase, SystemPods};
use crate::words::Span;

/// No pool is larger.
pub(super) const MAX_NODES: u64 = 10_000;
const MAX_BATCH: u64 = 100;
/// A petabyte in bytes.
const MAX_AMOUNT: u64 = 1_000_000_000_000_000;

/// Of a pool, and of a zone.
pub(super) const NAME: Name = Name {
    words: "1 to 63 characters of a-z, 0-9 and inner dashes",
    pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
};
const SHAPE_NAME: Name = Name {
    words: "1 to 63 characters of letters, digits, dots, dashes and underscores",
    pattern: "^[A-Za-z0-9._-]{1,63}$",
};
const LABEL_KEY: Name =
    Name { words: "a key of 1 to 317 printable ASCII characters without spaces", pattern: "^[!-~]{1,317}$" };

pub(super) static NAMES: Kind = Kind::Id(NAME);
static NODES: Kind = Kind::Whole(1, MAX_NODES);
static SHARE: Kind = Kind::Share;
static LABEL: Kind = Kind::Text(MAX_LABEL);
static AMOUNT: Kind = Kind::Whole(1, MAX_AMOUNT);
static TAINT: Kind = Kind::Taint;
static PRICE: Kind = Kind::Price(1_000_000);
static PURCHASE: Kind = Kind::Word(|| Purchase::ALL.iter().map(|word| word.name()).collect());

const LABELS: Kind = Kind::Map(free("labels", 64, &LABEL));
const PAUSE: Kind = Kind::Span(Span::ZERO, MAX_SPAN);

const fn free(name: &'static str, most: usize, of: &'static Kind) -> Map {
    Map { of, name, one: None, most, keys: LABEL_KEY, known: &[] }
}

/// One pool.
pub(super) static POOL: Kind = Kind::Fields(Fields {
    words: "a map with zones and shape",
    keys: KEYS,
    either: Some(("shape", "shapes")),
});

const KEYS: &[Key] = &[
    key("min", Kind::Whole(0, MAX_NODES), "Never fewer serving nodes than this by our doing."),
    key("max", Kind::Whole(1, MAX_NODES), "Never more instances than this."),
    key(
        "priority",
        Kind::Whole(0, 10_000),
        "A pool of a higher priority is bought first where `choose` is `priority`.",
    ),
    needed(
        "zones",
        Kind::List(List { of: &NAMES, name: "zones", one: Some("zone"), most: 64, unique: true }),
        "Where to launch, in order.",
    ),
    key("max_per_zone", Kind::OrFalse(&NODES), "Never more instances than this in one zone."),
    key(
        "shape",
        Kind::Fields(SHAPE),
        "The one machine type to launch, and what a node of it offers to pods.",
    ),
    key(
        "shapes",
        Kind::List(List { of: &SHAPES, name: "shapes", one: Some("shape"), most: 16, unique: false }),
        "The machine types to launch, in order, in place of `shape`.",
    ),
    key(
        "labels",
        LABELS,
        "Labels that nodes of the pool have; those of the zone and the machine type go without saying.",
    ),
    key(
        "taints",
        Kind::List(List { of: &TAINT, name: "taints", one: None, most: 64, unique: true }),
        "Taints that nodes of the pool have.",
    ),
    key(
        "overhead",
        Kind::OrFalse(&OVERHEAD),
        "What DaemonSet pods take of a new node; `false` is what they take of the nodes that the pool has.",
    ),
    key(
        "template",
        Kind::Text(256),
        "What is pinned in every launch for the provider to read, such as a launch template and its version.",
    ),
    key(
        "purchases",
        Kind::List(List {
            of: &PURCHASE,
            name: "purchases",
            one: Some("of spot, on_demand"),
            most: 64,
            unique: true,
        }),
        "How to buy, the preferred way first.",
    ),
    key(
        "pods_per_node",
        Kind::OrFalse(&NODES),
        "How many pending pods one new node is bought for; `false` buys nodes for what the pods ask for.",
    ),
    key(
        "targets",
        Kind::List(list("targets", 16, &TARGET)),
        "Signals that the number of nodes keeps at a value.",
    ),
    key(
        "up",
        Kind::List(list("rules", 64, &RULE)),
        "Any of these grows the pool. In a pool with targets the default is none.",
    ),
    key(
        "down",
        Kind::List(list("rules", 64, &RULE)),
        "All of these together let the pool shrink; each lasts at least three tick intervals. In a pool with targets the default is none.",
    ),
    key("pending", Kind::OrFalse(&PENDING), "Pending pods grow the pool; `false` ignores them."),
    key("headroom", fields("a map with cpu, memory or nodes", HEADROOM), "Spare room that is kept free."),
    key(
        "step_up",
        Kind::Whole(1, MAX_NODES),
        "Nodes to add when a rule over a signal holds; at most `max_batch`.",
    ),
    key("step_down", Kind::Whole(1, MAX_NODES), "Nodes to remove in one action; at most `max_batch`."),
    key("max_batch", Kind::Whole(1, MAX_BATCH), "Greatest number of instances in one action."),
    key(
        "max_drains",
        Kind::Whole(1, MAX_BATCH),
        "Greatest number of nodes with pods to move in one action; nodes without any count for `max_batch` alone.",
    ),
    key(
        "busy_above",
        Kind::OrFalse(&SHARE),
        "A node whose pods ask for more than this share of its CPU or memory is not removed to shrink the pool.",
    ),
    key("cooldown_up", PAUSE, "Pause between a finished scale-up and the next."),
    key("cooldown_down", PAUSE, "Pause between any finished scaling action and the next scale-down."),
    key(
        "join_timeout",
        PAUSE,
        "How long an instance may take to become a Ready node; at least one tick interval, which is the default where it is longer.",
    ),
    key(
        "drain_timeout",
        PAUSE,
        "How long a drain may take before it is rolled back; at least three tick intervals. The default is 5m, or three tick intervals where that is longer.",
    ),
    key(
        "max_zone_skew",
        Kind::Whole(1, MAX_NODES),
        "How far the populations of two zones may differ before zone balance goes before the purchase.",
    ),
    key(
        "backoff_initial",
        PAUSE,
        "How long an offering that had no capacity, or a node that could not be drained, is left alone; at most `backoff_max`.",
    ),
    key("backoff_max", PAUSE, "Up to which that pause doubles."),
    key(
        "replacement_surge",
        Kind::Whole(0, MAX_NODES),
        "How many instances above `max` a replacement of doomed ones may stand; at most `max`.",
    ),
    key(
        "on_rebalance",
        Kind::Word(|| OnRebalance::ALL.iter().map(|word| word.name()).collect()),
        "What to do on a rebalance recommendation: buy a replacement first, only cordon, or nothing.",
    ),
    key("adopt", Kind::Flag, "Whether instances that carry only the worker tag may be removed."),
    key(
        "system_pods",
        Kind::Word(|| SystemPods::ALL.iter().map(|word| word.name()).collect()),
        "Whether `kube-system` pods that are not of a DaemonSet hold a node back: always, or only without a budget that allows a disruption.",
    ),
    key(
        "bare_pods",
        Kind::Word(|| Awkward::ALL.iter().map(|word| word.name()).collect()),
        "Whether pods without a controller, which nobody makes again, hold a node back.",
    ),
    key(
        "local_storage",
        Kind::Word(|| Awkward::ALL.iter().map(|word| word.name()).collect()),
        "Whether pods with a disk-backed `emptyDir`, a `hostPath` or a node-local volume that is not annotated as safe hold a node back.",
    ),
    key(
        "critical_pods",
        Kind::Word(|| Awkward::ALL.iter().map(|word| word.name()).collect()),
        "Whether pods of a system-critical priority hold a node back.",
    ),
];

static SHAPES: Kind = Kind::Fields(SHAPE);

const SHAPE: Fields = Fields {
    words: "a map with name, cpu, memory and pods",
    keys: &[
        needed("name", Kind::Id(SHAPE_NAME), "The cloud's name for it."),
        needed("cpu", Kind::Cpu, "CPU that a node of it offers to pods (allocatable, not capacity)."),
        needed("memory", Kind::Memory, "Memory that a node of it offers to pods."),
        needed("pods", Kind::Whole(1, MAX_NODES), "So many pods a node of it holds."),
        key(
            "extended",
            Kind::Map(free("resources", 64, &AMOUNT)),
            "What it offers beside, like `nvidia.com/gpu`.",
        ),
        key("labels", LABELS, "Labels that its nodes have beside those of the pool; these count."),
        key(
            "price",
            Kind::OrFalse(&PRICE),
            "What an hour of it costs, in any currency; needed where `choose` is `price`.",
        ),
    ],
    either: None,
};

static OVERHEAD: Kind = fields(
    "false, or a map with cpu, memory and pods",
    &[
        needed("cpu", Kind::Cpu, "Less than every shape offers."),
        needed("memory", Kind::Memory, "Less than every shape offers."),
        needed("pods", Kind::Whole(0, MAX_NODES), "Fewer than every shape holds."),
    ],
);

static PENDING: Kind =
    fields("false, or a map with for", &[needed("for", PAUSE, "Pods pending for so long grow the pool.")]);

const HEADROOM: &[Key] = &[
    key("cpu", Kind::Cpu, "CPU that is kept free."),
    key("memory", Kind::Memory, "Memory that is kept free."),
    key("nodes", Kind::Whole(0, MAX_NODES), "Whole nodes that are kept free; at most `max`."),
];

static RULE: Kind = Kind::Fields(Fields {
    words: "a map with signal and above or below",
    keys: &[
        needed("signal", Kind::Id(SIGNAL), "The signal it looks at."),
        key("above", Kind::Threshold, "Crossed by a greater value; in place of `below`."),
        key("below", Kind::Threshold, "Crossed by a smaller value; in place of `above`."),
        key("for", PAUSE, "For how long it has to be crossed without a break; zero acts at once."),
    ],
    either: Some(("above", "below")),
});

static TARGET: Kind = fields(
    "a map with signal and value",
    &[
        needed("signal", Kind::Id(SIGNAL), "The signal."),
        needed("value", Kind::Threshold, "The value to keep it at, above zero."),
        key(
            "tolerance",
            Kind::Share,
            "As long as the signal is off by at most this share of the value, the pool stays as it is.",
        ),
        key(
            "window",
            Kind::Span(Span::ZERO, Span::from_mins(60)),
            "The pool shrinks only to the greatest number of nodes that was wanted within so long.",
        ),
    ],
);
