//! The size and depth of values, and copies of them as they look after a way through JavaScript.

use serde_json::Value;

use super::json_text::{has_indices, in_javascript_order};
use super::number_text::{number_text, number_value, small_integer};
use crate::Limits;

/// A result that is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Excess {
    #[error("The result is larger than {0} bytes.")]
    Bytes(usize),
    #[error("The result is nested deeper than {0} levels.")]
    Depth(usize),
    #[error("The results are together larger than {0} bytes.")]
    Total(usize),
}

/// How many bytes a value has as compact JSON, if it is within the limits.
pub(crate) fn measure(value: &Value, limits: &Limits) -> Result<usize, Excess> {
    let mut measure = Measure { bytes: 0, limits };
    measure.add(value, 0)?;
    Ok(measure.bytes)
}

/// How many bytes a text has as a JSON string, if that is within the limits.
pub(crate) fn text_bytes(text: &str, limits: &Limits) -> Result<usize, Excess> {
    let mut measure = Measure { bytes: 0, limits };
    measure.add_text(text)?;
    Ok(measure.bytes)
}

struct Measure<'a> {
    bytes: usize,
    limits: &'a Limits,
}

impl Measure<'_> {
    fn add(&mut self, value: &Value, depth: usize) -> Result<(), Excess> {
        match value {
            Value::Null | Value::Bool(true) => self.count(4),
            Value::Bool(false) => self.count(5),
            Value::Number(number) => self.count(number_bytes(number.as_f64().unwrap_or_default())),
            Value::String(text) => self.add_text(text),
            Value::Array(items) => {
                self.open(items.len(), depth)?;
                items.iter().try_for_each(|item| self.add(item, depth + 1))
            }
            Value::Object(members) => {
                self.open(members.len(), depth)?;
                members.iter().try_for_each(|(key, value)| {
                    self.add_text(key)?;
                    self.count(1)?;
                    self.add(value, depth + 1)
                })
            }
        }
    }

    /// Brackets and commas.
    fn open(&mut self, items: usize, depth: usize) -> Result<(), Excess> {
        if depth >= self.limits.depth {
            return Err(Excess::Depth(self.limits.depth));
        }
        self.count(2 + items.saturating_sub(1))
    }

    fn add_text(&mut self, text: &str) -> Result<(), Excess> {
        self.count(text.len() + 2)?;
        self.count(text.bytes().map(escape_bytes).sum())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Excess> {
        self.bytes += bytes;
        if self.bytes > self.limits.result_bytes {
            return Err(Excess::Bytes(self.limits.result_bytes));
        }
        Ok(())
    }
}

/// How many bytes more than itself a byte takes in a JSON string.
fn escape_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 1,
        0x00..=0x1f => 5,
        _ => 0,
    }
}

fn number_bytes(number: f64) -> usize {
    match small_integer(number) {
        Some(integer) => {
            let digits = integer.unsigned_abs().checked_ilog10().map_or(1, |exponent| exponent as usize + 1);
            digits + usize::from(integer < 0)
        }
        None => number_text(number).len(),
    }
}

/// The value as it comes back from JavaScript: numbers as f64, keys in its order.
pub(crate) fn copy_as_javascript(value: &Value) -> Value {
    match value {
        Value::Number(number) => number_value(number.as_f64().unwrap_or_default()),
        Value::Array(items) => Value::Array(items.iter().map(copy_as_javascript).collect()),
        Value::Object(members) if has_indices(members) => copy_members(in_javascript_order(members)),
        Value::Object(members) => copy_members(members),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

fn copy_members<'a>(members: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Value {
    Value::Object(members.into_iter().map(|(key, value)| (key.clone(), copy_as_javascript(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::json_text::push_json_text;
    use serde_json::json;

    #[test]
    fn the_measure_is_the_length_of_the_text() {
        for value in [
            json!(null),
            json!([true, false, [], {}, 0, -1, 1.5, 1e21, 12]),
            json!({"a": "x\"y\\z\n\u{1}é", "b\t": [1, 2, 3], "c": {"d": null}}),
        ] {
            let mut text = String::new();
            push_json_text(&value, &mut text);
            assert_eq!(measure(&value, &Limits::default()), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn too_deep_and_too_large_values_are_refused() {
        let limits = Limits { depth: 2, result_bytes: 10, ..Limits::default() };
        assert_eq!(measure(&json!([[1]]), &limits), Ok(5));
        assert_eq!(measure(&json!([[[1]]]), &limits), Err(Excess::Depth(2)));
        assert_eq!(measure(&json!("123456789"), &limits), Err(Excess::Bytes(10)));
    }
}
