//! Stories over HTTP: the real router on a real PostgreSQL. One binary, so that there is one cluster.

#![expect(clippy::needless_pass_by_value, reason = "`json!` values read better without borrows")]

mod architecture;
mod bad_input;
mod callbacks;
mod contract;
mod credentials;
mod deaths;
mod definitions;
mod error_codes;
mod fair_claims;
mod hot_plans;
mod idempotency;
mod instances;
mod master_keys;
mod nexmo;
mod openapi;
mod operations;
mod parsers;
mod races;
mod schedules;
mod security;
mod step_pools;
mod steps;
mod stories;
mod support;
mod transport;
mod triggers;
mod upgrade;
mod upkeep;
mod usage;
mod validate;
mod verify;
mod webhooks;
