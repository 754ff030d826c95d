//! What a client submits as a definition, checked (spec 3.1, 3.8).
//!
//! There is one check. [`parse`] stops it at the first error and gives what can be saved; [`check`] lets it
//! run to the end, gives all problems with their places, and warns about what is accepted but is probably
//! not meant.

mod check_envelope;
mod check_steps;
mod input;
mod parse;
mod pointer;
mod problem;
mod scripts;
mod warn_about_steps;

pub use input::{DefinitionInput, Extras};
pub use parse::{DefinitionError, check, parse};
pub use pointer::escape_token;
pub use problem::{Problem, Severity};
pub use scripts::{CheckScripts, ScriptFlaw, ScriptPlace, ScriptProblem};

#[cfg(test)]
mod tests;
