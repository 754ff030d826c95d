//! The program as people start it: its flags, its words, its life from start to signal.

mod applications;
mod batches;
mod canaries;
mod connectors;
mod dev;
mod doctor;
mod examples;
mod instances;
mod limits;
mod official_client;
mod pipes;
#[path = "../it/support/pooler.rs"]
#[allow(dead_code, reason = "nobody kills it here")]
mod pooler;
mod production;
mod program;
mod quota;
mod settings;
mod traces;
