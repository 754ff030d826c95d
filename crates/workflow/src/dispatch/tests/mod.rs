//! Requests that are accepted and requests that are not, by the numbers of the checklist.

use serde_json::{Value, json};

use super::{Channel, Dispatch, InvalidParameter, Message, RequestError, parse, parse_message};

mod content;
mod failover;
mod options;
mod parties;
mod top_level;

/// A text to somebody, on this channel.
fn step(channel: Channel) -> Value {
    let (from, to) = match channel {
        Channel::Messenger => (json!({"id": "1000000000000001"}), json!({"id": "2000000000000002"})),
        Channel::ViberServiceMsg => (json!({"id": "4711"}), json!({"number": "447700900000"})),
        _ => (json!({"number": "447700900001"}), json!({"number": "447700900000"})),
    };
    let mut step = json!({
        "from": from,
        "to": to,
        "message": {"content": {"type": "text", "text": "Your parcel is here"}},
    });
    step["from"]["type"] = channel.as_str().into();
    step["to"]["type"] = channel.as_str().into();
    step
}

fn with(mut value: Value, pointer: &str, member: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = member,
        _ => parent[name] = member,
    }
    value
}

fn without(mut value: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(name).unwrap();
    value
}

fn canonical() -> Value {
    let first =
        with(step(Channel::Messenger), "/failover", json!({"expiry_time": 600, "condition_status": "read"}));
    json!({"template": "failover", "workflow": [first, step(Channel::Sms)]})
}

fn accepted(body: &Value) -> Dispatch {
    parse(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

fn accepted_step(step: &Value) -> Message {
    parse_message(step.to_string().as_bytes()).unwrap_or_else(|error| panic!("{step}: {error:?}"))
}

fn list<T: std::fmt::Debug>(result: Result<T, RequestError>) -> Vec<InvalidParameter> {
    match result {
        Err(RequestError::InvalidParameters(list)) => list,
        other => panic!("expected a list: {other:?}"),
    }
}

fn names(list: Vec<InvalidParameter>) -> Vec<String> {
    list.into_iter().map(|parameter| parameter.name).collect()
}

/// The names that a workflow is refused for.
fn refused(body: &Value) -> Vec<String> {
    names(list(parse(body.to_string().as_bytes())))
}

/// What a message is refused for: the one name and the reason.
fn flaw(step: &Value) -> (String, String) {
    let mut list = list(parse_message(step.to_string().as_bytes()));
    assert_eq!(list.len(), 1, "{step}: {list:?}");
    let InvalidParameter { name, reason } = list.remove(0);
    (name, reason)
}

fn names_of_step(step: &Value) -> Vec<String> {
    names(list(parse_message(step.to_string().as_bytes())))
}
