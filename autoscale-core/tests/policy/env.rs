//! Settings from environment variables, by the names of the reference system.

use autoscale_core::data::policy::{Policy, PoolBuilder, When};
use autoscale_core::words::{Ratio, Span};

use super::web;

fn build(pool: PoolBuilder) -> Result<Policy, String> {
    Policy::builder("shop").with_pool(pool).build().map_err(|errors| errors.to_string())
}

fn with_env(pool: PoolBuilder, variables: &[(&str, &str)]) -> PoolBuilder {
    pool.with_env(&|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn each_variable_is_a_setting() {
    let span = Span::from_secs(1234);
    let below = |percent| When::below("cpu", Ratio::percent(percent));
    for (name, value, pool) in [
        ("CPU_UP", "65", web().with_up(When::above("cpu", "65%"))),
        ("CPU_UP", "72.5", web().with_up(When::above("cpu", 0.725))),
        ("CPU_UP", "100", web().with_up(When::above("cpu", 1))),
        ("CPU_DOWN", "25", web().with_down(below(25))),
        ("PENDING_UP_SEC", "1234", web().with_pending(span)),
        ("PENDING_UP_SEC", "0", web().with_pending(Span::ZERO)),
        ("IDLE_DOWN_SEC", "1234", web().with_down(below(30).lasting(span))),
        ("MIN_WORKERS", "0", web().with_min(0)),
        ("MAX_WORKERS", "12", web().with_max(12)),
        ("COOLDOWN_UP_SEC", "1234", web().with_cooldown_up(span)),
        ("COOLDOWN_DOWN_SEC", "1234", web().with_cooldown_down(span)),
        ("JOIN_TIMEOUT_SEC", "1234", web().with_join_timeout(span)),
        ("DRAIN_TIMEOUT_SEC", "1234", web().with_drain_timeout(span)),
        ("MAX_BATCH_UP", "3", web().with_max_batch(3)),
        ("PODS_PER_NODE", "20", web().with_pods_per_node(20)),
        ("MIN_NODES", "nobody looks", web()),
    ] {
        assert_eq!(build(with_env(web(), &[(name, value)])), build(pool), "{name}={value}");
    }
}

/// Without any variable nothing is set; with all of them at the values of the reference system it is the same policy.
#[test]
fn the_defaults_are_those_of_the_reference_system() {
    let reference = [
        ("CPU_UP", "70"),
        ("CPU_DOWN", "30"),
        ("PENDING_UP_SEC", "180"),
        ("IDLE_DOWN_SEC", "600"),
        ("MIN_WORKERS", "2"),
        ("MAX_WORKERS", "10"),
        ("COOLDOWN_UP_SEC", "300"),
        ("COOLDOWN_DOWN_SEC", "600"),
        ("JOIN_TIMEOUT_SEC", "600"),
    ];
    assert_eq!(build(with_env(web(), &reference)), build(web()));
    assert_eq!(build(with_env(web(), &[])), build(web()));
    // A drain takes as long as in the reference system where the tick is as short as that needs.
    let quick =
        |pool| Policy::builder("shop").with_interval(Span::from_secs(100)).with_pool(pool).build().unwrap();
    assert_eq!(quick(with_env(web(), &[("DRAIN_TIMEOUT_SEC", "300")])), quick(web()));
}

#[test]
fn what_was_set_gives_way_and_the_rest_stays() {
    let memory = || When::above("memory", "80%");
    let given = web()
        .with_min(1)
        .with_up(memory())
        .with_up(When::above("cpu", "90%").lasting(Span::from_mins(1)))
        .with_down(When::below("cpu", "20%"));
    let given = with_env(given, &[("CPU_UP", "60"), ("IDLE_DOWN_SEC", "900"), ("MIN_WORKERS", "3")]);
    let expected = web()
        .with_min(3)
        .with_up(memory())
        .with_up(When::above("cpu", "60%").lasting(Span::from_mins(1)))
        .with_down(When::below("cpu", "20%").lasting(Span::from_secs(900)));
    assert_eq!(build(given), build(expected));
    let added = with_env(web().with_up(memory()).without_down(), &[("CPU_UP", "60"), ("CPU_DOWN", "10")]);
    let expected =
        web().with_up(memory()).with_up(When::above("cpu", "60%")).with_down(When::below("cpu", "10%"));
    assert_eq!(build(added), build(expected));
    // Both rows of one rule, whichever comes first, and a setter after the variables.
    let both = with_env(web(), &[("CPU_DOWN", "10"), ("IDLE_DOWN_SEC", "900")]);
    let expected = web().with_down(When::below("cpu", "10%").lasting(Span::from_secs(900)));
    assert_eq!(build(both), build(expected));
    assert_eq!(build(with_env(web(), &[("MIN_WORKERS", "1")]).with_min(4)), build(web().with_min(4)));
}

#[test]
fn each_error_names_its_variable() {
    let percent = "a percentage from 1 to 100, like 70";
    let seconds = "a whole number of seconds, like 300";
    for (variables, expected) in [
        (&[("CPU_UP", "0.7")][..], format!("CPU_UP: \"0.7\": expected {percent}")),
        (&[("CPU_UP", "70%")], format!("CPU_UP: \"70%\": expected {percent}")),
        (&[("CPU_UP", "101")], format!("CPU_UP: \"101\": expected {percent}")),
        (&[("CPU_UP", "")], format!("CPU_UP: \"\": expected {percent}")),
        (&[("CPU_DOWN", "-1")], format!("CPU_DOWN: \"-1\": expected {percent}")),
        (&[("CPU_DOWN", "70")], "CPU_DOWN: \"70\": expected less than 70%, above which the default of up grows the pool".to_owned()),
        (&[("CPU_UP", "20")], "pools.web.down: 30% (default): expected less than 20%, above which up[0] grows the pool".to_owned()),
        (&[("PENDING_UP_SEC", "3m")], format!("PENDING_UP_SEC: \"3m\": expected {seconds}")),
        (&[("PENDING_UP_SEC", "604801")], "PENDING_UP_SEC: \"604801\": expected at most 7d".to_owned()),
        (&[("IDLE_DOWN_SEC", "+600")], format!("IDLE_DOWN_SEC: \"+600\": expected {seconds}")),
        (&[("IDLE_DOWN_SEC", "359")], "IDLE_DOWN_SEC: \"359\": expected at least 6m, three times tick.interval: a down-rule must be seen at least three times".to_owned()),
        (&[("MIN_WORKERS", "two")], "MIN_WORKERS: \"two\": expected a whole number from 0 to 10000".to_owned()),
        (&[("MIN_WORKERS", "12")], "MIN_WORKERS: \"12\": expected at most max, which is 10".to_owned()),
        (&[("MAX_WORKERS", "1")], "pools.web.min: 2 (default): expected at most max, which is 1".to_owned()),
        (&[("MAX_WORKERS", " 12")], "MAX_WORKERS: \" 12\": expected a whole number from 1 to 10000".to_owned()),
        (&[("MAX_BATCH_UP", "101")], "MAX_BATCH_UP: \"101\": expected a whole number from 1 to 100".to_owned()),
        (&[("PODS_PER_NODE", "0")], "PODS_PER_NODE: \"0\": expected a whole number from 1 to 10000".to_owned()),
        (&[("COOLDOWN_UP_SEC", "99999999999999999999")], format!("COOLDOWN_UP_SEC: \"99999999999999999999\": expected {seconds}")),
        (&[("COOLDOWN_DOWN_SEC", "1.5")], format!("COOLDOWN_DOWN_SEC: \"1.5\": expected {seconds}")),
        (&[("JOIN_TIMEOUT_SEC", "60")], "JOIN_TIMEOUT_SEC: \"60\": expected at least 2m, which is tick.interval".to_owned()),
        (&[("DRAIN_TIMEOUT_SEC", "300")], "DRAIN_TIMEOUT_SEC: \"300\": expected at least 6m, three times tick.interval".to_owned()),
        (
            &[("MIN_WORKERS", "x\n"), ("CPU_UP", "x"), ("JOIN_TIMEOUT_SEC", "x")],
            format!(
                "CPU_UP: \"x\": expected {percent}\nJOIN_TIMEOUT_SEC: \"x\": expected {seconds}\n\
                 MIN_WORKERS: \"x\\u{{a}}\": expected a whole number from 0 to 10000"
            ),
        ),
    ] {
        assert_eq!(build(with_env(web(), variables)).unwrap_err(), expected);
    }
    // Beside what is wrong without any variable.
    let errors = build(with_env(web().with_max(0), &[("CPU_UP", "x")])).unwrap_err();
    assert_eq!(errors.lines().count(), 2, "{errors}");
}
