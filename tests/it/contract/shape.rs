//! What an answer lacks of an example: members, and whether a thing is an object, an array or neither. Of what
//! type the other values are is the schema's business.

use serde_json::Value;

pub fn differences(example: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(example, ours, "", &mut found);
    found
}

fn compare(example: &Value, ours: &Value, place: &str, found: &mut Vec<String>) {
    match (example, ours) {
        (Value::Object(example), Value::Object(ours)) => {
            // What the user sent, whatever the example's user sent.
            for (name, example) in example.iter().filter(|(name, _)| *name != "steps") {
                match ours.get(name) {
                    Some(ours) => compare(example, ours, &format!("{place}/{name}"), found),
                    None => found.push(format!("{place}: lacks `{name}` of the example")),
                }
            }
        }
        (Value::Array(example), Value::Array(ours)) => {
            // An empty list has nothing to compare.
            let Some(first) = ours.first() else { return };
            for example in example {
                let namesake = ours.iter().find(|ours| {
                    ["id", "name"]
                        .iter()
                        .any(|key| ours.get(key).is_some() && ours.get(key) == example.get(key))
                });
                compare(example, namesake.unwrap_or(first), &format!("{place}/*"), found);
            }
        }
        _ if kind(example) != kind(ours) => {
            found.push(format!("{place}: is {} where the example is {}", kind(ours), kind(example)));
            if let Some(first) = ours.get(0) {
                compare(example, first, &format!("{place}/*"), found);
            }
        }
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        _ => "no collection",
    }
}
