//! F5: the simulator. Virtual time, a modelled cloud and cluster, faults, invariants on the ground truth.

mod config;
mod report;

pub use config::{Config, Faults, LoadPoint, Scenario};
pub use report::{Checked, Point, Report, StaticFleet, Told, Violation};
