//! Machine types, and the policy that buys them: a pool for each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use autoscale_core::data::policy::{Policy, PoolBuilder, PoolPolicy, Purchase, Shape, When};
use autoscale_core::words::{Fixed, PoolName, Resources, ShapeName, Span, truncated};

use crate::bad::Bad;
use crate::table::{self, Reasons};

/// Thousandths of a GPU, as an extended resource. Whoever asks for several whole ones asks for their sum: that devices are
/// shared is taken to mean that they can be divided at will.
pub(crate) const GPU: &str = "gpu-milli";

/// The label that names the model of a node's GPUs.
pub(crate) const MODEL: &str = "gpu-model";

/// The first line of a list of machine types.
const TYPES: &str = "name,cpu_milli,memory_mib,pods,gpu,model,price";

/// The first line of a list of machines, of which the distinct ones are taken.
const MACHINES: &str = "sn,cpu_milli,memory_mib,gpu,model";

/// Pods on a node, where the file does not say.
const PODS: u64 = 110;

/// Most nodes of a machine type.
const MOST_NODES: u32 = 1_000;

/// From the start of one tick to the start of the next.
const INTERVAL: Span = Span::from_mins(5);

/// Reads a file.
///
/// # Errors
/// Every row that is no machine type, with its line.
pub(crate) fn read(path: &Path) -> Result<Vec<Shape>, Bad> {
    table::read(path, parse)
}

/// Reads the content of a file.
fn parse(bytes: &[u8]) -> Result<Vec<Shape>, Reasons> {
    let (which, lines) = table::lines(bytes, &[TYPES, MACHINES])?;
    let (mut shapes, mut bad) = (BTreeMap::new(), Vec::new());
    let mut pools: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in lines {
        let read = if which == 0 { machine_type(line) } else { machine(line) };
        match read {
            Ok(shape) if which == 1 && shapes.contains_key(&shape.name) => {}
            Ok(shape) => match pools.insert(pool_name(&shape.name), number) {
                None => drop(shapes.insert(shape.name.clone(), shape)),
                Some(first) => bad.push((Some(number), format!("duplicate: the pool of line {first} again"))),
            },
            Err(reason) => bad.push((Some(number), reason)),
        }
    }
    match bad.is_empty() {
        true if shapes.is_empty() => Err(vec![(None, "no machine types".to_owned())]),
        true => Ok(shapes.into_values().collect()),
        false => Err(bad),
    }
}

fn machine_type(line: &str) -> Result<Shape, String> {
    let [name, cpu, memory, pods, gpus, model, price] = table::values(line)?;
    let name = ShapeName::new(name).map_err(|error| error.to_string())?;
    let pods = if pods.is_empty() { PODS } else { table::whole("pods", pods)? };
    let shape = sized(name, [cpu, memory, gpus], pods, model)?;
    if price.is_empty() {
        return Ok(shape);
    }
    let bad = || format!("price \"{}\" is not a number of at least 0", truncated(price, 40));
    let price = price.parse().ok().and_then(|price| Fixed::from_f64(price).ok());
    Ok(shape.with_price(price.filter(|price| *price >= Fixed::ZERO).ok_or_else(bad)?))
}

fn machine(line: &str) -> Result<Shape, String> {
    let [_serial, cpu, memory, gpus, model] = table::values(line)?;
    // Whole cores and GiB where they are.
    let size = |text: &str, unit: u64, part: &str| match text.parse::<u64>() {
        Ok(number) if number.is_multiple_of(unit) => (number / unit).to_string(),
        _ => format!("{text}{part}"),
    };
    let mut name = format!("c{}-m{}", size(cpu, 1_000, "milli"), size(memory, 1_024, "mib"));
    if !matches!(gpus, "" | "0") {
        name += &format!("-g{gpus}-{model}");
    }
    let name = ShapeName::new(name.trim_end_matches('-')).map_err(|error| error.to_string())?;
    sized(name, [cpu, memory, gpus], PODS, model)
}

fn sized(name: ShapeName, [cpu, memory, gpus]: [&str; 3], pods: u64, model: &str) -> Result<Shape, String> {
    let (cpu, memory) = (table::whole("cpu_milli", cpu)?, table::whole("memory_mib", memory)?);
    let gpus = if gpus.is_empty() { 0 } else { table::whole("gpu", gpus)? };
    let memory = memory.checked_mul(1 << 20).ok_or("memory_mib is too large")?;
    let pods = u32::try_from(pods).map_err(|_| "pods is too large")?;
    if cpu == 0 || memory == 0 || pods == 0 {
        return Err("a machine without CPU, memory or room for a pod".to_owned());
    }
    let mut shape = Shape::new(name, Resources::new(cpu, memory, pods));
    if gpus > 0 {
        shape = shape.with_extended(GPU, gpus.checked_mul(1_000).ok_or("gpu is too large")?);
        if !model.is_empty() {
            shape = shape.with_label(MODEL, model);
        }
    }
    Ok(shape)
}

/// The name of a shape in the letters of a pool's name.
fn pool_name(shape: &ShapeName) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = shape.as_str().chars().map(letter).collect();
    name.trim_matches('-').to_owned()
}

/// A policy with a pool for each shape, which grow for pending pods and shrink when half empty.
///
/// # Errors
/// Shapes that no policy can have, in words.
pub(crate) fn policy(shapes: &[Shape]) -> Result<Arc<Policy>, String> {
    let mut policy = Policy::builder("sim").with_interval(INTERVAL);
    for shape in shapes {
        let name = pool_name(&shape.name);
        PoolName::new(&name).map_err(|error| format!("shape {}: {error}", shape.name))?;
        policy = policy.with_pool(pool(&name, shape));
    }
    policy.build().map(Arc::new).map_err(|errors| errors.to_string())
}

fn pool(name: &str, shape: &Shape) -> PoolBuilder {
    PoolPolicy::builder(name)
        .with_min(0)
        .with_max(MOST_NODES)
        .with_zones(["zone-a", "zone-b", "zone-c"])
        .with_shapes([shape.clone()])
        .with_purchases([Purchase::OnDemand])
        .without_up()
        .with_down(When::below("cpu", "50%").lasting(Span::from_mins(15)))
        .with_pending(Span::from_secs(60))
        .with_step_down(10)
        .with_max_batch(100)
        .with_cooldown_up(Span::from_secs(60))
        .with_cooldown_down(INTERVAL)
}

#[cfg(test)]
mod tests;
