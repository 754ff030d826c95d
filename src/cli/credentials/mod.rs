//! `trunkline credentials …`: what an account is to the Workflows and Messages API: its API key and secrets, and
//! how it is told things.

mod callback_urls;
mod command;
mod show_credentials;
mod signature;

pub(super) use callback_urls::CallbackUrlChange;
pub use command::CredentialsCommand;
