//! What the simulated cloud has to be told.

use std::str::FromStr;

use autoscale_core::data::order::Offering;
use autoscale_core::data::policy::Purchase;
use autoscale_core::words::{ShapeName, Span, Zone};

/// What the simulated cloud has to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SimConfig {
    /// Where the machines are kept: one ConfigMap each.
    pub namespace: String,
    /// How long a machine takes until it has a Node. Default 30 s.
    pub boot: Span,
    /// What there is not enough of. Default: of everything there is enough.
    pub limits: Vec<Limit>,
    /// For how long a machine that has ended is still listed, and its token remembered. Default 1 hour.
    pub remember: Span,
    /// How often the kubelets look. Default 5 s.
    pub look: Span,
    /// Whether the kubelets say of pods that they run and end, where no kubelet of flesh and blood does. Default yes.
    pub play_pods: bool,
    /// How many objects one answer of a list has at most. Default 500.
    pub page: u32,
}

impl SimConfig {
    /// The defaults, with the machines in a namespace.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            boot: Span::from_secs(30),
            limits: Vec::new(),
            remember: Span::from_mins(60),
            look: Span::from_secs(5),
            play_pods: true,
            page: 500,
        }
    }

    /// The least of all limits that an offering is under.
    pub(super) fn limit(&self, offering: &Offering) -> Option<u32> {
        self.limits.iter().filter(|limit| limit.covers(offering)).map(|limit| limit.most).min()
    }
}

/// So many machines of what it covers are there at most, for each offering by itself: `ZONE/PURCHASE/SHAPE=N`, where `*` stands
/// for any and PURCHASE is `spot` or `on-demand`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limit {
    /// In which zone; any if not said.
    pub zone: Option<Zone>,
    /// How bought; either if not said.
    pub purchase: Option<Purchase>,
    /// Of which machine type; any if not said.
    pub shape: Option<ShapeName>,
    /// How many.
    pub most: u32,
}

impl Limit {
    /// Whether an offering is under it.
    pub fn covers(&self, offering: &Offering) -> bool {
        self.zone.as_ref().is_none_or(|zone| *zone == offering.zone)
            && self.purchase.is_none_or(|purchase| purchase == offering.purchase)
            && self.shape.as_ref().is_none_or(|shape| *shape == offering.shape)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected ZONE/PURCHASE/SHAPE=N, like eu-1a/spot/*=2".to_owned();
        let (what, most) = text.rsplit_once('=').ok_or_else(expected)?;
        let mut parts = what.split('/').map(|part| Some(part).filter(|part| *part != "*"));
        let (Some(zone), Some(purchase), Some(shape), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(expected());
        };
        let purchase = match purchase {
            None => None,
            Some("spot") => Some(Purchase::Spot),
            Some("on-demand") => Some(Purchase::OnDemand),
            Some(other) => return Err(format!("{other:?}: expected spot, on-demand or *")),
        };
        Ok(Self {
            zone: zone.map(Zone::new).transpose().map_err(|error| error.to_string())?,
            purchase,
            shape: shape.map(ShapeName::new).transpose().map_err(|error| error.to_string())?,
            most: most.parse().map_err(|_| expected())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_the_least_counts() {
        let mut config = SimConfig::new("ns");
        config.limits = ["a/spot/*=3", "*/*/m=2"].map(|text| text.parse().unwrap()).to_vec();
        let offering = |zone: &str, purchase, shape: &str| {
            Offering::new(Zone::new(zone).unwrap(), purchase, ShapeName::new(shape).unwrap())
        };
        for (offering, expected) in [
            (offering("a", Purchase::Spot, "l"), Some(3)),
            (offering("a", Purchase::Spot, "m"), Some(2)),
            (offering("b", Purchase::OnDemand, "m"), Some(2)),
            (offering("a", Purchase::OnDemand, "l"), None),
        ] {
            assert_eq!(config.limit(&offering), expected, "{offering}");
        }
        for bad in ["a/spot=1", "a/rented/m=1", "a/spot/m", "a/spot/m=-1", "a/spot/m/x=1"] {
            assert!(bad.parse::<Limit>().unwrap_err().contains("expected"), "{bad}");
        }
    }
}
