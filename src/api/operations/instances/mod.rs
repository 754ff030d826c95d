//! Instances of any definition.

mod cursor;
mod found_view;
pub mod history;
mod history_cursor;
mod history_view;
pub mod list;
pub mod rerun;
pub mod show;
mod view;
