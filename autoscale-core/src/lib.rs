// The first page is the README, so that its examples are compiled and run. Its first example needs the feature
// `memory`: without that feature the page is shown all the same, and only its examples are not run.
#![cfg_attr(any(feature = "memory", not(doctest)), doc = include_str!("../README.md"))]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod data;
#[cfg(feature = "driver")]
pub mod driver;
#[cfg(any(feature = "file", feature = "objects"))]
mod envelope;
#[cfg(feature = "file")]
pub mod file;
pub mod logic;
#[cfg(feature = "memory")]
#[cfg_attr(
    not(feature = "sim"),
    allow(dead_code, unused_imports, reason = "the simulator looks deeper into the world than its users")
)]
pub mod memory;
mod mutant;
#[cfg(feature = "objects")]
pub mod objects;
#[cfg(feature = "driver")]
pub mod ports;
#[cfg(feature = "sim")]
pub mod sim;
pub mod words;
