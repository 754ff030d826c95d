//! Messages that are sent by themselves (Workflows API 1, E3 and E4).

pub mod send;
