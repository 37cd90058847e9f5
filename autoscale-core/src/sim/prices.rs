//! What instances cost.

use std::collections::BTreeMap;

use crate::data::policy::{Policy, Purchase, Shape};
use crate::memory::World;
use crate::words::{ShapeName, Timestamp};

/// The price of an hour of the example machine on demand, as EC2 asked for an m5.large in us-east-1 in 2025.
pub const ON_DEMAND_HOUR: f64 = 0.096;

/// The same as spot, an example: spot prices change.
pub const SPOT_HOUR: f64 = 0.035;

/// Thousandths of a CPU that the example machine offers to pods.
pub(super) const EXAMPLE_CPU_MILLI: u64 = 1_930;

/// What an hour of a machine type costs: its price in the policy, however it is bought; without one, that of the example
/// machine in proportion to the CPU that it offers.
pub fn price_of_hour(shape: &Shape, purchase: Purchase) -> f64 {
    let example = match purchase {
        Purchase::Spot => SPOT_HOUR,
        Purchase::OnDemand => ON_DEMAND_HOUR,
    };
    match shape.price {
        Some(price) => price.as_micros() as f64 / 1e6,
        None => example * (shape.allocatable.cpu_milli as f64 / EXAMPLE_CPU_MILLI as f64),
    }
}

/// The prices of everything that a policy may launch.
#[derive(Clone, Debug)]
pub(super) struct Prices(BTreeMap<ShapeName, Shape>);

impl Prices {
    /// Where pools differ in the same machine type, that of the first counts, as it does in the world.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut shapes = BTreeMap::new();
        for shape in policy.pools().values().flat_map(|pool| &pool.shapes) {
            shapes.entry(shape.name.clone()).or_insert_with(|| shape.clone());
        }
        Self(shapes)
    }

    /// What the workers of a world have cost up to `now`.
    pub(super) fn cost(&self, world: &World, now: Timestamp) -> f64 {
        let lived = world.cloud.lived(now);
        let costs = lived.into_iter().map(|((shape, purchase), ms)| {
            let price = self.0.get(shape).map_or(0.0, |shape| price_of_hour(shape, purchase));
            ms as f64 / 3.6e6 * price
        });
        costs.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Fixed, Resources};

    #[test]
    fn a_price_of_the_policy_counts_and_else_the_size() {
        let name = ShapeName::new("x").unwrap();
        let example = Shape::new(name.clone(), Resources::new(EXAMPLE_CPU_MILLI, 1 << 30, 29));
        assert_eq!(price_of_hour(&example, Purchase::Spot), SPOT_HOUR);
        assert_eq!(price_of_hour(&example, Purchase::OnDemand), ON_DEMAND_HOUR);
        let large = Shape::new(name, Resources::new(4 * EXAMPLE_CPU_MILLI, 1 << 30, 29));
        assert_eq!(price_of_hour(&large, Purchase::OnDemand), 4.0 * ON_DEMAND_HOUR);
        let priced = large.with_price(Fixed::from_micros(70_000));
        assert_eq!([Purchase::Spot, Purchase::OnDemand].map(|how| price_of_hour(&priced, how)), [0.07; 2]);
    }
}
