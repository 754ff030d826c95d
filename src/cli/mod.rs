//! The command line: a file per command, and what commands share.
//!
//! [`command`] is the registry: an enum of all commands and the `match` that runs them. What can be set is
//! in [`settings`], a part per file; every setting has a flag and, but for what only `dev` knows, an
//! environment variable.

#[macro_use]
mod print;

pub mod account;
pub mod application;
mod at_this_shell;
pub mod batch;
mod call_server;
mod chain;
pub mod command;
pub mod completions;
pub mod connector;
pub mod credentials;
pub mod definition;
pub mod dev;
pub mod doctor;
pub mod error;
pub mod evaluator;
pub mod history_policy;
mod how_to_rerun;
mod ignore_blank_environment;
pub mod instance;
pub mod key;
pub mod limits;
mod listen;
pub mod master_key;
pub mod migrate;
mod name_environment;
pub mod output;
mod print_table;
mod reach_database;
pub mod rerun;
pub mod serve;
pub mod settings;
mod shell_word;
mod shutdown;
pub mod sim;
pub mod verify;
pub mod webhook;
pub mod worker;
pub mod workers;

pub use chain::Chain;
pub use command::{Cli, parse, run};
pub use error::CliError;
