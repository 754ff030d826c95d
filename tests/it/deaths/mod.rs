//! What happens when something dies in the middle: real worker processes, real signals. After each story the
//! database is checked for every invariant.

mod batch_under_way;
mod blockade;
mod database_dies;
mod failover_callbacks;
mod failover_house;
mod failover_report;
mod failover_restart;
mod failover_send;
mod failover_storm;
mod history;
mod interrupted_often;
pub mod processes;
mod send_interrupted;
mod worker_dies;
mod worker_drained_by_name;
mod worker_drains;
mod worker_sleeps;
