//! `trunkline sim`: plays the phones around a running `trunkline dev`, through its sandbox carrier.

mod call;
mod report;
mod run_sim;
mod show_outbox;
mod write_message;

pub use run_sim::Sim;
