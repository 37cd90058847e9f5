//! F1: what goes in and out of a decision, as plain data.

pub mod policy;
