//! `simulate schema`: the JSON Schema of a policy.

use std::io;

use autoscale_core::data::policy::Policy;
use clap::Args;

use crate::OK;

/// The JSON Schema of a policy.
#[derive(Args, Debug)]
pub(crate) struct Schema {}

impl Schema {
    /// Prints it.
    pub(super) fn run(self, out: &mut dyn io::Write) -> io::Result<u8> {
        let Self {} = self;
        writeln!(out, "{:#}", Policy::json_schema())?;
        Ok(OK)
    }
}
