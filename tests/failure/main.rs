//! Right when everything breaks: real processes against a PostgreSQL that dies, a network that lies, machines that
//! stop. Each scenario has a bounded short form, and a long one (`make failure`); after each, `trunkline verify`
//! must find nothing.

#[path = "../it/deaths/processes.rs"]
#[allow(dead_code, reason = "`tests/it` uses the rest")]
mod processes;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, clippy::needless_pass_by_value, reason = "`tests/it` uses the rest")]
mod support;

mod commit_unknown;
mod crowded;
mod cut_off;
mod deadline;
mod disk_full;
mod duplicates;
mod fallen_silent;
mod fleet;
mod herd;
mod killed;
mod memory;
mod network;
mod paused;
mod poison;
mod proxy;
mod skew;
mod soak;
mod terminated;
mod verify;
