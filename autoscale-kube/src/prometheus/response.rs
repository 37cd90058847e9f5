//! Answers of Prometheus, read: pure.

use autoscale_core::words::{Timestamp, truncated};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::Trouble;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) content_type: String,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// A number and when it was evaluated.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) value: f64,
}

#[derive(Debug, Deserialize)]
struct Envelope<T> {
    status: String,
    #[serde(default = "Option::default")]
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// `data`; its result is read when its type is known.
#[derive(Debug, Deserialize)]
struct Data<'b> {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(borrow)]
    result: &'b serde_json::value::RawValue,
}

#[derive(Debug, Deserialize)]
struct InstantSeries {
    #[serde(default)]
    value: Option<RawPoint>,
    #[serde(default)]
    histogram: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct RangeSeries {
    #[serde(default)]
    values: Option<Vec<RawPoint>>,
    #[serde(default)]
    histograms: Option<IgnoredAny>,
}

/// `[1700000000.042, "0.7"]`.
#[derive(Debug, Deserialize)]
struct RawPoint(f64, String);

impl RawPoint {
    fn read(&self) -> Result<Point, Trouble> {
        let Self(seconds, text) = self;
        let odd = || Trouble::Malformed(format!("the value {}", truncated(&format!("{seconds} {text}"), 80)));
        let millis = (seconds * 1_000.0).round();
        if !millis.is_finite() || millis.abs() > 9e15 {
            return Err(odd());
        }
        // Only what Prometheus writes: Rust reads more than that as a number.
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        let value = match text.as_str() {
            "NaN" => f64::NAN,
            "+Inf" | "Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            text if plain => text.parse().map_err(|_| odd())?,
            _ => return Err(odd()),
        };
        Ok(Point { at: Timestamp::from_millis(millis as i64), value })
    }
}

impl Answer {
    /// What it says was wrong, in the words of the server.
    fn refusal(&self) -> Option<Trouble> {
        let code = self.code;
        if (200..300).contains(&code) {
            return None;
        }
        let said = serde_json::from_slice::<Envelope<IgnoredAny>>(&self.body).ok();
        let text = said.and_then(|said| Some(format!("{}: {}", said.error_type?, said.error?)));
        let text = text.map_or_else(
            || format!("without a reason, as {}", self.shown_type()),
            |text| truncated(&text, 200),
        );
        Some(match code {
            300..400 => Trouble::Redirected(code),
            401 | 403 => Trouble::Unauthorized(code),
            429 => Trouble::TooMany(self.retry_after.map(autoscale_core::words::Span::from_secs)),
            400 | 404 | 405 | 413 | 414 => Trouble::BadQuery { code, text },
            422 => Trouble::NotEvaluated { code, text },
            _ => Trouble::Ill { code, text },
        })
    }

    fn shown_type(&self) -> String {
        if self.content_type.is_empty() {
            "something unnamed".to_owned()
        } else {
            truncated(&self.content_type, 80)
        }
    }

    /// The type of the result and the result.
    fn result(&self) -> Result<(String, &str), Trouble> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let json = self.content_type.split(';').next().unwrap_or_default().trim();
        if !json.eq_ignore_ascii_case("application/json") {
            return Err(Trouble::NotJson(self.shown_type()));
        }
        let envelope: Envelope<Data<'_>> = serde_json::from_slice(&self.body).map_err(malformed)?;
        if envelope.status != "success" {
            let text = format!(
                "{}: {}",
                envelope.error_type.unwrap_or_default(),
                envelope.error.unwrap_or_default()
            );
            return Err(Trouble::Ill { code: self.code, text: truncated(&text, 200) });
        }
        if let Some(first) = envelope.warnings.unwrap_or_default().first() {
            return Err(Trouble::Warned(truncated(first, 200)));
        }
        let data = envelope.data.ok_or_else(|| Trouble::Malformed("there is no data".to_owned()))?;
        Ok((data.kind, data.result.get()))
    }

    /// The answer to an instant query: one number for each series.
    pub(super) fn instant(&self) -> Result<Vec<Point>, Trouble> {
        let (kind, result) = self.result()?;
        match kind.as_str() {
            "scalar" => Ok(vec![serde_json::from_str::<RawPoint>(result).map_err(malformed)?.read()?]),
            "vector" => {
                let series: Vec<InstantSeries> = serde_json::from_str(result).map_err(malformed)?;
                let point = |series: InstantSeries| match series {
                    InstantSeries { histogram: Some(_), .. } => Err(Trouble::Histogram),
                    InstantSeries { value: Some(point), .. } => point.read(),
                    InstantSeries { value: None, .. } => {
                        Err(Trouble::Malformed("a series without a value".to_owned()))
                    }
                };
                series.into_iter().map(point).collect()
            }
            other => Err(Trouble::Shape(truncated(other, 40))),
        }
    }

    /// The answer to a range query: the numbers of each series.
    pub(super) fn range(&self) -> Result<Vec<Vec<Point>>, Trouble> {
        let (kind, result) = self.result()?;
        if kind != "matrix" {
            return Err(Trouble::Shape(truncated(&kind, 40)));
        }
        let series: Vec<RangeSeries> = serde_json::from_str(result).map_err(malformed)?;
        let points = |series: RangeSeries| match series {
            RangeSeries { histograms: Some(_), .. } => Err(Trouble::Histogram),
            RangeSeries { values, .. } => values.unwrap_or_default().iter().map(RawPoint::read).collect(),
        };
        series.into_iter().map(points).collect()
    }
}

fn malformed(error: serde_json::Error) -> Trouble {
    Trouble::Malformed(truncated(&error.to_string(), 200))
}

#[cfg(test)]
mod tests;
