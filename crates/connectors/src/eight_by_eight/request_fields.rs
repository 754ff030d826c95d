//! From the inputs of a step to the members of a request: names in any letter case, null is
//! absent, and numbers and booleans become text where the platform wants text (spec 4.2).

use serde_json::{Map, Value};

/// The inputs with every known name in the platform's spelling. Unknown names stay as written;
/// of two spellings of one name the exact one counts.
pub(super) fn spelled_as(known: &[&str], inputs: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in inputs {
        if value.is_null() {
            continue;
        }
        match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) if known != name && inputs.get(*known).is_some_and(|exact| !exact.is_null()) => {}
            Some(known) => {
                fields.entry(*known).or_insert_with(|| value.clone());
            }
            None => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    fields
}

/// Turns numbers and booleans under these names into text.
pub(super) fn write_as_text(fields: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = fields.get_mut(*name)
            && let Some(text) = number_or_boolean_text(value)
        {
            *value = Value::String(text);
        }
    }
}

/// Spelled as JavaScript spells them: a whole number has no fraction, however it was computed.
fn number_or_boolean_text(value: &Value) -> Option<String> {
    /// From here on JavaScript writes an exponent.
    const LARGEST_PLAIN: f64 = 1e21;
    match value {
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < LARGEST_PLAIN => {
                format!("{float:.0}")
            }
            _ => number.to_string(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{spelled_as, write_as_text};

    fn object(value: &Value) -> serde_json::Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn known_names_take_the_platforms_spelling_and_unknown_ones_keep_theirs() {
        let inputs =
            object(&json!({"Destination": "1", "TEXT": "t", "Track": null, "ClientIP": "ip", "xY": 1}));
        let fields = spelled_as(&["destination", "text", "track", "clientIp"], &inputs);
        assert_eq!(
            Value::Object(fields),
            json!({"destination": "1", "text": "t", "clientIp": "ip", "xY": 1})
        );
    }

    #[test]
    fn of_two_spellings_the_exact_one_counts() {
        for inputs in [json!({"TEXT": "a", "text": "b"}), json!({"text": "b", "TEXT": "a"})] {
            assert_eq!(Value::Object(spelled_as(&["text"], &object(&inputs))), json!({"text": "b"}));
        }
        let null = object(&json!({"TEXT": "a", "text": null}));
        assert_eq!(Value::Object(spelled_as(&["text"], &null)), json!({"text": "a"}));
    }

    #[test]
    fn numbers_and_booleans_become_text_as_javascript_writes_them() {
        let mut fields = object(
            &json!({"a": 6_590_001_111_u64, "b": 5.0, "c": 1.5, "d": true, "e": -3, "f": {"x": 1}, "g": 6_590_001_111.0}),
        );
        write_as_text(&mut fields, &["a", "b", "c", "d", "e", "f", "g", "missing"]);
        assert_eq!(
            Value::Object(fields),
            json!({"a": "6590001111", "b": "5", "c": "1.5", "d": "true", "e": "-3", "f": {"x": 1}, "g": "6590001111"})
        );
    }
}
