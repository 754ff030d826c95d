//! The HTTP surfaces. [`router`] has every route on one page; a folder per surface, in it a folder per
//! noun, in it a file per verb.
//!
//! Every handler that changes something has one shape: load, decide, write, answer. The answer is sent
//! after the commit.

pub mod auth;
pub mod automation;
mod body;
mod count_requests;
mod docs;
pub mod error;
mod health;
mod idempotency;
mod json;
mod listed;
mod log_refusals;
pub mod nexmo;
pub mod openapi;
pub mod operations;
mod page;
mod path;
mod query;
mod rate_limit;
mod recent;
pub mod router;
pub mod state;
mod timestamp;
mod trace_requests;
pub mod webhooks;

pub use router::router;
pub use state::{ApiConfig, ApiState, EndedCalls, SmsAliases};
