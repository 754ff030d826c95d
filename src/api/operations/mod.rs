//! What is ours, beside the two APIs that we speak: why an instance waits, what it did, what an account may do at once,
//! what is run again, and who did what.

pub mod audit;
pub mod batches;
pub mod definitions;
pub mod history_policy;
pub mod instances;
pub mod limits;
