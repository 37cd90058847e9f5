//! Says for each node of a cluster whether it may go, and why not: `explain-drain --help`.
//!
//! It surveys the cluster as a tick does and asks the core's `removable`, which changes nothing and decides nothing. Rules,
//! cooldowns and bounds of a pool are not looked at, nor what only the cloud knows.

mod args;
mod judge;
mod show;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use autoscale_core::data::policy::{Policy, PolicyFormat};
use autoscale_core::data::view::Scope;
use autoscale_core::driver::SystemClock;
use autoscale_core::ports::Drainer;
use autoscale_kube::Connection;
use autoscale_kube::drain::{Drain, DrainConfig};
use clap::Parser;
use kube::Config;
use kube::config::KubeConfigOptions;

use args::Args;
use judge::Verdict;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&args)));
    match answered {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let (mut text, mut cause) = (error.to_string(), error.source());
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            let _ = writeln!(std::io::stderr(), "explain-drain: {text}");
            ExitCode::from(2)
        }
    }
}

/// Prints the answer; whether every node that was named may go.
async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let connection = Connection::new(config(args).await?)?;
    let mut settings = DrainConfig::new().with_pool_label(&args.pool_label);
    settings.trusted_owners.extend(args.trusted_owner.iter().cloned());
    let drain = Drain::new(connection, settings, Arc::new(SystemClock::new()));
    let cluster = drain.survey(&Scope::Everything).await?;
    // The API server's own time: how young a node is does not depend on this machine's clock.
    let (now, complete) = (cluster.at, cluster.complete);
    let mut judged = judge::judge(policy, &args.pool_label, cluster, now)?;
    if let Some(name) =
        args.nodes.iter().find(|name| !judged.iter().any(|judged| judged.node.as_str() == **name))
    {
        return Err(format!("there is no node {name:?}").into());
    }
    if !args.nodes.is_empty() {
        judged.retain(|judged| args.nodes.iter().any(|name| judged.node.as_str() == name));
    }
    let text =
        if args.json { format!("{:#}\n", show::json(&judged, complete)) } else { show::table(&judged) };
    std::io::stdout().write_all(text.as_bytes())?;
    if !complete {
        return Err("not every node could be read".into());
    }
    let may_go = judged.iter().all(|judged| matches!(judged.verdict, Verdict::MayGo(_)));
    Ok(args.nodes.is_empty() || may_go)
}

fn read_policy(path: &std::path::Path) -> Result<Policy, Box<dyn Error>> {
    let format = PolicyFormat::of_path(path)
        .ok_or("a policy is a file with the ending .yaml, .yml, .toml or .json")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Policy::parse(&text, format)?)
}

async fn config(args: &Args) -> Result<Config, Box<dyn Error>> {
    match &args.context {
        None => Ok(Config::infer().await?),
        Some(context) => {
            let options =
                KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
            Ok(Config::from_kubeconfig(&options).await?)
        }
    }
}
