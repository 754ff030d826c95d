//! The Automation API (spec 2).

pub mod definitions;
pub mod steps;
pub mod triggers;
pub mod usage;
pub mod workflows;
