//! Instances of any definition.

pub mod show;
mod view;
