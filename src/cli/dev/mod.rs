//! `trunkline dev`: the whole server in one process, on a PostgreSQL of its own, with a carrier to play with.
//!
//! ```text
//!  start   data folder ── PostgreSQL ── schema ── keys and account ── server ── examples ── workers ── banner
//!  stop    workers drain ── server finishes its requests ── PostgreSQL stops
//! ```
//!
//! The workers go first, because the carrier they send through is part of the server.

mod banner;
mod database;
mod env_file;
mod resolve_loopback;
mod run_all;
mod run_dev;
mod seed_account;
mod seed_examples;
mod seed_handover;
mod seed_master_key;
mod seed_webhook;
mod seed_workflows_key;

pub(super) use env_file::EnvFile;
pub use run_dev::{DEFAULT_DATA_DIR, Dev};
