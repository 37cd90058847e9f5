//! Servers that a test is given by name.

/// The address in an environment variable. Where there is none the test is skipped, and says so; not where `CI` is set.
pub(crate) fn endpoint(variable: &str, script: &str) -> Option<String> {
    let endpoint = std::env::var(variable).ok().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        let missing = format!("{variable} names no server: run {script}, which starts one");
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        println!("skipped: {missing}");
    }
    endpoint
}
