//! What EC2's refusals mean.

use autoscale_core::data::order::{LaunchOrder, TerminateOrder};
use autoscale_core::ports::{Error, ErrorKind};

use crate::failure::Failure;

/// The zone, the machine type or the spot market has none left, or a quota is used up. EC2 says the first two under an HTTP 500 too.
const NO_CAPACITY: [&str; 17] = [
    "InstanceLimitExceeded",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientCapacityOnOutpost",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientVolumeCapacity",
    "MaxSpotInstanceCountExceeded",
    "NetworkInterfaceLimitExceeded",
    "ReservationCapacityExceeded",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "UnfulfillableCapacity",
    "VcpuLimitExceeded",
    "VolumeLimitExceeded",
];

/// The account is not ready, or has been stopped: nothing was done, and a person has to act.
const ACCOUNT: [&str; 3] = ["Blocked", "PendingVerification", "OperationNotPermitted"];

/// A failure of EC2 itself under whose code it may still have gone on.
const ITS_OWN: [&str; 4] = ["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"];

/// What a code of EC2 says for certain, beside what all services say.
fn certain(failure: &Failure, action: &str) -> Option<ErrorKind> {
    match failure.code.as_deref() {
        Some(code) if ITS_OWN.contains(&code) => None,
        Some(code) if ACCOUNT.contains(&code) => Some(ErrorKind::Denied { action: code.to_owned() }),
        _ => failure.certain(action),
    }
}

/// Why a launch did not give an instance.
pub(super) fn launch(failure: Failure, order: &LaunchOrder) -> Error {
    let attempted = format!("launch {} for pool {}", order.offering, order.pool);
    let kind = match failure.code.as_deref() {
        Some(code) if NO_CAPACITY.contains(&code) => {
            Some(ErrorKind::NoCapacity { offering: order.offering.clone() })
        }
        Some("IdempotentParameterMismatch") => Some(ErrorKind::TokenMismatch),
        Some("IdempotentInstanceTerminated") => Some(ErrorKind::TokenSpent),
        _ => certain(&failure, "ec2:RunInstances"),
    };
    Error::new(kind.unwrap_or(ErrorKind::Unclear), attempted).with_source(failure)
}

/// What became of a terminate that was not accepted: nothing, if the instance is gone.
pub(super) fn terminate(failure: Failure, order: &TerminateOrder) -> Result<(), Error> {
    let attempted = format!("terminate {}", order.instance);
    let kind = match failure.code.as_deref() {
        Some("InvalidInstanceID.NotFound") => return Ok(()),
        // The instance is protected against being terminated through the API.
        Some("OperationNotPermitted") => {
            Some(ErrorKind::Denied { action: "termination protection".to_owned() })
        }
        _ => certain(&failure, "ec2:TerminateInstances"),
    };
    Err(Error::new(kind.unwrap_or(ErrorKind::Unclear), attempted).with_source(failure))
}
