//! Whether a configuration can be used; all that is wrong with it at once.

use std::net::IpAddr;

use autoscale_core::words::{ConfigErrors, Span};
use reqwest::{Certificate, Client, Identity, Url};
use zeroize::Zeroizing;

use super::address::{Resolver, judge};
use super::client::{Login, Tls, client};
use super::config::PrometheusBuilder;
use super::request::is_label;
use super::signal::{PLACE, Signal};

/// A query is no longer than this: it is sent as a part of a URL.
const MAX_QUERY: usize = 4_096;

/// What came of it.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) base: Url,
    pub(super) client: Client,
    pub(super) login: Login,
}

pub(super) fn check(said: &PrometheusBuilder) -> Result<Checked, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let base = base(said, &mut errors);
    signals(said, &mut errors);
    matchers(said, &mut errors);
    let login = login(said, &mut errors);
    let tls = tls(said, &mut errors);
    if said.limit == Span::ZERO || said.limit > super::LIMIT {
        errors.described(
            "limit",
            said.limit.to_string(),
            format!("more than zero and at most {}", super::LIMIT),
        );
    }
    let (Some(base), Some(tls)) = (base, tls) else { return Err(errors) };
    if !errors.is_empty() {
        return Err(errors);
    }
    match client(base.scheme() == "https", tls, Resolver::of_machine(said.loopback), said.limit) {
        Ok(client) => Ok(Checked { base, client, login }),
        Err(why) => {
            errors.described(
                "tls",
                why,
                "certificates that can be used, and authorities that the machine trusts or `with_ca_pem`",
            );
            Err(errors)
        }
    }
}

fn base(said: &PrometheusBuilder, errors: &mut ConfigErrors) -> Option<Url> {
    let before = errors.iter().count();
    let url = match said.url.parse::<Url>() {
        Ok(url) if url.has_host() => url,
        _ => {
            // It may hold a password in a place where no parser finds it.
            errors.described(
                "url",
                "a text that is no URL",
                "https://host, with a port and a path if need be",
            );
            return None;
        }
    };
    let shown = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    match url.scheme() {
        "https" => {}
        "http" if said.insecure => {}
        "http" => errors.wrong("url", &shown, "https, or that `insecure` is said"),
        _ => errors.wrong("url", &shown, "https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        errors.wrong("url", &shown, "no user and no password in it: `with_basic` logs in");
    }
    if url.query().is_some() || url.fragment().is_some() {
        errors.wrong("url", &shown, "no query and no fragment in it");
    }
    // Names are judged when they are resolved; an address is not resolved any more.
    let host = url.host_str().unwrap_or_default();
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>()
        && let Err(refused) = judge(host, ip, said.loopback)
    {
        errors.described("url", refused.to_string(), "an address of a server, or `with_loopback`");
    }
    (errors.iter().count() == before).then_some(url)
}

fn signals(said: &PrometheusBuilder, errors: &mut ConfigErrors) {
    if said.signals.is_empty() {
        errors.described("signals", "none", "at least one signal");
    }
    for name in &said.repeated {
        errors.described(format!("signals.{name}"), "said twice", "one query for each signal");
    }
    for (name, signal) in &said.signals {
        let Signal { value, measured, of_cluster, .. } = signal;
        for (part, query) in [("value", value), ("measured", measured)] {
            let field = format!("signals.{name}.{part}");
            if query.trim().is_empty() || query.len() > MAX_QUERY {
                errors.wrong(field, query, format!("a query of 1 to {MAX_QUERY} bytes"));
            } else if query.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
                errors.wrong(field, query, "a query without control characters");
            } else if !of_cluster && !query.contains(PLACE) {
                errors.wrong(
                    field,
                    query,
                    format!("{PLACE} in the braces of each selector, or a signal `of_cluster`"),
                );
            }
        }
    }
}

fn matchers(said: &PrometheusBuilder, errors: &mut ConfigErrors) {
    let expected = "a label: letters, digits and underscores, not first a digit, and not __name__";
    let good = |label: &str| is_label(label) && label != "__name__";
    if !good(&said.pool_label) {
        errors.wrong("pool_label", &said.pool_label, expected);
    }
    for (number, matcher) in said.matchers.iter().enumerate() {
        let field = format!("matchers[{number}]");
        let earlier = said.matchers.iter().take(number).any(|other| other.label == matcher.label);
        if !good(&matcher.label) {
            errors.wrong(field, &matcher.label, expected);
        } else if earlier || matcher.label == said.pool_label {
            errors.wrong(field, &matcher.label, "a label that has no matcher yet and is not that of pools");
        } else if matcher.value.len() > 256 {
            errors.wrong(field, &matcher.value, "a value of at most 256 bytes");
        }
    }
}

fn login(said: &PrometheusBuilder, errors: &mut ConfigErrors) -> Login {
    let plain = |text: &str| !text.trim().is_empty() && text.chars().all(|c| !c.is_control());
    for login in &said.logins {
        match login {
            Login::Bearer(token)
                if !token.expose().bytes().all(|b| b.is_ascii_graphic()) || token.expose().is_empty() =>
            {
                errors.described(
                    "bearer",
                    "a token that cannot be sent",
                    "visible ASCII characters, at least one",
                );
            }
            Login::Basic(user, _) if user.contains(':') || !plain(user) => {
                errors.wrong("basic.user", user, "a name without colons and control characters");
            }
            Login::Basic(_, password) if password.expose().chars().any(char::is_control) => {
                errors.described("basic.password", "a password that cannot be sent", "no control characters");
            }
            Login::BearerFile(path) if path.as_os_str().is_empty() => {
                errors.wrong("bearer_file", "", "the path of a file");
            }
            _ => {}
        }
    }
    match said.logins.as_slice() {
        [] => Login::None,
        [login] => login.clone(),
        several => {
            errors.described(
                "login",
                format!("{} ways to log in", several.len()),
                "one of bearer, bearer file and basic",
            );
            Login::None
        }
    }
}

