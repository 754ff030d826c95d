//! `trunkline doctor`: what is wrong with an installation, and what to do.

mod check_database;
mod check_server;
mod command;
mod finding;

pub use command::Doctor;
