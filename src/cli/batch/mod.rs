//! `trunkline batch create|list|status|items|pause|resume|abort`: something is done to many instances.

mod command;
mod confirm;
mod create_batch;
mod follow_batch;
mod list_items;
mod progress;
mod show_dry_run;

pub use command::BatchCommand;
