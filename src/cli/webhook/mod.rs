//! `trunkline webhook show|rotate|allow`: how the messaging platform reports to an account, and how we know it.

mod allow_addresses;
mod command;
mod platform_addresses;
mod show_webhooks;

pub use command::WebhookCommand;
