//! One script: what it may say (spec 4.4), and how it is rewritten so that missing values are no errors
//! (spec 4.3).

mod compile_script;
mod error;
mod names;
mod read_script;
mod side_effects;

pub(crate) use compile_script::compile_script;
pub use error::ScriptError;
pub(crate) use names::{BUILTINS, Name, resolve_name};
