//! What Azure's refusals mean.

use autoscale_core::data::order::Offering;
use autoscale_core::ports::{Error, ErrorKind};
use autoscale_core::words::Span;
use serde::Deserialize;

use super::arm::{Answer, Unheard};

/// What a request was for: a request that changes something is unclear where one that looks is only unavailable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meant<'a> {
    Look,
    Buy(&'a Offering),
    End,
}

/// What Azure said, as the cause of an error.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: Inner,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Inner {
    code: String,
    message: String,
    details: Option<Vec<Inner>>,
}

impl Said {
    /// What an answer, or the state of an operation, says went wrong. The innermost code is the cause.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        let Body { error } = serde_json::from_slice(body).unwrap_or_default();
        let details = error.details.unwrap_or_default();
        let inner = details.into_iter().find(|inner| !inner.code.is_empty());
        let outer = Inner { details: None, ..error };
        let wraps =
            matches!(outer.code.as_str(), "" | "DeploymentFailed" | "ResourceDeploymentFailure" | "Conflict");
        let told = match inner {
            Some(inner) if wraps || is_capacity(&inner.code, &inner.message) => inner,
            _ => outer,
        };
        let cut = |text: &str| text.chars().take(400).collect();
        Self { status, code: cut(&told.code), message: cut(&told.message) }
    }

    pub(super) fn is_capacity(&self) -> bool {
        is_capacity(&self.code, &self.message)
    }

    /// Whether the name is taken: by a machine, or by one that is on its way out.
    pub(super) fn is_taken(&self) -> bool {
        self.status == 412 || self.status == 409 && !self.is_capacity() && !self.is_leftover()
    }

    /// Whether it passes by itself: the name is just being freed, or another operation is under way.
    pub(super) fn is_passing(&self) -> bool {
        let busy =
            ["", "Conflict", "OperationNotAllowed", "AnotherOperationInProgress", "OperationPreempted"];
        self.status == 412 || self.status == 409 && (busy.contains(&self.code.as_str()) || self.is_leftover())
    }

    /// Whether a part that an earlier machine has left stands in the way.
    pub(super) fn is_leftover(&self) -> bool {
        let (code, message) = (self.code.as_str(), self.message.to_ascii_lowercase());
        self.status == 409
            && (matches!(code, "ConflictingUserInput" | "DiskAlreadyExists" | "NicInUse")
                || message.contains("disk") && message.contains("already exists"))
    }

    /// The missing permission that a refusal names, else its code.
    fn missing(&self) -> String {
        let named = ["have authorization to perform action", "have permission to perform action"]
            .into_iter()
            .find_map(|words| self.message.split_once(words))
            .and_then(|(_, rest)| rest.split('\'').nth(1))
            .filter(|action| action.contains('/'));
        named.unwrap_or(&self.code).to_owned()
    }

    /// What the caller does next.
    pub(super) fn kind(&self, meant: Meant<'_>, retry_after: Option<Span>) -> ErrorKind {
        if let Meant::Buy(offering) = meant
            && self.is_capacity()
        {
            return ErrorKind::NoCapacity { offering: offering.clone() };
        }
        let denied = |action: String| ErrorKind::Denied { action };
        match (self.status, meant) {
            (429, _) => ErrorKind::Throttled { retry_after },
            // A token that has run out is renewed, and then the same request will do.
            (401, _) => ErrorKind::Unavailable,
            (403, _) => denied(self.missing()),
            (409, Meant::End) if self.code == "ScopeLocked" => {
                denied("a lock on the machine or its group".to_owned())
            }
            // Another operation on the machine is under way.
            (409 | 412, Meant::End | Meant::Look) => ErrorKind::Throttled { retry_after },
            (404, Meant::Look | Meant::End) => ErrorKind::NotFound,
            (400..=499, Meant::Buy(_)) if self.status != 408 => ErrorKind::Invalid,
            (400..=499, Meant::End) if self.status != 408 => ErrorKind::Invalid,
            (_, Meant::Look) => ErrorKind::Unavailable,
            _ => ErrorKind::Unclear,
        }
    }
}

/// Whether a refusal is about what there is to buy: capacity of the place, or what the subscription may have.
fn is_capacity(code: &str, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    match code {
        "AllocationFailed"
        | "ZonalAllocationFailed"
        | "OverconstrainedAllocationRequest"
        | "OverconstrainedZonalAllocationRequest"
        | "SkuNotAvailable"
        | "NotAvailableForSubscription"
        | "QuotaExceeded"
        | "CoreQuotaExceeded"
        | "InsufficientCapacity" => true,
        "OperationNotAllowed" | "ResourceQuotaExceeded" => message.contains("quota"),
        _ => false,
    }
}

