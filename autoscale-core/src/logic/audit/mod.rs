//! What can be done with the entries of an audit log: deciding them again, and telling why.

mod answer;
mod explain;
mod node;
mod replay;
mod show;

use crate::data::audit::Decided;
use crate::logic::Tick;

pub use answer::{Answer, NoAnswer, PoolAnswer, Question, Standing, Wait};
pub use explain::Explainer;
pub use node::NodeAnswer;
pub use replay::{Differs, Replayed, replay};

fn tick(round: &Decided<'_>) -> Tick {
    let brought = &round.brought;
    Tick::new(brought.holder.clone(), brought.write_id.clone(), brought.launch_delay)
        .with_notices(brought.notices.clone())
}
