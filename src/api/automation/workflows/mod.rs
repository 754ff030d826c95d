//! Instances, which the wire calls workflows (spec 2.7–2.11).

pub mod control;
pub mod errors;
pub mod list;
mod not_found;
pub mod show;
pub mod start;
pub mod view;
