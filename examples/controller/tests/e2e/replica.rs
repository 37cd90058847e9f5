//! One replica of the controller in this process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use autoscale_core::ports::{Clock, RandomIds};
use autoscale_core::words::Span;
use clap::Parser;
use controller::args::Args;
use controller::board::Board;
use controller::recorder::Recorder;
use controller::replica::Replica;
use controller::settings::Settings;
use controller::setup::Setup;
use kube::Client;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::kill::{Dice, Fuse};

/// Settings as from a command line, with the policy in a file of its own.
pub(crate) fn settings(name: &str, policy: &str, namespace: &str) -> Settings {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{name}.yaml"));
    std::fs::write(&path, policy).unwrap();
    let path = path.to_str().unwrap();
    let args = [
        "controller",
        "--policy",
        path,
        "--provider",
        "sim",
        "--signals",
        "requests",
        "--namespace",
        namespace,
    ];
    Settings::new(Args::parse_from(args).options).unwrap()
}

/// One replica, with what runs beside it. To abort its task is to kill it; told to stop it ends by itself.
pub(crate) async fn replica(
    client: Client,
    clock: Arc<dyn Clock>,
    settings: &Settings,
    name: &str,
    stop: Arc<Notify>,
) -> JoinHandle<()> {
    let ids = Arc::new(RandomIds::new(name));
    let mut setup = Setup::new(settings, (client, "default".to_owned()), clock.clone(), ids).await.unwrap();
    setup.follow();
    let events = Arc::new(setup.events(name).unwrap());
    let board = Arc::new(Board::new(clock, 10, Span::from_mins(1), false));
    let beside = setup.beside.take().unwrap();
    let mut replica = Replica::new(setup.maker(), setup.policy.clone(), board);
    replica.recorder = Recorder::default().with_events(events);
    tokio::spawn(async move {
        // Held for as long as the replica lives: without it no new policy could come.
        let _next = setup.next;
        let running = replica.run(async move { stop.notified().await });
        tokio::select! {
            () = running => {}
            () = beside => {}
        }
    })
}

/// A replica that dies again and again at a random request, and is started again. Kills are counted.
pub(crate) async fn mortal(
    client: Client,
    clock: Arc<dyn Clock>,
    (settings, name): (Settings, &'static str),
    mut dice: Dice,
    kills: Arc<AtomicU64>,
) {
    loop {
        let fuse = Fuse::new(1 + dice.below(120), dice.below(2) == 1);
        let client = fuse.client(client.clone());
        // It may die while it sets itself up, and waits for ever then.
        let mut running = None;
        {
            let starting = replica(client, clock.clone(), &settings, name, Arc::default());
            tokio::select! {
                started = starting => running = Some(started),
                () = fuse.dead.notified() => {}
            }
        }
        if let Some(running) = running {
            fuse.dead.notified().await;
            running.abort();
        }
        kills.fetch_add(1, Ordering::SeqCst);
        // As long as a pod takes to be started again.
        tokio::time::sleep(Span::from_millis(500 + dice.below(8_000)).into()).await;
    }
}
