//! From the inputs of a step to the members of a request: names in any letter case, null is
//! absent, and a value gets the type that the platform wants: expressions inside of a text always
//! make text (spec 4.2). What cannot be read as that type is sent as it is; the platform decides.

use serde_json::{Map, Number, Value};

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

/// Turns text under these names into the number that it spells. A whole number has no fraction,
/// however it was written: `"5.0"` and `5.0` become `5`.
pub(super) fn write_as_number(fields: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = fields.get_mut(*name)
            && let Some(number) = number(value)
        {
            *value = Value::Number(number);
        }
    }
}

/// Turns the texts `true` and `false` under these names into booleans.
pub(super) fn write_as_boolean(fields: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = fields.get_mut(*name)
            && let Some(boolean) =
                value.as_str().and_then(|text| text.trim().to_ascii_lowercase().parse::<bool>().ok())
        {
            *value = Value::Bool(boolean);
        }
    }
}

/// Leaves out what an editor's empty field or an expression without result left there.
pub(super) fn leave_out_blank(fields: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if fields.get(*name).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
            fields.shift_remove(*name);
        }
    }
}

fn number(value: &Value) -> Option<Number> {
    let number = match value {
        Value::String(text) => {
            let text = text.trim();
            text.parse()
                .map(|whole: i64| whole.into())
                .ok()
                .or_else(|| Number::from_f64(text.parse().ok()?))?
        }
        Value::Number(number) => number.clone(),
        _ => return None,
    };
    let plain = number_text(&number).parse().map(|whole: i64| whole.into());
    Some(plain.unwrap_or(number))
}

fn number_or_boolean_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Number(number) => Some(number_text(number)),
        _ => None,
    }
}

/// Spelled as JavaScript spells it: a whole number has no fraction, however it was computed.
fn number_text(number: &Number) -> String {
    /// From here on JavaScript writes an exponent.
    const LARGEST_PLAIN: f64 = 1e21;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < LARGEST_PLAIN => {
            format!("{float:.0}")
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{leave_out_blank, spelled_as, write_as_boolean, write_as_number, write_as_text};

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

    #[test]
    fn text_becomes_the_number_that_it_spells() {
        let mut fields = object(&json!({"a": "5", "b": " 1.5 ", "c": 5.0, "d": 0.5, "e": "-3", "f": "5.0",
            "g": "five", "h": true, "i": [1], "j": "", "k": "NaN", "l": 7, "m": "5e3", "n": "1e300", "o": "1e999",
            "p": "-0.0"}));
        let names: Vec<String> = fields.keys().cloned().collect();
        write_as_number(&mut fields, &names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            Value::Object(fields),
            json!({"a": 5, "b": 1.5, "c": 5, "d": 0.5, "e": -3, "f": 5, "g": "five", "h": true, "i": [1],
                "j": "", "k": "NaN", "l": 7, "m": 5000, "n": 1e300, "o": "1e999", "p": 0})
        );
    }

    #[test]
    fn text_becomes_the_boolean_that_it_spells() {
        let mut fields = object(&json!({"a": "true", "b": " False ", "c": "yes", "d": true, "e": 1}));
        write_as_boolean(&mut fields, &["a", "b", "c", "d", "e", "missing"]);
        assert_eq!(Value::Object(fields), json!({"a": true, "b": false, "c": "yes", "d": true, "e": 1}));
    }

    #[test]
    fn blank_text_is_left_out() {
        let mut fields = object(&json!({"a": "", "b": " ", "c": "x", "d": 0, "e": ""}));
        leave_out_blank(&mut fields, &["a", "b", "c", "d", "missing"]);
        assert_eq!(Value::Object(fields), json!({"c": "x", "d": 0, "e": ""}));
    }
}