fn tls(said: &PrometheusBuilder, errors: &mut ConfigErrors) -> Option<Tls> {
    let before = errors.iter().count();
    let authorities = said.ca.as_ref().and_then(|pem| match Certificate::from_pem_bundle(pem) {
        Ok(found) if !found.is_empty() => Some(found),
        _ => {
            errors.described("ca", format!("{} bytes", pem.len()), "at least one certificate in PEM");
            None
        }
    });
    let identity = said.identity.as_ref().and_then(|(chain, key)| {
        let mut both = Zeroizing::new(chain.clone());
        both.push(b'\n');
        both.extend_from_slice(key.expose().as_bytes());
        let identity = Identity::from_pem(&both).ok();
        if identity.is_none() {
            errors.described("identity", "a chain and a key", "certificates and one private key in PEM");
        }
        identity
    });
    (errors.iter().count() == before).then_some(Tls { authorities, identity })
}

#[cfg(test)]
mod tests {
    use super::super::{Prometheus, Series};
    use super::*;
    use autoscale_core::words::{SignalName, Unit};

    fn name(text: &str) -> SignalName {
        SignalName::new(text).unwrap()
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let said = Prometheus::builder("http://me:s3cret@169.254.169.254/x?token=s3cret")
            .with_signal(name("cpu"), Signal::new(Unit::Ratio, "avg(x)", " "))
            .with_signal(name("cpu"), Signal::new(Unit::Ratio, "avg(x\u{0})", "y".repeat(5_000)).of_cluster())
            .with_signal(name("queue"), Signal::new(Unit::Count, "up", "timestamp(up{$labels})"))
            .with_pool_label("a-b")
            .with_matcher("cluster", "x")
            .with_matcher("cluster", "y")
            .with_matcher("9", "y")
            .with_bearer("s3cret\n")
            .with_basic("a:b", "s3cret\n")
            .with_ca_pem("s3cret")
            .with_identity_pem("s3cret", "s3cret")
            .with_limit(Span::from_secs(11));
        assert!(!format!("{said:?}").contains("s3cret"));
        let text = said.build().unwrap_err().to_string();
        let found: Vec<&str> = text.lines().map(|line| line.split(": ").next().unwrap()).collect();
        let expected = [
            "url",
            "url",
            "url",
            "url",
            "signals.cpu",
            "signals.cpu.value",
            "signals.cpu.measured",
            "signals.queue.value",
            "pool_label",
            "matchers[1]",
            "matchers[2]",
            "bearer",
            "basic.user",
            "login",
            "ca",
            "identity",
            "limit",
        ];
        assert_eq!(found, expected, "{text}");
        assert!(!text.contains("s3cret") && text.lines().all(|line| line.contains(": expected ")), "{text}");
    }

    #[test]
    fn addresses_and_schemes() {
        for (url, insecure, loopback, good) in [
            ("https://prometheus.example", false, false, true),
            ("https://prometheus.example:9090/prefix/", false, false, true),
            ("http://prometheus.example", false, false, false),
            ("http://prometheus.example", true, false, true),
            ("ftp://prometheus.example", true, false, false),
            ("prometheus.example:9090", true, false, false),
            ("", true, false, false),
            ("https://10.0.0.1", false, false, true),
            ("https://127.0.0.1", false, false, false),
            ("https://127.0.0.1", false, true, true),
            ("https://[::1]", false, false, false),
            ("https://[::1]", false, true, true),
            ("https://[fe80::1]", false, true, false),
            ("https://0x7f.1", false, false, false),
            ("https://2130706433", false, false, false),
            ("https://0.0.0.0", false, true, false),
            ("https://[::ffff:169.254.169.254]", false, true, false),
        ] {
            let mut said = Prometheus::builder(url).with_reference_signals();
            said.insecure = insecure;
            said.loopback = loopback;
            // Own authorities, so that it does not matter whom the machine trusts.
            let key = rcgen::KeyPair::generate().unwrap();
            let ca = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
            let built = said.with_ca_pem(ca.pem()).build();
            assert_eq!(built.is_ok(), good, "{url} {insecure} {loopback}: {built:?}");
        }
    }

    #[test]
    fn a_metric_is_a_signal_with_its_age() {
        let signal = Signal::metric(Unit::Count, "jobs", Series::Sum);
        assert_eq!((&*signal.value, &*signal.measured), ("jobs{$labels}", "min(timestamp(jobs{$labels}))"));
        let http = Prometheus::builder("http://p.example").insecure().with_signal(name("jobs"), signal);
        let built = http.build().unwrap();
        assert!(built.is_insecure());
        assert_eq!(
            built.signals().map(|(name, unit)| format!("{name} {unit:?}")).collect::<Vec<_>>(),
            ["jobs Count"]
        );
    }
}
