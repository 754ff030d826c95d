//! What the fast path can evaluate.

use crate::functions::Helper;

#[derive(Debug, Clone)]
pub(crate) enum Native {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Chain(Root, Vec<Link>),
    Not(Box<Native>),
    Negate(Box<Native>),
    Binary(Operator, Box<(Native, Native)>),
    And(Box<(Native, Native)>),
    Or(Box<(Native, Native)>),
    Coalesce(Box<(Native, Native)>),
    Choose(Box<(Native, Native, Native)>),
    /// A template literal: its pieces as text, one after the other.
    Join(Vec<Native>),
    Call(Helper, Vec<Native>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Data,
    Step,
}

/// One member access of a chain; a chain ends with undefined at the first member that is missing.
#[derive(Debug, Clone)]
pub(crate) enum Link {
    Member(String),
    Item(Native),
    Call(Method, Vec<Native>),
}

/// The string methods that the fast path knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Trim,
    ToLowerCase,
    ToUpperCase,
    Includes,
    StartsWith,
    EndsWith,
}

impl Method {
    /// The method of a name, when it is called with that many arguments.
    pub fn named(name: &str, arguments: usize) -> Option<Method> {
        Some(match (name, arguments) {
            ("trim", 0) => Method::Trim,
            ("toLowerCase", 0) => Method::ToLowerCase,
            ("toUpperCase", 0) => Method::ToUpperCase,
            ("includes", 1) => Method::Includes,
            ("startsWith", 1) => Method::StartsWith,
            ("endsWith", 1) => Method::EndsWith,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    StrictEqual,
    StrictNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
