//! `trunkline connector set|list|remove|test`: how accounts reach their providers.

mod check_connector;
mod command;
mod list_connectors;
mod read_secret;
mod set_connector;
mod set_messages_api;

pub use command::ConnectorCommand;
pub(super) use command::parse_subaccount;
