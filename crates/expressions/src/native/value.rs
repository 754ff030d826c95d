//! The values of the fast path, and what a script can see.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::measure_json::Excess;

/// What a script sees: `data` as it is after the outputs so far, and `step`.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub data: &'a Map<String, Value>,
    /// Outputs that are assigned but not in `data` yet; the last of a name counts.
    pub assigned: &'a [(String, Value)],
    pub step: &'a Value,
}

impl<'a> Scope<'a> {
    pub fn data_member(&self, name: &str) -> Option<&'a Value> {
        let assigned = self.assigned.iter().rev().find(|(key, _)| key == name);
        assigned.map(|(_, value)| value).or_else(|| self.data.get(name))
    }
}

/// A JavaScript value, borrowed from the scope where that is possible.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// An array or an object.
    Json(&'a Value),
}

impl<'a> From<&'a Value> for Val<'a> {
    fn from(value: &'a Value) -> Val<'a> {
        match value {
            Value::Null => Val::Null,
            Value::Bool(value) => Val::Bool(*value),
            Value::Number(number) => {
                Val::Number(number.as_f64().expect("without arbitrary precision every number is an f64"))
            }
            Value::String(text) => Val::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Val::Json(value),
        }
    }
}

/// Why the fast path gave no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// QuickJS has to say.
    Unsure,
    /// The script failed, with this detail.
    Fault(String),
}

impl From<Excess> for Stop {
    fn from(excess: Excess) -> Stop {
        Stop::Fault(excess.to_string())
    }
}
