//! The function's program. What it does is in the library beside it.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    k3s_lambda::start(k3s_lambda::command::Args::parse()).await.into()
}
