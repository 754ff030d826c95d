//! Messages: sent by themselves (Workflows API 1, E3 and E4), and shown.

pub mod send;
pub mod show;
