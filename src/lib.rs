//! What people talk to: the HTTP APIs, the metrics and the command line.

pub mod api;
pub mod cli;
pub mod metrics;
pub mod sandbox;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
