//! The Automation API (spec 2).

pub mod definitions;
pub mod triggers;
pub mod workflows;
