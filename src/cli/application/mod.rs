//! `trunkline application …`: clients of the Workflows and Messages API that sign their calls with a key of their
//! own.

mod command;
mod describe;
mod public_key_file;

pub use command::ApplicationCommand;
