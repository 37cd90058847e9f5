//! Logs: what `tracing` tells, on standard error, as text or one JSON object a line.

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::bad::Bad;

/// Begins to log.
///
/// # Errors
/// The filter is none.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Bad> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Bad::setting("--log", filter, format!("a level or a filter: {error}")))?;
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A program that embeds this may log already: then its way counts.
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    Ok(())
}
