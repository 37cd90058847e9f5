//! The in-cluster controller. What it does is in the library beside it.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    controller::start(controller::args::Args::parse()).await.into()
}
