//! A definition without what belongs to where it is saved, in one order of members: as it is kept in a file.

use serde_json::{Map, Value};

/// Given by the server.
const OF_THE_SERVER: [&str; 4] = ["accountId", "id", "version", "createdAt"];

pub(super) fn portable(definition: &Value) -> Value {
    let none = Map::new();
    let members = definition.as_object().unwrap_or(&none);
    let mut portable = Map::new();
    for name in ["subAccountId", "trigger", "status"] {
        let value = members.get(name).filter(|value| !value.is_null());
        portable.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    portable.entry("status").or_insert_with(|| "disabled".into());
    let rest =
        members.iter().filter(|(name, _)| *name != "definition" && !OF_THE_SERVER.contains(&name.as_str()));
    for (name, value) in rest.filter(|(_, value)| !value.is_null()) {
        portable.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let mut blueprint = Map::new();
    let inner = members.get("definition").and_then(Value::as_object).unwrap_or(&none);
    for name in ["name", "steps"] {
        blueprint.extend(inner.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    for (name, value) in inner.iter().filter(|(name, _)| !["id", "version"].contains(&name.as_str())) {
        blueprint.entry(name.clone()).or_insert_with(|| value.clone());
    }
    portable.insert("definition".to_owned(), Value::Object(blueprint));
    Value::Object(portable)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_adds_is_left_out_and_the_order_is_one() {
        let saved = json!({"accountId": "a", "subAccountId": null, "trigger": "schedule", "status": "disabled",
            "id": "1", "version": 2, "createdAt": "now", "definition": {"id": "1", "version": 2, "name": "N",
            "steps": [{"id": "a"}], "note": 1}, "schedule": "* * * * *"});
        let file = json!({"schedule": "* * * * *", "definition": {"note": 1, "steps": [{"id": "a"}], "name": "N"},
            "trigger": "schedule"});
        assert_eq!(portable(&saved).to_string(), portable(&file).to_string());
        let members: Vec<String> = portable(&saved).as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["trigger", "status", "schedule", "definition"]);
    }
}
