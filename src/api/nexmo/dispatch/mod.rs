//! Workflows: messages of which the next one is sent if one does not get through (Workflows API 4, 6).

pub mod cancel;
pub mod create;
pub mod list;
pub mod path;
pub mod show;
pub mod view;
