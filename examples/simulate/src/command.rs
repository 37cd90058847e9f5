//! What the program does besides simulating, one file for each.

mod explain;
mod replay;
mod schema;
mod validate;

use std::io;

use clap::Subcommand;

/// A command besides simulating.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Decide everything in an audit log again, and compare
    Replay(replay::Replay),
    /// Why it acted, why it did not, what it waits for and until when
    Explain(Box<explain::Explain>),
    /// Print the JSON Schema of a policy, for editors and for checks of your own
    Schema(schema::Schema),
    /// Check policies: every error with its line and column, else what they say in words
    Validate(validate::Validate),
}

impl Command {
    /// Carries it out. The exit code, as in `main`.
    ///
    /// # Errors
    /// Nothing more can be printed.
    pub(crate) fn run(self, out: &mut dyn io::Write) -> io::Result<u8> {
        match self {
            Self::Replay(replay) => replay.run(out),
            Self::Explain(explain) => explain.run(out),
            Self::Schema(schema) => schema.run(out),
            Self::Validate(validate) => validate.run(out),
        }
    }
}
