//! Who did what.

pub mod list;
mod view;

pub use view::{ActorView, AuditEntryView};
