//! The dashboards' files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::prometheus::Prometheus;

/// A folder beside the template.
pub(crate) fn infrastructure(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("infrastructure").join(name)
}

/// What a panel asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Target {
    pub(crate) board: String,
    pub(crate) panel: String,
    pub(crate) legend: String,
    pub(crate) expression: String,
}

/// A dashboard.
pub(crate) struct Board {
    variables: Vec<Value>,
    pub(crate) targets: Vec<Target>,
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap_or_else(|| panic!("{of}: no text"))
}

impl Board {
    /// All that there are.
    pub(crate) fn all() -> Vec<Self> {
        let files = std::fs::read_dir(infrastructure("dashboards")).unwrap();
        let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let board: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let of_panel = |panel: &Value| {
            let target = |target: &Value| Target {
                board: name.clone(),
                panel: text(&panel["title"]).to_owned(),
                legend: text(&target["legendFormat"]).to_owned(),
                expression: text(&target["expr"]).to_owned(),
            };
            panel["targets"].as_array().unwrap().iter().map(target).collect::<Vec<_>>()
        };
        let targets = board["panels"].as_array().unwrap().iter().flat_map(of_panel).collect();
        Self { variables: board["templating"]["list"].as_array().unwrap().clone(), targets }
    }

    /// What its variables are, each found as Grafana finds it: by asking Prometheus, in their order.
    pub(crate) async fn variables(&self, prometheus: &Prometheus) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for variable in &self.variables {
            let value = match text(&variable["type"]) {
                "datasource" => continue,
                "query" => {
                    let query = filled(text(&variable["query"]["query"]), &found);
                    let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
                    let (selector, label) = inner.and_then(|inner| inner.rsplit_once(", ")).unwrap();
                    let values = prometheus.label_values(selector, label).await;
                    assert!(!values.is_empty(), "{query}: nothing to choose from");
                    // All that there are, where all may be chosen; else the first.
                    if variable["includeAll"] == true { values.join("|") } else { values[0].clone() }
                }
                _ => text(&variable["query"]).to_owned(),
            };
            found.push((text(&variable["name"]).to_owned(), value));
        }
        found
    }
}

/// An expression with values for its variables, the longest name first.
pub(crate) fn filled(expression: &str, variables: &[(String, String)]) -> String {
    let mut variables = variables.to_vec();
    variables.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    variables
        .iter()
        .fold(expression.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}
