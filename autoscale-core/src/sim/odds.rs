//! How often each hostile fault strikes when there is an opportunity for it, in a million.

/// A fault by its name, and how often it strikes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odd(pub(super) &'static str, pub(super) u32);

// A process and its clock (F10).
pub(super) const CLOCK_SKEW: Odd = Odd("clock-skew", 60_000);
pub(super) const CLOCK_DRIFT: Odd = Odd("clock-drift", 60_000);
pub(super) const CLOCK_JUMP: Odd = Odd("clock-jump", 30_000);
pub(super) const CLOCK_FROZEN: Odd = Odd("clock-frozen", 15_000);
// Lists (F20, F34).
pub(super) const LIST_OMISSION: Odd = Odd("list-omission", 20_000);
pub(super) const LIST_DUPLICATE: Odd = Odd("list-duplicate", 20_000);
pub(super) const LIST_GARBAGE: Odd = Odd("list-garbage", 20_000);
pub(super) const LIST_FUTURE: Odd = Odd("list-future-launch", 20_000);
pub(super) const LIST_FAILED: Odd = Odd("list-failed", 10_000);
pub(super) const LIST_HUGE: Odd = Odd("list-huge", 200);
// Launches (F13, F16 to F18, F21 to F23).
pub(super) const OLDER_COPY: Odd = Odd("older-copy-buys", 300_000);
pub(super) const TOKEN_SPENT: Odd = Odd("token-spent", 250_000);
pub(super) const TOKEN_MISMATCH: Odd = Odd("token-mismatch", 300_000);
pub(super) const JOINS_LATE: Odd = Odd("joins-late", 30_000);
pub(super) const JOINS_TWICE: Odd = Odd("joins-twice", 15_000);
pub(super) const WRONG_NAME: Odd = Odd("joins-under-wrong-name", 15_000);
// Evictions (F26, F27).
pub(super) const EVICT_RETRY_AFTER: Odd = Odd("evict-absurd-retry-after", 10_000);
pub(super) const EVICT_TWO_BUDGETS: Odd = Odd("evict-500-two-budgets", 10_000);
pub(super) const EVICT_FORBIDDEN: Odd = Odd("evict-403", 10_000);
pub(super) const EVICT_CONFLICT: Odd = Odd("evict-409", 10_000);
pub(super) const EVICT_TIMEOUT: Odd = Odd("evict-504", 10_000);
pub(super) const POD_LANDS: Odd = Odd("pod-lands-on-cordoned", 8_000);
// Metrics (F37).
pub(super) const METRICS_CONTRADICT: Odd = Odd("metrics-contradict", 10_000);
pub(super) const METRICS_STALE: Odd = Odd("metrics-stale", 10_000);
pub(super) const METRICS_NEGATIVE: Odd = Odd("metrics-negative", 5_000);
pub(super) const METRICS_HUGE: Odd = Odd("metrics-huge", 500);
pub(super) const METRICS_NO_NODES: Odd = Odd("metrics-no-nodes", 5_000);
