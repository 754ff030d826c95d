//! `trunkline sim`: plays the phones around a running `trunkline dev`, through its sandbox carrier.

mod call;
mod report;
mod report_status;
mod run_sim;
mod show_outbox;
mod write_message;
mod write_on_channel;

pub use run_sim::Sim;
