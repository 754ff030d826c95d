//! What is asked for: from where, on which version, with which changes of the context.

use serde_json::{Map, Value, json};

use super::Refusal;
use crate::context::RESERVED;
use crate::ids::Version;
use crate::strict_json::Malformed;

/// Bytes of JSON (U-07).
const MAX_CONTEXT: usize = 1 << 20;
/// Of its changes: they are kept, and read again for every instance of a batch.
const MAX_CHANGES: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    pub from: StartAt,
    pub version: OnVersion,
    /// Members that replace those of the context; `null` removes one.
    pub context: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StartAt {
    #[default]
    Failed,
    Start,
    /// By its id.
    Step(String),
    /// Of a workflow of the Workflows API, counted from 1.
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnVersion {
    #[default]
    Same,
    Newest,
    Number(Version),
}

impl Choice {
    /// What [`Choice::to_value`] writes, and people.
    pub fn read(members: &Map<String, Value>) -> Result<Self, Malformed> {
        let mut choice = Self::default();
        for (name, value) in members {
            match name.as_str() {
                "from" => choice.from = read_from(value)?,
                "version" => choice.version = read_version(value)?,
                "context" => choice.context = read_context(value)?,
                _ => return Err(Malformed::whole(format!("`{name}` is no member of a re-run"))),
            }
        }
        Ok(choice)
    }

    pub fn to_value(&self) -> Value {
        json!({"from": self.from.to_value(), "version": self.version.to_value(), "context": self.context})
    }

    /// What [`Choice::to_value`] wrote, for everybody's eyes: of the context the names of its members, not the values.
    pub fn outline(mut written: Value) -> Value {
        if let Some(Value::Object(context)) = written.get_mut("context").map(Value::take) {
            written["context"] = context.into_iter().map(|(name, _)| Value::String(name)).collect();
        }
        written
    }

    /// The context that the new instance starts with.
    pub fn edit(&self, mut data: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        for (name, value) in &self.context {
            if value.is_null() {
                data.shift_remove(name);
            } else {
                data.insert(name.clone(), value.clone());
            }
        }
        let is_too_large = !self.context.is_empty()
            && serde_json::to_string(&data).is_ok_and(|text| text.len() > MAX_CONTEXT);
        if is_too_large { Err(Refusal::ContextTooLarge) } else { Ok(data) }
    }
}

impl StartAt {
    pub fn to_value(&self) -> Value {
        match self {
            Self::Failed => json!("failed"),
            Self::Start => json!("start"),
            Self::Step(id) => json!({ "step": id }),
            Self::Message(number) => json!({ "message": number }),
        }
    }
}

impl OnVersion {
    pub fn to_value(self) -> Value {
        match self {
            Self::Same => json!("same"),
            Self::Newest => json!("newest"),
            Self::Number(version) => json!(version),
        }
    }
}

fn read_from(value: &Value) -> Result<StartAt, Malformed> {
    match value {
        Value::String(word) if word == "failed" => Some(StartAt::Failed),
        Value::String(word) if word == "start" => Some(StartAt::Start),
        Value::Object(members) if members.len() == 1 => {
            let step = members.get("step").and_then(Value::as_str).map(|id| StartAt::Step(id.to_owned()));
            let number = members.get("message").and_then(Value::as_u64).filter(|number| *number >= 1);
            let number = number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
            step.or(number.map(StartAt::Message))
        }
        _ => None,
    }
    .ok_or_else(|| {
        Malformed::whole(
            "`from` must be `failed`, `start` or an object with `step`, a step's id, or with `message`, the number of \
             a message",
        )
    })
}

fn read_version(value: &Value) -> Result<OnVersion, Malformed> {
    match value {
        Value::String(word) if word == "same" => Some(OnVersion::Same),
        Value::String(word) if word == "newest" => Some(OnVersion::Newest),
        Value::Number(number) => number
            .as_i64()
            .filter(|number| *number >= 1)
            .map(|number| OnVersion::Number(Version::try_from(number).unwrap_or(Version::MAX))),
        _ => None,
    }
    .ok_or_else(|| Malformed::whole("`version` must be `same`, `newest` or a version's number"))
}

fn read_context(value: &Value) -> Result<Map<String, Value>, Malformed> {
    let members = value.as_object().ok_or_else(|| Malformed::whole("`context` must be an object"))?;
    if let Some(name) = members.keys().find(|name| RESERVED.contains(&name.as_str())) {
        let message = format!("`{name}` of the context is the system's and cannot be replaced");
        return Err(Malformed::whole(message));
    }
    if value.to_string().len() > MAX_CHANGES {
        return Err(Malformed::whole("`context` must be at most 64 KiB"));
    }
    Ok(members.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Result<Choice, Malformed> {
        Choice::read(value.as_object().unwrap())
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        for value in [
            json!({"from": "failed", "version": "same", "context": {}}),
            json!({"from": "start", "version": "newest", "context": {"a": null}}),
            json!({"from": {"step": "x"}, "version": 7, "context": {"a": [1]}}),
            json!({"from": {"message": 2}, "version": "same", "context": {}}),
        ] {
            assert_eq!(read(&value).unwrap().to_value(), value);
        }
        assert_eq!(read(&json!({})).unwrap(), Choice::default());
        for wrong in [
            json!({"from": "end"}),
            json!({"from": {"step": 1}}),
            json!({"from": {"message": 0}}),
            json!({"from": {"message": "2"}}),
            json!({"from": {"message": 2, "step": "x"}}),
            json!({"from": {"step": "x", "body": 1}}),
            json!({"version": 0}),
            json!({"version": "7"}),
            json!({"context": []}),
            json!({"context": {"accountId": "other"}}),
            json!({"context": {"a": "x".repeat(MAX_CHANGES)}}),
            json!({"form": "start"}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_of_the_context_are_replaced_and_removed() {
        let edit = |data: &Value, context: Value| {
            read(&json!({ "context": context }))
                .unwrap()
                .edit(data.as_object().unwrap().clone())
                .map(Value::Object)
        };
        let data = json!({"a": 1, "b": 2, "accountId": "acme"});
        let edited = edit(&data, json!({"a": null, "b": {"c": 3}}));
        assert_eq!(edited, Ok(json!({"b": {"c": 3}, "accountId": "acme"})));
        let large = json!({"a": "x".repeat(MAX_CONTEXT - 100)});
        assert_eq!(edit(&large, json!({"b": "x".repeat(100)})), Err(Refusal::ContextTooLarge));
    }

    #[test]
    fn an_outline_has_no_values_of_the_context() {
        let written = json!({"from": "start", "version": 1, "context": {"name": "Ann", "a": [1]}});
        let outline = json!({"from": "start", "version": 1, "context": ["name", "a"]});
        assert_eq!(Choice::outline(written), outline);
    }
}
