//! Whether pods find room: on what is there, and on what could be bought.

mod kind;
mod pack;
mod room;
mod site;
mod worst;

pub(crate) use kind::{Kind, Kinds};
pub(crate) use pack::{Bin, Pack};
pub(crate) use room::Room;
pub(crate) use site::{Misfit, Site};
