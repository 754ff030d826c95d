//! What is done to many instances.

pub mod control;
pub mod create;
mod filter;
mod input;
pub mod items;
pub mod list;
mod path;
pub mod show;
mod view;
