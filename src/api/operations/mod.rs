//! What is ours, beside the two APIs that we speak: why an instance waits, and who did what.

pub mod audit;
pub mod instances;
