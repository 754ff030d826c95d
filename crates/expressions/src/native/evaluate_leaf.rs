//! Evaluates one string of a template on the fast path.

use serde_json::Value;

use super::coerce::{truth_of_text, truthy};
use super::evaluate_native::evaluate;
use super::json_text::push_json_text;
use super::measure_json::{Excess, copy_as_javascript, measure, text_bytes};
use super::number_text::{number_text, number_value};
use super::value::{Scope, Stop, Val};
use crate::Limits;
use crate::template::{Leaf, Mode, Piece};

/// The value of a leaf and its size as JSON.
pub(crate) fn evaluate_leaf(leaf: &Leaf, scope: Scope<'_>, limits: &Limits) -> Result<(Value, usize), Stop> {
    let value = match leaf.pieces.as_deref() {
        None => return Err(Stop::Unsure),
        Some([Piece::Whole(native)]) => evaluate(native, scope)?,
        Some(pieces) => Val::Text(interpolate(pieces, scope, limits)?.into()),
    };
    match leaf.mode {
        Mode::Truth => Ok((Value::Bool(truth_of(&value)), 5)),
        Mode::Value => to_json(value, limits),
    }
}

/// The truth of a value as a condition (spec 3.4).
pub fn truth(value: &Value) -> bool {
    truth_of(&Val::from(value))
}

fn truth_of(value: &Val<'_>) -> bool {
    match value {
        Val::Text(text) => truth_of_text(text),
        other => truthy(other),
    }
}

fn to_json(value: Val<'_>, limits: &Limits) -> Result<(Value, usize), Stop> {
    Ok(match value {
        Val::Undefined | Val::Null => (Value::Null, 4),
        Val::Bool(value) => (Value::Bool(value), 5),
        Val::Number(number) => (number_value(number), 24),
        Val::Text(text) => {
            let bytes = text_bytes(&text, limits)?;
            (Value::String(text.into_owned()), bytes)
        }
        Val::Json(value) => {
            let bytes = measure(value, limits)?;
            (copy_as_javascript(value), bytes)
        }
    })
}

fn interpolate(pieces: &[Piece], scope: Scope<'_>, limits: &Limits) -> Result<String, Stop> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Whole(native) | Piece::Inserted(native) => match evaluate(native, scope)? {
                Val::Undefined | Val::Null => {}
                Val::Bool(value) => text.push_str(if value { "true" } else { "false" }),
                Val::Number(number) => text.push_str(&number_text(number)),
                Val::Text(value) => text.push_str(&value),
                // A value that is beyond the limits by itself makes the text so, too.
                Val::Json(value) if measure(value, &Limits { depth: usize::MAX, ..*limits }).is_ok() => {
                    push_json_text(value, &mut text);
                }
                Val::Json(_) => return Err(Stop::Unsure),
            },
        }
        if text.len() > limits.result_bytes {
            return Err(Excess::Bytes(limits.result_bytes).into());
        }
    }
    Ok(text)
}
