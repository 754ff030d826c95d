//! JSON as `JSON.stringify` writes it.

use serde_json::{Map, Value};

use super::number_text::number_text;

/// Appends a value as compact JSON, with JavaScript's numbers and its order of keys.
pub(crate) fn push_json_text(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number.as_f64().unwrap_or_default())),
        Value::String(text) => push_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_json_text(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (key, value)) in in_javascript_order(members).into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_string(key, out);
                out.push(':');
                push_json_text(value, out);
            }
            out.push('}');
        }
    }
}

fn push_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a string is always JSON"));
}

/// Whether JavaScript lists these members in another order than the one in which they were set.
pub(super) fn has_indices(members: &Map<String, Value>) -> bool {
    members
        .keys()
        .any(|key| key.as_bytes().first().is_some_and(u8::is_ascii_digit) && array_index(key).is_some())
}

/// The members in the order in which JavaScript lists them: array indices first, in ascending order.
pub(super) fn in_javascript_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut ordered: Vec<_> = members.iter().collect();
    if has_indices(members) {
        ordered.sort_by_key(|(key, _)| array_index(key).unwrap_or(u32::MAX));
    }
    ordered
}

/// The key as an array index, if it is written exactly as one.
pub(super) fn array_index(key: &str) -> Option<u32> {
    let canonical = key.len() <= 10
        && key.bytes().all(|byte| byte.is_ascii_digit())
        && (key == "0" || !key.starts_with('0'));
    if !canonical {
        return None;
    }
    key.parse().ok().filter(|index| *index < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_written_as_javascript_writes_it() {
        let mut text = String::new();
        push_json_text(&json!({"b": 1.0, "10": [1e21, null, true], "2": "a\"\n\u{1}é", "": {}}), &mut text);
        assert_eq!(text, r#"{"2":"a\"\n\u0001é","10":[1e+21,null,true],"b":1,"":{}}"#);
    }

    #[test]
    fn array_indices_are_canonical() {
        assert_eq!(array_index("0"), Some(0));
        assert_eq!(array_index("4294967294"), Some(4_294_967_294));
        for key in ["", "00", "01", "-1", "1.5", "4294967295", "99999999999", "a"] {
            assert_eq!(array_index(key), None, "{key}");
        }
    }
}