/// An answer that is no success, as an error.
pub(super) fn refused(answer: &Answer, meant: Meant<'_>, attempted: &str) -> Error {
    let said = Said::of(answer.status, &answer.body);
    Error::new(said.kind(meant, answer.retry_after()), attempted).with_source(said)
}

/// No answer, as an error.
pub(super) fn unheard(unheard: Unheard, meant: Meant<'_>, attempted: &str) -> Error {
    let kind = match (&unheard, meant) {
        // An order that was not sent can be sent again; a look is simply without result.
        (Unheard::NotSent { .. } | Unheard::NoToken(_), Meant::Buy(_) | Meant::End) => ErrorKind::NotSent,
        (Unheard::Silent(_), Meant::Buy(_) | Meant::End) => ErrorKind::Unclear,
        (_, Meant::Look) => ErrorKind::Unavailable,
    };
    Error::new(kind, attempted).with_source(unheard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale_core::data::policy::Purchase;
    use autoscale_core::words::{ShapeName, Zone};

    fn offering() -> Offering {
        let shape = ShapeName::new("Standard_D2s_v5").unwrap();
        Offering::new(Zone::new("westeurope-1").unwrap(), Purchase::Spot, shape)
    }

    fn said(status: u16, code: &str, message: &str) -> Said {
        let body = serde_json::json!({ "error": { "code": code, "message": message } });
        Said::of(status, body.to_string().as_bytes())
    }

    #[test]
    fn capacity_and_quota_name_the_offering() {
        let offering = offering();
        for (status, code, message) in [
            (409, "AllocationFailed", ""),
            (409, "ZonalAllocationFailed", ""),
            (409, "OverconstrainedAllocationRequest", ""),
            (409, "OverconstrainedZonalAllocationRequest", ""),
            (409, "SkuNotAvailable", ""),
            (400, "SkuNotAvailable", ""),
            (403, "QuotaExceeded", ""),
            (409, "OperationNotAllowed", "exceeding approved Total Regional LowPriorityCores Quota"),
            (200, "AllocationFailed", "of an operation that was accepted"),
        ] {
            let kind = said(status, code, message).kind(Meant::Buy(&offering), None);
            assert_eq!(kind, ErrorKind::NoCapacity { offering: offering.clone() }, "{status} {code}");
        }
        let inner = br#"{"error":{"code":"Conflict","details":[{"code":"SkuNotAvailable","message":"m"}]}}"#;
        assert!(Said::of(409, inner).is_capacity());
    }

    #[test]
    fn only_a_certain_no_is_one() {
        let offering = offering();
        let after = Some(Span::from_secs(17));
        for (status, code, meant, kind) in [
            (429, "TooManyRequests", Meant::Buy(&offering), ErrorKind::Throttled { retry_after: after }),
            (400, "InvalidParameter", Meant::Buy(&offering), ErrorKind::Invalid),
            (404, "ResourceGroupNotFound", Meant::Buy(&offering), ErrorKind::Invalid),
            (404, "ResourceNotFound", Meant::End, ErrorKind::NotFound),
            (408, "", Meant::Buy(&offering), ErrorKind::Unclear),
            (500, "InternalServerError", Meant::Buy(&offering), ErrorKind::Unclear),
            (503, "ServerBusy", Meant::End, ErrorKind::Unclear),
            (503, "ServerBusy", Meant::Look, ErrorKind::Unavailable),
            (401, "ExpiredAuthenticationToken", Meant::Look, ErrorKind::Unavailable),
            (409, "Conflict", Meant::End, ErrorKind::Throttled { retry_after: after }),
            (
                403,
                "RequestDisallowedByPolicy",
                Meant::End,
                ErrorKind::Denied { action: "RequestDisallowedByPolicy".to_owned() },
            ),
        ] {
            assert_eq!(said(status, code, "").kind(meant, after), kind, "{status} {code}");
        }
        let locked = said(409, "ScopeLocked", "").kind(Meant::End, None);
        assert!(matches!(locked, ErrorKind::Denied { action } if action.contains("lock")));
    }

    #[test]
    fn a_missing_permission_is_named() {
        for (code, message, action) in [
            (
                "AuthorizationFailed",
                "The client 'c' with object id 'o' does not have authorization to perform action \
                 'Microsoft.Compute/virtualMachines/write' over scope '/x'",
                "Microsoft.Compute/virtualMachines/write",
            ),
            (
                "LinkedAuthorizationFailed",
                "The client 'c' has permission to perform action 'Microsoft.Compute/virtualMachines/write' on scope '/x'; \
                 however, it does not have permission to perform action(s) \
                 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '/y'",
                "Microsoft.Network/virtualNetworks/subnets/join/action",
            ),
            ("AuthorizationFailed", "no words that anybody knows", "AuthorizationFailed"),
        ] {
            let kind = said(403, code, message).kind(Meant::End, None);
            assert_eq!(kind, ErrorKind::Denied { action: action.to_owned() });
        }
    }
}
