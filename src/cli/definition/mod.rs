//! `trunkline definition validate|push|pull|diff`: definitions as files.

mod command;
mod diff_lines;
mod find_definition;
mod portable;
mod validate_file;

pub use command::DefinitionCommand;
