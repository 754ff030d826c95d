//! Workflows: messages of which the next one is sent if one does not get through (Workflows API 4, 6).

pub mod create;
