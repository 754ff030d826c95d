//! What is ours beside the two APIs that we speak.

mod audit;
mod explain;
mod scopes;
mod search;
mod search_plans;
