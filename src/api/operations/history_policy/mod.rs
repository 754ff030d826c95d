//! What the history of an account's instances may keep.

pub mod replace;
pub mod show;
mod view;
