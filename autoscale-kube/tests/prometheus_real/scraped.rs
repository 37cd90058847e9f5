//! Staleness: a program that is scraped, and then is gone.

use std::time::{Duration, Instant};

use autoscale_core::data::view::Reading;
use autoscale_core::words::{Span, Unit};
use autoscale_kube::prometheus::{Prometheus, Series, Signal};

use super::real::{Folder, Programs, Real, Samples};
use super::server::{Reply, Server};
use super::{read, signal, value, why};

/// Asks until an answer is as expected. A server that scrapes has its own time; it is given a minute.
async fn until(source: &Prometheus, expected: impl Fn(&Reading) -> bool) -> Reading {
    let begun = Instant::now();
    loop {
        let reading = read(source, "web", "jobs").await;
        if expected(&reading) {
            return reading;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "still {reading:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn what_is_not_there_any_more_is_missing() {
    let Some(programs) = Programs::find() else { return };
    let text = "# TYPE jobs gauge\njobs{pool=\"web\"} 12\n";
    let exporter = Server::new(move |_| Reply::Whole(200, "text/plain", text.to_owned())).await;
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: x, static_configs: [{{targets: [\"{}\"]}}]}}]\n",
        exporter.at
    );
    let real = tokio::task::spawn_blocking(move || {
        Real::start(&programs, Folder::new(), &Samples::default(), &config, None)
    });
    let real = real.await.unwrap();
    let jobs = Signal::metric(Unit::Count, "jobs", Series::One);
    let source = Prometheus::builder(real.url()).insecure().with_loopback().with_signal(signal("jobs"), jobs);
    let source = source.build().unwrap();
    let first = until(&source, |reading| matches!(reading, Reading::Value { .. })).await;
    let (number, age) = value(&first);
    assert!(number == 12.0 && Span::from_secs(age) < Span::from_secs(30), "{first:?}");
    drop(exporter);
    let gone = until(&source, |reading| matches!(reading, Reading::Missing { .. })).await;
    assert_eq!(why(&gone), "missing: Prometheus: empty result");
}
