//! `data` with the outputs that are assigned so far, as JSON and without a copy.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

pub(super) struct AssignedData<'a> {
    pub data: &'a Map<String, Value>,
    pub assigned: &'a [(String, Value)],
}

impl Serialize for AssignedData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.assigned.is_empty() {
            return self.data.serialize(serializer);
        }
        let latest =
            |name: &str| self.assigned.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.data {
            map.serialize_entry(key, latest(key).unwrap_or(value))?;
        }
        for (at, (key, _)) in self.assigned.iter().enumerate() {
            let is_first = !self.assigned[..at].iter().any(|(earlier, _)| earlier == key);
            if is_first && !self.data.contains_key(key) {
                map.serialize_entry(key, &latest(key))?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_assignment_of_a_key_counts_and_keys_keep_their_place() {
        let data = json!({"a": 1, "b": 2}).as_object().unwrap().clone();
        let assigned =
            [("c".to_owned(), json!(3)), ("a".to_owned(), json!(4)), ("c".to_owned(), json!(null))];
        let text = serde_json::to_string(&AssignedData { data: &data, assigned: &assigned }).unwrap();
        assert_eq!(text, r#"{"a":4,"b":2,"c":null}"#);
    }
}
