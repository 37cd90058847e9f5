//! Logs: what `tracing` tells, one JSON object a line.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::bad::Bad;

/// Whatever is asked for: what carries secrets on its way tells nothing of it.
const QUIET: [&str; 14] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_ssm",
    "aws_sigv4",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "h2",
    "hyper",
    "hyper_util",
    "kube_client",
    "lambda_runtime",
    "reqwest",
    "rustls",
];

/// The filter that a level, or targets with their levels, stand for; less what carries secrets, whatever is asked for.
///
/// # Errors
/// It is none, or asks for what carries secrets.
pub fn filter(asked: &str) -> Result<EnvFilter, Bad> {
    let bad = |expected: String| Bad::setting("LOG", asked, expected);
    for directive in asked.split(',').map(str::trim) {
        let (target, level) = directive.split_once('=').unwrap_or((directive, ""));
        // What names spans would count for all targets.
        let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:-".contains(&b));
        if !is_word(target) || !is_word(level) {
            return Err(bad(
                "a level, or targets with their levels, like info,autoscale_core=debug".to_owned()
            ));
        }
        if let Some(name) = QUIET.iter().find(|name| target.split("::").next() == Some(name)) {
            return Err(bad(format!("nothing of {name}, which carries secrets")));
        }
    }
    let quiet: Vec<String> = QUIET.iter().map(|name| format!("{name}=warn")).collect();
    EnvFilter::try_new(format!("{asked},{}", quiet.join(",")))
        .map_err(|error| bad(format!("a level, or targets with their levels: {error}")))
}

/// Where logs go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LogsTo {
    /// Standard output, where Lambda takes them up.
    Stdout,
    /// Standard error: standard output has what somebody asked for.
    Stderr,
}

/// Begins to log.
///
/// # Errors
/// The filter is none.
pub fn init(asked: &str, to: LogsTo) -> Result<(), Bad> {
    let writer = match to {
        LogsTo::Stdout => BoxMakeWriter::new(std::io::stdout),
        LogsTo::Stderr => BoxMakeWriter::new(std::io::stderr),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter(asked)?)
        .with_writer(writer)
        .with_ansi(false)
        .json()
        .flatten_event(true);
    // A program that embeds this may log already: then its way counts.
    let _ = logs.try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_secrets_stays_quiet() {
        let shown = filter("trace,autoscale_core=debug").unwrap().to_string();
        for name in QUIET {
            assert!(shown.contains(&format!("{name}=warn")), "{name}: {shown}");
        }
        for bad in [
            "autoscale_core=loud",
            "info,hyper=trace",
            "aws_smithy_runtime::client=trace",
            "[span]=trace",
            "info,[{field=1}]",
        ] {
            assert!(filter(bad).unwrap_err().to_string().starts_with("LOG: "), "{bad}");
        }
    }
}
