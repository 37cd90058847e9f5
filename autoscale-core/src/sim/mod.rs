//! F5: the simulator. Virtual time, a modelled cloud and cluster, faults, invariants on the ground truth.
//!
//! [`run`] drives the real [`Driver`](crate::driver::Driver) over a [`World`](crate::memory::World): every port call is a request
//! that takes a while, and under faults gets lost, comes late or kills the process. The same [`Config`] gives the same
//! run, to the byte.

mod blow;
mod call;
mod clocks;
mod config;
mod crash;
mod damage;
mod distort;
mod engine;
#[cfg(test)]
mod exhaustive;
mod fate;
mod faults;
mod fleet;
mod hpa;
mod load;
mod log;
mod misfortune;
#[cfg(test)]
mod mutants;
mod net;
mod news;
mod observer;
mod odds;
mod operator;
mod pods;
mod ports;
mod prices;
mod process;
mod recorder;
mod report;
mod rows;
mod scenario;
mod strike;
mod truth;

pub use blow::{Blow, Change, Damage};
pub use config::{Config, Faults, LoadPoint, Scenario};
pub use engine::run;
pub use faults::KINDS as MILD_KINDS;
pub use fleet::{smallest_static_fleet, static_fleet};
pub use news::Happening;
pub use observer::{Fleet, Observer};
pub use pods::{PodCounts, PodSpan};
pub use prices::{ON_DEMAND_HOUR, SPOT_HOUR, price_of_hour};
pub use report::{Checked, Point, Report, StaticFleet, Told, Violation};
pub use rows::{CRASH_POINTS, FAULT_ROWS};
pub use scenario::{policy, scenario_policy};
pub use truth::INVARIANTS;
