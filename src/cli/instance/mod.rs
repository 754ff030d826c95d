//! `trunkline instance list|show|history|why|watch`: what runs, what failed and what waits, as the server's API tells it.

mod command;
mod conditions;
mod list_instances;
mod show_history;
mod show_instance;
mod watch_instance;
mod why;

pub use command::InstanceCommand;
pub(super) use command::parse_instance;
pub(super) use conditions::Conditions;
