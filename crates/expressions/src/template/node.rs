//! A compiled template as a tree.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::native::Native;

#[derive(Debug)]
pub(crate) enum Node {
    /// A value without any script in it.
    Constant(Value),
    /// An output that the Builder left to remember a field's name: assigned only if there is no such key.
    Placeholder(String),
    Leaf(Leaf),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// A string with scripts in it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub mode: Mode,
    /// All of it as one function for the sandbox.
    pub script: Script,
    /// The same for the fast path, if that can evaluate every script of it.
    pub pieces: Option<Vec<Piece>>,
}

/// What a function's result becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A JSON value (spec 4.2).
    Value,
    /// The truth of a condition (spec 3.4).
    Truth,
}

#[derive(Debug)]
pub(crate) enum Piece {
    /// Text around scripts.
    Literal(String),
    /// The script that is all of the string; its value keeps its type.
    Whole(Native),
    /// A script with something around it; its value becomes text.
    Inserted(Native),
}

/// A JavaScript function of `data`, `step` and the sandbox's kit.
#[derive(Debug)]
pub(crate) struct Script {
    /// By this the sandbox keeps the function; unique in this process.
    pub id: u64,
    pub source: String,
    /// Whether calling it could change `data` or `step`.
    pub mutates: bool,
    /// As the definition has it, for who reads of a fault.
    pub written: String,
}

impl Script {
    pub fn new(source: String, mutates: bool, written: String) -> Script {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Script { id: NEXT.fetch_add(1, Ordering::Relaxed), source, mutates, written }
    }
}
