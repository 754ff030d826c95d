//! Takes a good body apart: every place in it, every text in it.

use serde_json::{Map, Value, json};

/// The JSON pointer of every value in a document, its own among them.
pub fn places(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, String::new(), &mut found);
    found
}

fn collect(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect(value, format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (position, value) in items.iter().enumerate() {
                collect(value, format!("{place}/{position}"), found);
            }
        }
        _ => {}
    }
    found.push(place);
}

/// Something of every type of JSON.
pub fn replacements() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5),
        json!(1e300),
        json!(""),
        json!("text"),
        json!([]),
        json!(["text"]),
        json!([[{}]]),
        json!({}),
        json!({"member": 1}),
    ]
}

const MARK: &str = "replace this";

/// The document as text, once for each text in it, be it key or value, with that text replaced. The
/// replacement is written as it is: it may hold escapes that no value can.
pub fn altered_strings(document: &Value, replacement: &str) -> Vec<String> {
    let mut altered = Vec::new();
    for place in places(document) {
        let value = document.pointer(&place).unwrap();
        if value.is_string() {
            altered.push(with(document, &place, MARK.into()));
        }
        for key in value.as_object().into_iter().flat_map(Map::keys) {
            let members = value.as_object().unwrap().iter();
            let renamed = members.map(|(name, value)| {
                (if name == key { MARK.to_owned() } else { name.clone() }, value.clone())
            });
            altered.push(with(document, &place, Value::Object(renamed.collect())));
        }
    }
    altered.into_iter().map(|body| body.to_string().replace(MARK, replacement)).collect()
}

fn with(document: &Value, place: &str, value: Value) -> Value {
    let mut document = document.clone();
    *document.pointer_mut(place).unwrap() = value;
    document
}

/// The document as text, once for each member in it, with that member standing there twice.
pub fn repeated_members(document: &Value) -> Vec<String> {
    let mut repeated = Vec::new();
    for place in places(document) {
        let Some(members) = document.pointer(&place).unwrap().as_object() else { continue };
        for name in members.keys() {
            let mut members = members.clone();
            members.insert(MARK.to_owned(), members[name].clone());
            let text = with(document, &place, members.into()).to_string();
            repeated.push(text.replacen(
                &Value::from(MARK).to_string(),
                &Value::from(name.as_str()).to_string(),
                1,
            ));
        }
    }
    repeated
}
