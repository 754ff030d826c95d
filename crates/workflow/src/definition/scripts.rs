//! What this crate asks of somebody who knows JavaScript.

use serde_json::Value;

/// Where scripts stand (spec 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptPlace {
    Inputs,
    Output,
    Condition,
}

/// Why a script cannot be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptFlaw {
    /// V13.
    TooLong,
    /// V14.
    Invalid,
}

/// A script of a value that cannot be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptProblem {
    pub flaw: ScriptFlaw,
    /// JSON pointer from the value to the text that the script stands in.
    pub path: String,
    /// In that text, in characters from 1.
    pub column: usize,
    /// The parser's words.
    pub detail: String,
}

/// Checks all scripts of one value.
pub type CheckScripts<'a> = &'a dyn Fn(ScriptPlace, &Value) -> Vec<ScriptProblem>;
