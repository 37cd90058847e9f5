//! Spans and events of a tick, for subscribers of the [`tracing`] crate (feature `tracing`).
//!
//! Everything has the target [`TARGET`]. The names, the fields and the levels below are stable: a field may be added, none is
//! renamed or taken away without a breaking release. The message of an event is its name. Subscribers are the program's
//! business; without one a tick costs what it costs without the feature.
//!
//! Whatever comes from outside (an error's text, the name of a pod, what an operator wrote) is one line: control characters,
//! bidirectional marks, quotes and backslashes are escaped, and at most [`MAX_TEXT`] characters are kept. Ids are of printable
//! ASCII by construction.
//!
//! # Spans
//!
//! | name | level | fields |
//! |---|---|---|
//! | `autoscale.tick` | info | `cluster`, `policy`, `holder`, `trigger`, `notices`; at its end `ended`, `rounds`, `took_ms` |
//! | `autoscale.round` | info | `round`, `version` |
//! | `autoscale.call` | debug | `port`, `method`, `op`; at its end `outcome` |
//!
//! # Events
//!
//! | name | level | fields |
//! |---|---|---|
//! | `autoscale.unseen` | warn | `what`, `pool`, `signal`, `text` |
//! | `autoscale.hold` | debug | `pool`, `reason`, `text` |
//! | `autoscale.decision` | info | `pool`, `action`, `reason`, `op`, `instance`, `text` |
//! | `autoscale.stored` | debug | `version`, `operations` |
//! | `autoscale.effect` | info | `op`, `effect`, `subject` |
//! | `autoscale.outcome` | info, or warn when it is not done | `op`, `effect`, `subject`, `result`, `text` |
//! | `autoscale.alarm` | warn | `text` |
//! | `autoscale.done` | debug | `rounds`, `took_ms` |
//! | `autoscale.busy` | info | `holder`, `until` |
//! | `autoscale.no_authority` | warn | `text` |
//! | `autoscale.halt` | error | `text` |
//! | `autoscale.operated` | info, or warn when it was not done | `cluster`, `operation`, `who`, `version`, `text` |
//!
//! A field for which there is nothing to say is left out, like `op` of a question.

pub(super) mod tell;

/// The target of every span and event.
pub const TARGET: &str = "autoscale";

/// So many characters of a text from outside are kept.
pub const MAX_TEXT: usize = 500;

/// Span, info: one tick. `cluster`; `policy`, the start of its hash; `holder`, the name of the tick; `trigger`: `schedule` or
/// `notices`; `notices`, how many. At its end `ended`: `done`, `busy`, `halted` or `no_authority`; `rounds`, how many;
/// `took_ms`.
pub const TICK: &str = "autoscale.tick";

/// Span, info: one round, inside of a tick. `round`, from 1; `version`, of the record that it starts from.
pub const ROUND: &str = "autoscale.round";

/// Span, debug: one call to a port. `port`: `metrics`, `nodes`, `drainer` or `store`; `method`, as in the trait; `op`, the
/// operation that an order is for. At its end `outcome`: `ok` or the kind of the error, for a swap `applied`, `lost` or
/// `unknown`, for an order as in [`OUTCOME`]; `no_answer` when the time was up.
pub const CALL: &str = "autoscale.call";

/// Event, warn: something could not be seen. `what`: `instances`, `cluster` or `signal`; of a signal `pool` and `signal`; `text`:
/// why.
pub const UNSEEN: &str = "autoscale.unseen";

/// Event, debug: why a pool does not change now, one event for each reason. `pool`; `reason`, the
/// [code](crate::data::explain::Hold::code); `text`.
pub const HOLD: &str = "autoscale.hold";

/// Event, info: something was decided, and is stored. `pool`; `action`: `launch`, `remove` or `recall`; `reason`: of a launch
/// `scale` or `replace`, of a removal why, of a recall `needed`; `op`; `instance`, where there is one; `text`.
pub const DECISION: &str = "autoscale.decision";

/// Event, debug: a record was stored with what is to be done. `version`; `operations`, how many are open.
pub const STORED: &str = "autoscale.stored";

/// Event, info: an order is being sent. `op`; `effect`: `launch`, `terminate`, `cordon`, `uncordon`, `evict` or `forget`; `subject`:
/// the node, the instance, or the token of a launch.
pub const EFFECT: &str = "autoscale.effect";

/// Event, info when it is done, else warn: what became of an order. `op`, `effect` and `subject` as in [`EFFECT`]; `result`: `done`,
/// `superseded`, `gone`, `no_capacity`, `throttled`, `denied`, `invalid`, `token_spent`, `token_mismatch`, `not_sent` or `unclear`;
/// `text`, where there is one.
pub const OUTCOME: &str = "autoscale.outcome";

/// Event, warn: something that somebody should look at. `text`.
pub const ALARM: &str = "autoscale.alarm";

/// Event, debug: the tick is over, nothing more is due. `rounds`; `took_ms`.
pub const DONE: &str = "autoscale.done";

/// Event, info: another tick holds the lease. `holder`; `until`, by its clock.
pub const BUSY: &str = "autoscale.busy";

/// Event, warn: the store did not answer, or others kept winning. `text`.
pub const NO_AUTHORITY: &str = "autoscale.no_authority";

/// Event, error: the record cannot be used; a person has to look. `text`.
pub const HALT: &str = "autoscale.halt";

/// Event, info when it was done, else warn: an operator's wish. `cluster`; `operation`: `unlock`, `pause`, `resume` or `adopt`; `who`, of a
/// pause; `version`, of the record that carries it; `text`: why it was not done.
pub const OPERATED: &str = "autoscale.operated";
