//! Names on the wire match in any letter case (spec 2.1): the exact spelling first, else the first that matches.

use serde_json::{Map, Value};

/// The member `name`, whatever its letter case. `null` equals absent.
pub fn get<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members
        .get(name)
        .or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
        .filter(|value| !value.is_null())
}

/// The member as text: strings as they are, numbers and booleans by their JSON spelling (spec 4.2).
pub fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    match get(members, name)? {
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}
