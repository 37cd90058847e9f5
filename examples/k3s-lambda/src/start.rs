//! From the environment to invocations.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use autoscale_core::driver::SystemClock;
use autoscale_core::ports::{Clock, Ids, RandomIds};
use autoscale_core::words::{Span, Timestamp};
use futures_util::FutureExt as _;
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::bad::Bad;
use crate::clients::Clients;
use crate::command::{Args, Exit};
use crate::function::{Answer, Failed, Function};
use crate::settings::{Lookup, Settings};
use crate::setup::Setup;
use crate::telemetry::{self, LogsTo};

/// The variables that the runtime cannot do without. It panics where one is missing.
const RUNTIME: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];
/// What is not looked at in a file.
const LARGEST: u64 = 1 << 20;

/// The environment of this process.
const ENV: Lookup<'static> = &|name| std::env::var(name).ok();

/// Does what the command line says; without one, what Lambda asks.
pub async fn start(args: Args) -> Exit {
    let settings = match Settings::from_env(ENV) {
        Ok(settings) => settings,
        Err(bad) => return refuse(&bad),
    };
    let is_function = args.local.is_none() && args.command.is_none();
    let logs = if is_function { LogsTo::Stdout } else { LogsTo::Stderr };
    if let Err(bad) = telemetry::init(&settings.log, logs) {
        return refuse(&bad);
    }
    let process = Process::new(settings);
    let done = match (args.local, args.command) {
        (Some(path), _) => Box::pin(process.local(&path)).await,
        (None, Some(command)) => match Box::pin(process.setup()).await {
            Ok(setup) => Box::pin(command.run(&setup, &mut io::stdout())).await,
            Err(bad) => Err(bad),
        },
        (None, None) => Box::pin(process.serve()).await,
    };
    done.unwrap_or_else(|bad| refuse(&bad))
}

/// Says what is wrong. Nobody is left to be told when stderr is gone; the code still says it.
fn refuse(bad: &Bad) -> Exit {
    let _ = writeln!(io::stderr().lock(), "{bad}");
    Exit::BadSettings
}

/// What lives as long as the process.
struct Process {
    settings: Settings,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    function: OnceCell<Function>,
}

impl Process {
    fn new(settings: Settings) -> Self {
        let name = ENV("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_else(|| "function".to_owned());
        // The end of a log stream's name is what differs.
        let name: String = name.rsplit(']').next().unwrap_or(&name).chars().take(16).collect();
        Self {
            settings,
            clock: Arc::new(SystemClock::new()),
            ids: Arc::new(RandomIds::new(name)),
            function: OnceCell::new(),
        }
    }

    async fn setup(&self) -> Result<Setup, Bad> {
        let clients = Clients::from_env().await;
        if clients.region.is_empty() {
            return Err(Bad::missing("AWS_REGION", "a region, like eu-central-1"));
        }
        Setup::new(self.settings.clone(), &clients, ENV, self.clock.clone(), self.ids.clone()).await
    }

    /// Made once. One that could not be made is tried again by the next invocation.
    async fn function(&self) -> Result<&Function, Bad> {
        self.function
            .get_or_try_init(|| async { Ok(Function::new(self.setup().boxed_local().await?, &*self.ids)) })
            .await
    }

    /// Lines for CloudWatch go where logs go.
    async fn invoke(
        &self,
        payload: &[u8],
        left: Option<Span>,
        mut logs: impl Write,
    ) -> Result<Result<Answer, Failed>, Bad> {
        // Without a name for its type: those of everything within would make one that the compiler gives up on.
        let (answer, lines) = self.function().await?.invoke(payload, left).boxed_local().await;
        for line in lines {
            // A log that is gone stops nothing.
            let _ = writeln!(logs, "{line}");
        }
        Ok(answer)
    }

    async fn local(&self, path: &Path) -> Result<Exit, Bad> {
        let named = |why: &dyn std::fmt::Display| {
            Bad::setting("--local", &path.display().to_string(), format!("a file with an event: {why}"))
        };
        let size = std::fs::metadata(path).map_err(|error| named(&error))?.len();
        if size > LARGEST {
            return Err(named(&"it is longer than 1 MiB"));
        }
        let payload = std::fs::read(path).map_err(|error| named(&error))?;
        match self.invoke(&payload, None, io::stderr()).await? {
            Ok(answer) => {
                let answer = serde_json::to_string(&answer).unwrap_or_default();
                let _ = writeln!(io::stdout().lock(), "{answer}");
                Ok(Exit::Well)
            }
            Err(failed) => {
                let _ = writeln!(io::stderr().lock(), "{failed}");
                Ok(Exit::Failed)
            }
        }
    }

    async fn serve(&self) -> Result<Exit, Bad> {
        let missing: Vec<&str> = RUNTIME.into_iter().filter(|name| ENV(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(Bad::of(format!(
                "{}: missing: expected to be started by AWS Lambda; elsewhere use --local EVENT.json or a command",
                missing.join(", ")
            )));
        }
        let handler = service_fn(move |event: LambdaEvent<Value>| async move {
            let (payload, context) = event.into_parts();
            let deadline = Timestamp::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX));
            let now = self.clock.now();
            let left = if deadline > now { deadline.since(now) } else { Span::ZERO };
            match self.invoke(payload.to_string().as_bytes(), Some(left), io::stdout()).boxed_local().await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(failed)) => Err(failure("NotDone", &failed)),
                Err(bad) => Err(failure("BadSettings", &bad)),
            }
        });
        let ended = Runtime::new(handler).run().await;
        ended.map_err(|error| Bad::of(format!("the runtime ended: {error}"))).map(|()| Exit::Failed)
    }
}

fn failure(kind: &str, why: &dyn std::fmt::Display) -> Diagnostic {
    let why = why.to_string();
    tracing::error!(why, "the invocation failed");
    Diagnostic { error_type: kind.to_owned(), error_message: why }
}
