//! What a type of machine has, for those who have not said it.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::InstanceType;

use crate::bad::Bad;

/// Of the memory that EC2 states so much is not the system's to give: firmware and kernel keep it.
const HIDDEN_PERCENT: u64 = 8;
/// What a kubelet of k3s keeps back by default before it evicts pods.
const EVICTION: u64 = 100 << 20;
/// Of the CPUs: k3s itself, its agent and the container runtime.
const SYSTEM_MILLI: u64 = 70;

/// What pods can ask for on a machine of so many CPUs and MiB, cautiously: a node that has a little more is no harm, one that has
/// less would be bought for pods that do not fit.
pub fn allocatable(cpus: u64, mib: u64) -> (u64, u64) {
    let memory = mib.saturating_mul(1 << 20);
    let memory = memory.saturating_sub(memory.saturating_mul(HIDDEN_PERCENT) / 100).saturating_sub(EVICTION);
    (cpus.saturating_mul(1_000).saturating_sub(SYSTEM_MILLI), memory)
}

/// Asks EC2.
///
/// # Errors
/// There is no such type, or no answer; both name the variables that make the question needless.
pub(super) async fn look_up(client: &Client, name: &str) -> Result<(u64, u64), Bad> {
    let expected =
        "a type of EC2 that ec2:DescribeInstanceTypes knows, or WORKER_CPU_MILLI and WORKER_MEMORY_MIB";
    let asked = client.describe_instance_types().instance_types(InstanceType::from(name)).send().await;
    let answer = asked.map_err(|error| {
        let why = error.as_service_error().and_then(|error| error.meta().code()).unwrap_or("no answer");
        Bad::setting("WORKER_INSTANCE_TYPE", name, format!("{expected} ({why})"))
    })?;
    let found = answer
        .instance_types()
        .iter()
        .find(|found| found.instance_type().is_some_and(|t| t.as_str() == name));
    let cpus = found.and_then(|found| u64::try_from(found.v_cpu_info()?.default_v_cpus()?).ok());
    let mib = found.and_then(|found| u64::try_from(found.memory_info()?.size_in_mib()?).ok());
    match cpus.zip(mib) {
        Some((cpus, mib)) => Ok(allocatable(cpus, mib)),
        None => Err(Bad::setting("WORKER_INSTANCE_TYPE", name, expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_type_has() {
        let (cpu, memory) = allocatable(2, 8_192);
        assert_eq!(cpu, 1_930);
        // A k3s node on an m6i.large reports about 7.6 GiB.
        assert!((7 << 30..=7_600 << 20).contains(&memory), "{memory}");
        assert_eq!(allocatable(0, 0), (0, 0));
        assert_eq!(allocatable(u64::MAX, u64::MAX).0, u64::MAX - 70);
    }
}
