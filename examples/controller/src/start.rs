//! From a command line to an exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use autoscale_core::driver::{Ended, Report, SystemClock, Trigger};
use autoscale_core::logic::Question;
use autoscale_core::ports::{Clock, ErrorKind, Ids, RandomIds};
use autoscale_core::words::Span;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tokio::net::TcpListener;

use crate::args::{Args, Surveys};
use crate::bad::Bad;
use crate::board::Board;
use crate::command::{Context, explained};
use crate::dry::Dry;
use crate::logs;
use crate::policy::Watcher;
use crate::recorder::Recorder;
use crate::replica::{Replica, observe};
use crate::serve::{Shown, serve};
use crate::settings::Settings;
use crate::setup::{Setup, connect};
use crate::telemetry::Telemetry;

/// How the program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Exit {
    /// All is well.
    Well,
    /// Something could not be done, or a person has to look.
    Failed,
    /// The settings are no good.
    BadSettings,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0_u8,
            Exit::Failed => 1,
            Exit::BadSettings => 2,
        })
    }
}

/// How long the last events may take.
const LAST_EVENTS: std::time::Duration = std::time::Duration::from_secs(2);

/// How long the provider may take to say what is allowed: nothing answers probes before.
const CHECK: Span = Span::from_secs(20);

/// Does what the command line says.
pub async fn start(args: Args) -> Exit {
    #[cfg(feature = "azure")]
    if args.options.agent.node_agent {
        return crate::agent::start(args).await.unwrap_or_else(|bad| refuse(&bad));
    }
    let settings = match Settings::new(args.options) {
        Ok(settings) => settings,
        Err(bad) => return refuse(&bad),
    };
    if let Err(bad) = logs::init(settings.options.log_format, &settings.options.log) {
        return refuse(&bad);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ids: Arc<dyn Ids> = Arc::new(RandomIds::new(&settings.options.name));
    let setup = async {
        let client = connect(settings.options.context.as_deref()).await?;
        Setup::new(&settings, client, clock.clone(), ids.clone()).await
    };
    let setup = match Box::pin(setup).await {
        Ok(setup) => setup,
        Err(bad) => return refuse(&bad),
    };
    let done = match args.command {
        Some(command) => {
            Box::pin(command.run(Context { settings, setup, clock, ids }, &mut io::stdout())).await
        }
        None if settings.options.once => Box::pin(once(settings, setup, clock, &*ids)).await,
        None => Box::pin(stay(settings, setup, clock, &*ids)).await,
    };
    done.unwrap_or_else(|bad| refuse(&bad))
}

/// Says what is wrong. Nobody is left to be told when stderr is gone; the code still says it.
fn refuse(bad: &Bad) -> Exit {
    let _ = writeln!(io::stderr().lock(), "{bad}");
    Exit::BadSettings
}

fn board(settings: &Settings, clock: &Arc<dyn Clock>) -> Arc<Board> {
    let (options, tick) = (&settings.options, settings.policy.tick());
    let patience = tick.limit.times(3);
    Arc::new(Board::new(clock.clone(), usize::from(options.decisions), patience, options.dry_run))
}

/// Opens the audit log, if there is to be one, and begins to write it.
fn recorder(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    ids: &dyn Ids,
) -> Result<(Recorder, Option<tokio::task::JoinHandle<()>>), Bad> {
    let Some(path) = &settings.options.audit else { return Ok((Recorder::default(), None)) };
    let (recorder, task) = Recorder::open(path, ids, clock.clone())?;
    Ok((recorder, Some(tokio::spawn(task))))
}

/// Asks the provider whether everything is allowed that will be asked for. What it refuses is told all at once, and ends the
/// program, because what begins must be able to finish; in a dry run, and where there is no answer, it is only logged.
async fn allowed(setup: &mut Setup, clock: &Arc<dyn Clock>, dry: bool) -> Result<(), Bad> {
    let Some(check) = setup.check.take() else { return Ok(()) };
    let wrong = match select(check, clock.sleep(CHECK)).await {
        Either::Left((wrong, _)) => wrong,
        Either::Right(_) => {
            tracing::warn!("the provider does not say what is allowed");
            return Ok(());
        }
    };
    let mut bad = Bad::default();
    for error in wrong {
        let refused = matches!(error.kind(), ErrorKind::Denied { .. } | ErrorKind::Invalid);
        if refused && !dry {
            bad.add(Bad::of(format!("--provider: {}", error.chain())));
        } else {
            tracing::warn!(error = error.chain(), "asked what is allowed");
        }
    }
    bad.into_result()
}

/// One tick; its report is printed.
async fn once(
    settings: Settings,
    mut setup: Setup,
    clock: Arc<dyn Clock>,
    ids: &dyn Ids,
) -> Result<Exit, Bad> {
    allowed(&mut setup, &clock, settings.options.dry_run).await?;
    let dry = settings.options.dry_run.then(|| Dry::wrap(&mut setup.ports, false));
    let (recorder, task) = recorder(&settings, &clock, ids)?;
    let board = board(&settings, &clock);
    let driver = setup.maker().driver(settings.policy.clone());
    if dry.is_some() {
        driver.park();
    }
    let beside = setup.beside.take().filter(|_| dry.is_none()).map(tokio::spawn);
    let report = {
        let trigger = Trigger::Schedule;
        let tick = std::pin::pin!(driver.tick(&trigger));
        match select(tick, std::pin::pin!(told_to_stop())).await {
            Either::Left((report, _)) => report,
            Either::Right(((), tick)) => {
                driver.park();
                tick.await
            }
        }
    };
    if let Some(beside) = beside {
        beside.abort();
    }
    let withheld = observe(&report, &board, &recorder, dry.as_ref());
    drop(recorder);
    if let Some(task) = task {
        // The log has its own limit for each call.
        let _ = task.await;
    }
    let mut text = said(&report).await;
    for effect in withheld {
        let order = serde_json::to_string(&effect.order).unwrap_or_default();
        text.push_str(&format!("dry run, not sent for operation {}: {order}\n", effect.op));
    }
    print(&text)?;
    Ok(match report.ended {
        Ended::Done | Ended::Busy { .. } => Exit::Well,
        _ => Exit::Failed,
    })
}

/// A report in words.
async fn said(report: &Report) -> String {
    let ended = match &report.ended {
        Ended::Done => "done".to_owned(),
        Ended::Busy { holder, until } => format!("{holder} is at work, until {until} at most"),
        Ended::Halted { why } => format!("halted: {why}"),
        Ended::NoAuthority { why } => format!("the record could not be reached: {why}"),
        other => format!("{other:?}"),
    };
    let answer = explained(report, Question::default()).await;
    let answer = answer.map_or_else(|none| format!("{none}\n"), |answer| answer.to_string());
    format!("{answer}ended: {ended}\n")
}

/// Prints. A reader that has seen enough is no error.
pub(crate) fn print(text: &str) -> Result<(), Bad> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Bad::of(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}

/// Ticks until told to stop.
async fn stay(
    settings: Settings,
    mut setup: Setup,
    clock: Arc<dyn Clock>,
    ids: &dyn Ids,
) -> Result<Exit, Bad> {
    let options = &settings.options;
    let telemetry = Telemetry::install();
    allowed(&mut setup, &clock, options.dry_run).await?;
    if options.surveys == Surveys::Watch {
        setup.follow();
    }
    let dry = options.dry_run.then(|| Dry::wrap(&mut setup.ports, false));
    let (mut recorder, task) = recorder(&settings, &clock, ids)?;
    let mut events = None;
    if !options.dry_run && !options.no_events {
        let all = Arc::new(setup.events(&options.name)?);
        recorder = recorder.with_events(all.clone());
        events = Some(all);
    }
    let board = board(&settings, &clock);
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| {
        Bad::setting("--listen", options.listen, format!("an address of this host: {error}"))
    })?;
    let listening = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(
        cluster = settings.policy.cluster().as_str(),
        policy = settings.policy.hash().to_string(),
        dry_run = options.dry_run,
        listening,
        "begins"
    );
    let every = options.policy_every;
    let watcher =
        Watcher::new(settings.path.clone(), every, clock.clone(), board.clone(), setup.next.clone())
            .with_signals(setup.signals.clone());
    let mut beside = tokio::task::JoinSet::new();
    beside.spawn(watcher.run());
    beside.spawn(telemetry.clone().keep_up());
    beside.spawn(serve(listener, Shown::new(board.clone(), Some(telemetry))));
    for task in [setup.beside.take(), setup.notices.take()].into_iter().flatten().filter(|_| dry.is_none()) {
        beside.spawn(task);
    }
    let stop = told_to_stop().shared();
    let mut replica = Replica::new(setup.maker(), setup.policy.clone(), board);
    replica.inbox = Some(setup.inbox.clone()).filter(|_| dry.is_none());
    (replica.recorder, replica.dry) = (recorder, dry);
    let late = {
        let (stop, clock) = (stop.clone(), clock.clone());
        async move {
            stop.await;
            clock.sleep(options.stop_within).await;
        }
    };
    let finish = async {
        replica.run(stop).await;
        if let Some(task) = task {
            let _ = task.await;
        }
        if let Some(events) = events {
            // The last ones; they are for people, and not worth waiting for when nobody takes them.
            let _ = tokio::time::timeout(LAST_EVENTS, events.idle()).await;
        }
    };
    let ended = match select(std::pin::pin!(finish), std::pin::pin!(late)).await {
        Either::Left(((), _)) => Exit::Well,
        Either::Right(((), _)) => {
            tracing::warn!(
                "did not stop in time: what is under way goes on with the next tick of any replica"
            );
            Exit::Failed
        }
    };
    tracing::info!("ends");
    Ok(ended)
}

/// SIGTERM or SIGINT; where they cannot be listened to, never.
pub(crate) async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = |kind: SignalKind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(error = error.to_string(), "cannot listen to signals");
                std::future::pending().await
            }
        }
    };
    let term = std::pin::pin!(heard(SignalKind::terminate()));
    let int = std::pin::pin!(heard(SignalKind::interrupt()));
    let _ = select(term, int).await;
}
