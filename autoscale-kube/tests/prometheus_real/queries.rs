//! Queries on samples that are there from the beginning.

use autoscale_core::words::{Fixed, Span, Timestamp, Unit};
use autoscale_kube::prometheus::{Prometheus, PrometheusBuilder, Series, Signal};

use super::real::{Folder, Programs, Real, Samples, now};
use super::{query, read, signal, value, why};

/// Samples up to five minutes from now, so that there is one of every moment of the test.
fn samples(now: u64) -> Samples {
    let mut samples = Samples::default();
    let lasting = (now - 1_200, now + 300);
    let cpus = [
        r#"mode="idle",instance="w1",pool="web",cluster="busy""#,
        r#"mode="idle",instance="w2",pool="web",cluster="busy""#,
        r#"mode="idle",instance="d1",pool="db",cluster="busy""#,
        r#"mode="user",instance="w1",pool="web",cluster="busy""#,
        r#"mode="user",instance="w2",pool="web",cluster="busy""#,
        r#"mode="user",instance="d1",pool="db",cluster="busy""#,
    ];
    // Idle for a quarter and for 35 % of the time in one pool, for 90 % in the other, for a half in a young one.
    let seconds = |labels: &str, since: u64| {
        let idle = match labels {
            _ if labels.contains("w1") => 0.25,
            _ if labels.contains("w2") => 0.35,
            _ if labels.contains("y1") => 0.5,
            _ => 0.9,
        };
        (if labels.contains("user") { 1.0 - idle } else { idle }) * since as f64
    };
    let cpu = "node_cpu_seconds_total";
    samples.add(cpu, &cpus, lasting, |labels, at| seconds(labels, at + 10_000 - now));
    let young = [
        r#"mode="idle",instance="y1",pool="young",cluster="busy""#,
        r#"mode="user",instance="y1",pool="young",cluster="busy""#,
    ];
    samples.more(cpu, &young, (now - 60, now + 300), |labels, at| seconds(labels, at + 60 - now));
    let machines =
        [r#"instance="w1",pool="web",cluster="busy""#, r#"instance="w2",pool="web",cluster="busy""#];
    let earlier = (now - 1_200, now - 240);
    samples.add("node_memory_MemTotal_bytes", &machines, earlier, |_, _| 4e9);
    samples.add("node_memory_MemAvailable_bytes", &machines, earlier, |labels, _| {
        if labels.contains("w1") { 1e9 } else { 2e9 }
    });
    let phases = [
        r#"phase="Pending",pod="a",cluster="busy""#,
        r#"phase="Running",pod="a",cluster="busy""#,
        r#"phase="Running",pod="b",cluster="calm""#,
    ];
    samples.add("kube_pod_status_phase", &phases, lasting, |_, _| 1.0);
    let waiting = [r#"pod="a",cluster="busy""#, r#"pod="c",cluster="busy""#];
    samples.add("kube_pod_status_unschedulable", &waiting, lasting, |_, _| 1.0);
    samples.add("nothing", &[r#"pool="web""#], lasting, |_, _| f64::NAN);
    samples.add("jobs", &[r#"queue="a",pool="web""#, r#"queue="b",pool="web""#], lasting, |labels, _| {
        if labels.contains(r#""a""#) { 3.0 } else { 4.0 }
    });
    samples.add("ended", &[r#"pool="web""#], (now - 3_600, now - 900), |_, _| 1.0);
    // Ten more every ten seconds, since an hour ago.
    samples.add("steps", &[r#"pool="web""#], (now - 3_600, now - 600), |_, at| (at - (now - 3_600)) as f64);
    samples
}

fn builder(real: &Real) -> PrometheusBuilder {
    Prometheus::builder(real.url()).insecure().with_loopback()
}

fn count(text: &str) -> Signal {
    Signal::new(Unit::Count, text, "min(timestamp(jobs{$labels}))")
}

#[tokio::test]
async fn the_reference_set_and_odd_answers() {
    let Some(programs) = Programs::find() else { return };
    let now = now();
    let real = Real::start(&programs, Folder::new(), &samples(now), "", None);

    let source = builder(&real).with_reference_signals().with_matcher("cluster", "busy").build().unwrap();
    let (cpu, age) = value(&read(&source, "web", "cpu").await);
    assert!((cpu - 0.7).abs() < 1e-6 && age <= 20, "{cpu} {age}");
    let (cpu, _) = value(&read(&source, "db", "cpu").await);
    assert!((cpu - 0.1).abs() < 1e-6, "{cpu}");
    let (cpu, _) = value(&read(&source, "young", "cpu").await);
    assert!((cpu - 0.5).abs() < 1e-6, "a machine that has just come is not busy for that: {cpu}");
    assert_eq!(why(&read(&source, "other", "cpu").await), "missing: Prometheus: empty result");
    let (memory, age) = value(&read(&source, "web", "memory").await);
    assert!((memory - 0.625).abs() < 1e-6 && (240..=300).contains(&age), "{memory} {age}");
    assert_eq!(value(&read(&source, "web", "unschedulable_pods").await).0, 2.0);

    let calm = builder(&real).with_reference_signals().with_matcher("cluster", "calm").build().unwrap();
    assert_eq!(value(&read(&calm, "web", "unschedulable_pods").await).0, 0.0, "none waits");
    for nowhere in ["none", r#"x"} or vector(1) or up{a="#, "\\", "new\nline", "\u{7f}"] {
        let source =
            builder(&real).with_reference_signals().with_matcher("cluster", nowhere).build().unwrap();
        let text = why(&read(&source, "web", "unschedulable_pods").await);
        assert_eq!(text, "missing: Prometheus: empty result", "{nowhere}");
    }

    let metric = |name: &str| Signal::metric(Unit::Count, name, Series::One);
    let source = builder(&real)
        .with_signal(signal("nan"), metric("nothing"))
        .with_signal(signal("several"), metric("jobs"))
        .with_signal(signal("sum"), metric("jobs").with_series(Series::Sum))
        .with_signal(signal("ended"), metric("ended"))
        .with_signal(signal("infinite"), count("sum(jobs{$labels}) / 0"))
        .with_signal(signal("scalar"), count("scalar(sum(jobs{$labels}))"))
        .with_signal(signal("wrong"), count("sum(jobs{$labels}"))
        .with_signal(signal("matrix"), count("jobs{$labels}[5m]"))
        .with_signal(signal("text"), count(r#""some text""#).of_cluster())
        .with_signal(signal("clash"), count("jobs{$labels} * on(pool) jobs{$labels}"))
        .build()
        .unwrap();
    for (name, expected) in [
        ("nan", "missing: Prometheus: not a number"),
        ("several", "missing: Prometheus: 2 series where one is expected"),
        ("ended", "missing: Prometheus: empty result"),
        ("infinite", "missing: Prometheus: infinite"),
        ("wrong", "failed: Prometheus: the query is not valid (400): bad_data: "),
        ("matrix", "failed: Prometheus: the query gives a matrix"),
        ("text", "failed: Prometheus: the query gives a string"),
        ("clash", "failed: Prometheus: the query could not be evaluated (422): execution: "),
    ] {
        let text = why(&read(&source, "web", name).await);
        assert!(text.starts_with(expected), "{name}: {text}");
    }
    assert_eq!(value(&read(&source, "web", "sum").await).0, 7.0);
    assert_eq!(value(&read(&source, "web", "scalar").await).0, 7.0);
}

#[tokio::test]
async fn a_history_is_what_was_there_and_then_nothing() {
    let Some(programs) = Programs::find() else { return };
    let now = now();
    let real = Real::start(&programs, Folder::new(), &samples(now), "", None);
    let source =
        builder(&real).with_signal(signal("steps"), Signal::metric(Unit::Count, "steps", Series::One));
    let source = source.build().unwrap();
    let begin = Timestamp::from_millis((now as i64 - 3_600) * 1_000);
    let second = Span::from_secs(1);

    // More points than one request may ask for: before, during and after what is there.
    let from = begin.before(Span::from_secs(9_000));
    let past = source
        .history(&query("web", "steps"), from, begin.after(Span::from_secs(3_500)), second)
        .await
        .unwrap();
    assert_eq!(past.len(), 12_501);
    for (index, past) in past.iter().enumerate() {
        assert_eq!(past.at, from.after(second.times(index as u64)));
        let since = index as i64 - 9_000;
        // The last sample, for five minutes at most.
        let expected = match since {
            ..0 => None,
            0..=3_000 => Some(since / 10 * 10),
            3_001..3_300 => Some(3_000),
            3_300 => continue,
            _ => None,
        };
        assert_eq!(past.value, expected.map(Fixed::from_int), "{since}");
    }
    let error = source.history(&query("web", "other"), from, begin, second).await.unwrap_err();
    assert!(error.to_string().contains("no query is set for it"), "{error}");
}
