//! Stories over HTTP: the real router on a real PostgreSQL. One binary, so that there is one cluster.

#![expect(clippy::needless_pass_by_value, reason = "`json!` values read better without borrows")]

mod architecture;
mod deaths;
mod definitions;
mod idempotency;
mod instances;
mod openapi;
mod races;
mod stories;
mod support;
mod transport;
mod triggers;
mod upkeep;
mod webhooks;
