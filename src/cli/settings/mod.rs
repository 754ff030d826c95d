//! What can be set, a part per file; commands take the parts they need. Wrong values are refused at start.

mod database;
mod listen;
mod log;
mod secret;
mod worker;

pub use database::{DatabaseSettings, PoolSettings};
pub use listen::{DEFAULT_ADDRESS, ListenSettings};
pub use log::LogSettings;
pub use secret::Secret;
pub use worker::WorkerSettings;
pub(super) use worker::evaluators;
