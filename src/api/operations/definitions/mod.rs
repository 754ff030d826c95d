//! Definitions that are paused or drained.

pub mod drain;
pub mod pause;
pub mod resume;
mod set_state;
pub mod show_state;
mod view;
