//! What people talk to: the HTTP APIs and the command line.

pub mod api;
pub mod cli;
pub mod sandbox;
