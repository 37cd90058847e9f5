//! A real Prometheus that has a story, and its programs.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::history::{EVERY, History};
use crate::real::{Folder, Programs, Real, Samples};

/// It evaluates nothing by itself: what it has is of another time.
const CONFIG: &str = "global: {evaluation_interval: 1d}\n";

/// A series of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) labels: Value,
    /// Numbers; no gaps.
    pub(crate) values: Vec<f64>,
}

/// One that runs, with all of a story.
pub(crate) struct Prometheus {
    real: Real,
    client: reqwest::Client,
    /// From the first to the last scrape, in seconds.
    range: (f64, f64),
}

impl Prometheus {
    pub(crate) fn with(programs: &Programs, history: &History) -> Self {
        let folder = Folder::new();
        let file = folder.write("story", &history.open_metrics());
        let mut blocks = Command::new(&programs.promtool);
        blocks.args(["tsdb", "create-blocks-from", "openmetrics"]);
        blocks.args([file, folder.0.join("data")]);
        told(&mut blocks).unwrap();
        let real = Real::start(programs, folder, &Samples::default(), CONFIG, None);
        let seconds = |at: autoscale_core::words::Timestamp| at.as_millis() as f64 / 1_000.0;
        let range = (seconds(history.scrapes[0]), seconds(*history.scrapes.last().unwrap()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { real, client, range }
    }

    async fn ask(&self, path: &str, fields: &[(&str, String)]) -> Value {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        let request = self.client.get(format!("{}/api/v1/{path}?{}", self.real.url(), fields.join("&")));
        let answer = request.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], "success", "{path} {fields:?}: {answer}");
        answer["data"].clone()
    }

    fn span(&self) -> [(&'static str, String); 2] {
        [("start", self.range.0.to_string()), ("end", self.range.1.to_string())]
    }

    /// The values of a label, of series that a selector names.
    pub(crate) async fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let mut fields = vec![("match[]", selector.to_owned())];
        fields.extend(self.span());
        let found = self.ask(&format!("label/{label}/values"), &fields).await;
        found.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// What a panel draws of the whole story. What is no number is a gap.
    pub(crate) async fn draw(&self, expression: &str) -> Vec<Drawn> {
        let mut fields = vec![("query", expression.to_owned()), ("step", EVERY.as_secs().to_string())];
        fields.extend(self.span());
        let found = self.ask("query_range", &fields).await;
        let number = |point: &Value| point[1].as_str().unwrap().parse::<f64>().unwrap();
        let drawn = |series: &Value| {
            let values = series["values"].as_array().unwrap().iter().map(number);
            Drawn {
                labels: series["metric"].clone(),
                values: values.filter(|value| value.is_finite()).collect(),
            }
        };
        let all = found["result"].as_array().unwrap().iter().map(drawn);
        all.filter(|series| !series.values.is_empty()).collect()
    }
}

fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|b| if is_plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// What a program says, or why it failed.
pub(crate) fn told(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// The alerts' rules on a story, as `promtool` follows them: what each expression comes to at its end.
pub(crate) fn follow(
    programs: &Programs,
    rules: &std::path::Path,
    history: &History,
    expected: &[(String, Value)],
) -> Result<String, String> {
    let step = format!("{}s", EVERY.as_secs());
    let end = format!("{}s", EVERY.as_secs() * (history.scrapes.len() as u64 - 1));
    let series = history.notation().into_iter();
    let series: Vec<Value> =
        series.map(|(series, values)| serde_json::json!({ "series": series, "values": values })).collect();
    let expected: Vec<Value> = expected
        .iter()
        .map(|(expression, samples)| {
            serde_json::json!({ "expr": expression, "eval_time": end, "exp_samples": samples })
        })
        .collect();
    // JSON is YAML.
    let test = serde_json::json!({
        "rule_files": [rules],
        "evaluation_interval": step,
        "tests": [{"interval": step, "input_series": series, "promql_expr_test": expected}],
    });
    let folder = Folder::new();
    let file: PathBuf = folder.write("test.json", &test.to_string());
    told(Command::new(&programs.promtool).args(["test", "rules"]).arg(file))
}
