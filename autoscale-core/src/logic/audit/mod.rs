//! What can be done with the entries of an audit log: deciding them again, and telling why.

mod explain;
mod node;
mod replay;
mod show;

use crate::data::audit::Decided;
use crate::logic::Tick;

pub use explain::{Answer, Explainer, NoAnswer, PoolAnswer, Question, Standing, Wait};
pub use node::NodeAnswer;
pub use replay::{Differs, Replayed, replay};

fn tick(round: &Decided<'_>) -> Tick {
    let brought = &round.brought;
    Tick::new(brought.holder.clone(), brought.write_id.clone(), brought.launch_delay)
        .with_notices(brought.notices.clone())
}
