//! Turns the result of a script into JSON (spec 4.2).

use rquickjs::{Ctx, Function, Object, Type, Value};

use super::failure::Failure;
use crate::Limits;
use crate::native::{Excess, number_text, truth_of_text};
use crate::template::Mode;

/// The result as compact JSON, within the limits.
pub(super) fn result_json<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    value: &Value<'js>,
    mode: Mode,
    limits: &Limits,
) -> Result<String, Failure> {
    let json = match mode {
        Mode::Truth => truth(kit, value)?.to_string(),
        Mode::Value => json(ctx, kit, value)?,
    };
    if json.len() > limits.result_bytes {
        return Err(Failure::fault(Excess::Bytes(limits.result_bytes).to_string()));
    }
    if depth(&json) > limits.depth {
        return Err(Failure::fault(Excess::Depth(limits.depth).to_string()));
    }
    Ok(json)
}

fn json<'js>(ctx: &Ctx<'js>, kit: &Object<'js>, value: &Value<'js>) -> Result<String, Failure> {
    Ok(match value.type_of() {
        Type::Undefined | Type::Uninitialized | Type::Null => "null".to_owned(),
        Type::Bool => value.as_bool().unwrap_or_default().to_string(),
        Type::Int => value.as_int().unwrap_or_default().to_string(),
        Type::Float => match value.as_float().unwrap_or_default() {
            number if number.is_finite() => number_text(number),
            _ => "null".to_owned(),
        },
        Type::String => serde_json::to_string(&text(kit, value)?).expect("a string is always JSON"),
        Type::Function | Type::Constructor => return Err(unfit("function")),
        Type::Symbol => return Err(unfit("symbol")),
        _ => match ctx.json_stringify(value.clone())? {
            Some(json) => without_lone_surrogates(json.to_string()?),
            None => "null".to_owned(),
        },
    })
}

fn truth<'js>(kit: &Object<'js>, value: &Value<'js>) -> Result<bool, Failure> {
    match value.type_of() {
        Type::Function | Type::Constructor => Err(unfit("function")),
        Type::Symbol => Err(unfit("symbol")),
        Type::String => Ok(truth_of_text(&text(kit, value)?)),
        _ => Ok(kit.get::<_, Function<'js>>("truth")?.call((value.clone(),))?),
    }
}

/// A string, in which surrogates without their other half become replacement characters.
fn text<'js>(kit: &Object<'js>, value: &Value<'js>) -> Result<String, Failure> {
    match value.get::<String>() {
        Err(rquickjs::Error::Utf8(_)) => {
            Ok(kit.get::<_, Function<'js>>("wellFormed")?.call::<_, String>((value.clone(),))?)
        }
        other => Ok(other?),
    }
}

fn unfit(kind: &str) -> Failure {
    Failure::fault(format!("a {kind} cannot be turned into JSON"))
}

/// `JSON.stringify` escapes surrogates that stand alone, and only those; as text they are nothing.
fn without_lone_surrogates(mut json: String) -> String {
    let mut from = 0;
    while let Some(at) = json[from..].find('\\').map(|at| from + at) {
        let is_surrogate = json[at + 1..].starts_with("ud") && json.as_bytes()[at + 3] >= b'8';
        if is_surrogate {
            json.replace_range(at + 2..at + 6, "fffd");
        }
        from = at + 2;
    }
    json
}

/// How deep arrays and objects are nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in [("1", 0), (r#""[[\"[""#, 0), (r#"[{"a":[]},{}]"#, 3), ("[[],[]]", 2)] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        let json = |text: &str| without_lone_surrogates(text.to_owned());
        assert_eq!(json(r#"["\ud83d","\\ud83d","\u00e9"]"#), r#"["\ufffd","\\ud83d","\u00e9"]"#);
    }
}
