//! What is served to those who operate an installation: metrics, the fleet, a signal for autoscaling. No key is
//! asked for, so it is served on an address of its own.

mod keep_tidy;
mod measure_database;
mod router;
mod show_autoscaling;
mod show_fleet;
mod suggest_workers;

pub use keep_tidy::keep_tidy;
pub use router::{of_server, of_worker, with_health};
pub use show_fleet::{FleetWorker, fleet};
