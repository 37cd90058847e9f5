//! Resources beside CPU, memory and pods: GPUs and whatever else nodes offer by a name of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Amounts of extended resources by name, in the units the cluster counts them in; what is not named is zero.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extended(BTreeMap<String, u64>);

impl Extended {
    /// None of anything.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// The same, with an amount of one more resource. Zero takes it away.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, amount: u64) -> Self {
        let name = name.into();
        if amount == 0 {
            self.0.remove(&name);
        } else {
            self.0.insert(name, amount);
        }
        self
    }

    /// How much there is of one.
    pub fn amount(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Each with its amount, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Whether there is nothing of anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `self` is nowhere more than `room`.
    pub fn fits(&self, room: &Self) -> bool {
        self.iter().all(|(name, amount)| amount <= room.amount(name))
    }

    /// The sum, saturating.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (name, amount) in &other.0 {
            let sum = self.amount(name).saturating_add(*amount);
            self = self.with(name.clone(), sum);
        }
        self
    }

    /// The difference, zero where `other` is more.
    #[must_use]
    pub fn minus(mut self, other: &Self) -> Self {
        for (name, amount) in &other.0 {
            let rest = self.amount(name).saturating_sub(*amount);
            self = self.with(name.clone(), rest);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_zero() {
        let two = Extended::none().with("nvidia.com/gpu", 2);
        let one = Extended::none().with("nvidia.com/gpu", 1);
        assert!(one.fits(&two) && !two.fits(&one) && Extended::none().fits(&one));
        assert!(!one.fits(&Extended::none().with("amd.com/gpu", 9)));
        assert_eq!(two.clone().minus(&one), one);
        assert_eq!(one.clone().plus(&one), two);
        assert!(one.clone().minus(&two).is_empty());
    }
}
