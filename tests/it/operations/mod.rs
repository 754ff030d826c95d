//! What is ours beside the two APIs that we speak.

mod audit;
mod batch_races;
pub mod batches;
mod explain;
mod exposition;
mod history;
mod limits;
mod metrics;
mod metrics_in_use;
mod rerun;
mod scopes;
mod search;
mod search_buckets;
mod search_plans;
mod search_values;
