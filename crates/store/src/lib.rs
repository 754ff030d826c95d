//! Everything said to PostgreSQL, and the private cluster of `dev`.
//!
//! Reads and small writes go through [`Store`]'s pool. Workers bring their own connections
//! ([`Store::hot_connection`]), so that a burst of requests never starves a lease.

pub mod accounts;
pub mod applications;
pub mod attempts;
pub mod audit;
pub mod batches;
pub mod callbacks;
pub mod check_master_key;
pub mod clock;
pub mod cluster;
pub mod connect;
pub mod connectors;
pub mod control;
pub mod definitions;
pub mod diagnose;
pub mod dispatches;
pub mod error;
pub mod events;
pub mod explain;
mod grouped;
pub mod history;
pub mod history_policy;
pub mod inbound_messages;
pub mod instances;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod measure;
pub mod messages;
pub mod migrations;
pub mod nexmo_accounts;
pub mod nexmo_secrets;
pub mod pace;
pub mod page;
pub mod partitions;
pub mod pools;
pub mod reruns;
pub mod reseal;
pub mod schedules;
pub mod sealing;
pub mod search;
pub mod starts;
pub mod store;
pub mod transitions;
pub mod upkeep;
pub mod usage;
pub mod verify;
pub mod waits;
pub mod wake;
pub mod webhook_settings;
pub mod workers;

pub use connect::{PgConnection, PgPool, Transaction};
pub use error::StoreError;
pub use store::{HotConnection, Store};
