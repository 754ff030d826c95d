//! The Workflows and Messages API: who may call it, and how its errors look.

mod applications;
mod callers;
mod dispatches;
mod inbound;
mod limits;
mod problems;
mod provider_signatures;
mod reruns;
mod rules;
mod secrets;
mod signatures;
pub mod site;
mod tokens;
