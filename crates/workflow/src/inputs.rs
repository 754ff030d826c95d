//! Names on the wire match in any letter case (spec 2.1): the exact spelling first, else the first that matches.

use serde_json::{Map, Value};

/// The member `name`, whatever its letter case. `null` equals absent.
pub fn get<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    entry(members, name).map(|(_, value)| value)
}

/// The same with the name as it is spelled.
pub fn entry<'a>(members: &'a Map<String, Value>, name: &str) -> Option<(&'a str, &'a Value)> {
    members
        .get_key_value(name)
        .or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.as_str(), value))
}

/// The member as text: strings as they are, numbers and booleans by their JSON spelling (spec 4.2).
pub fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    match get(members, name)? {
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}
