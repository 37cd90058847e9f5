//! A list of pods: what each asks for, and when it lives.

use std::collections::BTreeMap;
use std::path::Path;

use autoscale_core::data::policy::Shape;
use autoscale_core::data::view::{Constraints, Operator, Requirement};
use autoscale_core::sim::PodSpan;
use autoscale_core::words::{Extended, Resources, Span, truncated};

use crate::bad::Bad;
use crate::shapes::{GPU, MODEL};
use crate::table::{self, Reasons};

/// The first line of every list.
const HEADER: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,\
    scheduled_time";

/// A longer life is a slip of the hand, and would not be counted in milliseconds.
const LONGEST_SECS: u64 = 1 << 40;

/// Pods, and how long it takes until all have come and gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PodList {
    pub(crate) pods: Vec<PodSpan>,
    pub(crate) length: Span,
}

/// A row, its times in seconds.
struct Row {
    pod: PodSpan,
    created: u64,
    deleted: Option<u64>,
}

impl PodList {
    /// Reads a file.
    ///
    /// # Errors
    /// Every row that is no pod, with its line.
    pub(crate) fn read(path: &Path) -> Result<Self, Bad> {
        table::read(path, Self::parse)
    }

    /// Reads the content of a file. The run begins with the first pod.
    fn parse(bytes: &[u8]) -> Result<Self, Reasons> {
        let (_, lines) = table::lines(bytes, &[HEADER])?;
        let (mut rows, mut bad, mut names) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (number, line) in lines {
            match row(line) {
                Ok(row) => match names.insert(row.pod.name.clone(), number) {
                    None => rows.push(row),
                    Some(first) => {
                        bad.push((Some(number), format!("duplicate: the name of line {first} again")))
                    }
                },
                Err(reason) => bad.push((Some(number), reason)),
            }
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        let start = rows.iter().map(|row| row.created).min().ok_or(vec![(None, "no pods".to_owned())])?;
        let last = rows.iter().map(|row| row.deleted.unwrap_or(row.created)).max().unwrap_or(start);
        let since = |secs: u64| Span::from_secs(secs.saturating_sub(start));
        let pods = rows.into_iter().map(|Row { mut pod, created, deleted }| {
            (pod.created, pod.deleted) = (since(created), deleted.map(since));
            pod
        });
        Ok(Self { pods: pods.collect(), length: since(last).max(Span::from_secs(1)) })
    }

    /// The names of the pods that no empty node of any shape could hold beside what its DaemonSets take.
    pub(crate) fn unseatable(&self, shapes: &[Shape], daemon: &Resources) -> Vec<String> {
        let holds = |shape: &Shape, pod: &PodSpan| {
            pod.requests.plus(daemon).fits(&shape.allocatable)
                && pod.extended.fits(&shape.extended)
                && pod.constraints.selects(|label| shape.labels.get(label).map(String::as_str))
        };
        let lost = |pod: &&PodSpan| !shapes.iter().any(|shape| holds(shape, pod));
        self.pods.iter().filter(lost).map(|pod| truncated(&pod.name, 80)).collect()
    }
}

fn row(line: &str) -> Result<Row, String> {
    let [name, cpu, memory, gpus, each, models, _qos, _phase, created, deleted, _scheduled] =
        table::values(line)?;
    if name.is_empty() {
        return Err("name missing".to_owned());
    }
    let (cpu, memory) = (table::whole("cpu_milli", cpu)?, table::whole("memory_mib", memory)?);
    let gpus = if gpus.is_empty() { 0 } else { table::whole("num_gpu", gpus)? };
    let each = if gpus == 0 { 0 } else { table::whole("gpu_milli", each)? };
    let memory = memory.checked_mul(1 << 20).ok_or("memory_mib is too large")?;
    let gpu_milli = gpus.checked_mul(each).ok_or("num_gpu times gpu_milli is too large")?;
    let created = secs("creation_time", created)?;
    let deleted = if deleted.is_empty() { None } else { Some(secs("deletion_time", deleted)?) };
    if deleted.is_some_and(|deleted| deleted < created) {
        return Err("deletion_time before creation_time".to_owned());
    }
    let mut pod = PodSpan::new(name, cpu, memory, Span::ZERO);
    pod.extended = Extended::none().with(GPU, gpu_milli);
    pod.constraints = wanted(models)?;
    Ok(Row { pod, created, deleted })
}

/// `V100M16|V100M32`: one of these models.
fn wanted(models: &str) -> Result<Constraints, String> {
    let mut constraints = Constraints::default();
    if models.split('|').any(str::is_empty) && !models.is_empty() {
        return Err(format!("gpu_spec \"{}\" has an empty model", truncated(models, 40)));
    }
    if !models.is_empty() {
        constraints.affinity = vec![vec![Requirement::new(MODEL, Operator::In, models.split('|'))]];
    }
    Ok(constraints)
}

fn secs(name: &str, text: &str) -> Result<u64, String> {
    match table::whole(name, text)? {
        secs if secs > LONGEST_SECS => Err(format!("{name} {secs} is too large")),
        secs => Ok(secs),
    }
}

#[cfg(test)]
mod tests;
