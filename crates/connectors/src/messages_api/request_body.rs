//! The body of a request, in either generation (spec 12.1, 12.2).
//!
//! The customer's `client_ref` is not sent: ours goes in its place, because the provider repeats it
//! in every status, so that a status finds its message even when the answer to the send was lost.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{ID, NUMBER, Side, bare_address, channel_in_v1, text};
use super::config::Version;
use super::outgoing_message::OutgoingMessage;

const CLIENT_REF: &str = "client_ref";

pub(super) fn request_body(message: &OutgoingMessage, version: Version, message_uuid: Uuid) -> Value {
    let mut body = match version {
        Version::V0_1 => v0_1(message),
        Version::V1 => v1(message),
    };
    body.insert(CLIENT_REF.to_owned(), json!(message_uuid));
    Value::Object(body)
}

/// The step as it was given.
fn v0_1(message: &OutgoingMessage) -> Map<String, Value> {
    let mut content = message.message.clone();
    if let Some(content) = content.get_mut("content") {
        let template = content.get_mut("template");
        template.into_iter().for_each(write_parameters_as_text);
    }
    Map::from_iter([
        ("from".to_owned(), Value::Object(addresses_as_text(&message.from))),
        ("to".to_owned(), Value::Object(addresses_as_text(&message.to))),
        ("message".to_owned(), Value::Object(content)),
    ])
}

/// The flat form: of the content only the member that its type names, of the options only those of
/// the channel.
fn v1(message: &OutgoingMessage) -> Map<String, Value> {
    let channel = message.channel();
    let content = message.message.get("content");
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("channel", Some(json!(channel_in_v1(channel))));
    put("message_type", content.and_then(|content| content.get("type")).cloned());
    put("to", bare_address(&message.to, channel, Side::Users).map(Value::String));
    put("from", bare_address(&message.from, channel, Side::Ours).map(Value::String));
    if let Some(kind) = content.and_then(|content| content.get("type")?.as_str()) {
        let mut payload = content.and_then(|content| content.get(kind)).cloned();
        if kind == "template" {
            payload.as_mut().into_iter().for_each(write_parameters_as_text);
        }
        put(kind, payload);
    }
    put(channel_in_v1(channel), message.message.get(channel).cloned());
    body
}

/// Addresses that were written as numbers become text; other members stay.
fn addresses_as_text(address: &Map<String, Value>) -> Map<String, Value> {
    let mut address = address.clone();
    for member in [ID, NUMBER] {
        if let Some(value) = address.get_mut(member)
            && let Some(digits) = text(value)
        {
            *value = Value::String(digits);
        }
    }
    address
}

/// A template's parameters were once written `{"default": "…"}`; what is sent are texts.
fn write_parameters_as_text(template: &mut Value) {
    let Some(Value::Array(parameters)) = template.get_mut("parameters") else { return };
    for parameter in parameters {
        let value = parameter.get("default").unwrap_or(parameter);
        let as_text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        if let Some(text) = as_text {
            *parameter = Value::String(text);
        }
    }
}
