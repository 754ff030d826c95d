//! What a user wrote to one of our senders, as the provider hands it over (spec 10). Either
//! generation becomes the members of the webhook that customers are sent.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::address::{Side, address_object, channel_from_v1, text};
use super::read_timestamp::read_timestamp;
use super::status::{WebhookFault, read_usage};

/// A message from a user.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundMessage {
    /// The id that the provider gave it; customers are told one of ours.
    pub provider_uuid: Option<String>,
    /// In the words of v0.1: `sms`, `mms`, `whatsapp`, `viber_service_msg`, `messenger`.
    pub channel: String,
    /// When the provider received it.
    pub timestamp: Option<DateTime<Utc>>,
    /// `{"type": …, "number" or "id": …}`: our sender.
    pub to: Value,
    /// The user, likewise.
    pub from: Value,
    /// `{"content": {"type": …, …}}`, of an SMS also `{"sms": {"num_messages": …}}`.
    pub message: Value,
    /// `{"price": "…", "currency": "…"}` as it came.
    pub usage: Option<Value>,
    /// Equal for every delivery of the same message.
    pub dedupe_key: String,
}

impl InboundMessage {
    /// What a customer is told, with our own id of the message. `now` stands in for a time that the
    /// provider did not say.
    pub fn webhook_body(&self, message_uuid: Uuid, now: DateTime<Utc>) -> Value {
        let received_at = self.timestamp.unwrap_or(now);
        let mut body = json!({
            "message_uuid": message_uuid,
            "timestamp": received_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "to": self.to,
            "from": self.from,
            "message": self.message,
        });
        if let Some(usage) = &self.usage {
            body["usage"] = usage.clone();
        }
        body
    }
}

/// Reads the body of an inbound webhook.
pub fn parse_inbound(body: &Value) -> Result<InboundMessage, WebhookFault> {
    let members = body.as_object().ok_or(WebhookFault::NotAnObject)?;
    let provider_uuid = text(&body["message_uuid"]);
    let (channel, from, to, message) =
        if body["message"].is_object() { read_v0_1(body)? } else { read_v1(members)? };
    let id = provider_uuid.as_ref().map(|id| id.to_lowercase());
    // Repeated deliveries repeat the bytes, and two messages differ at least in their time.
    let id = id.unwrap_or_else(|| format!("{:x}", Sha256::digest(body.to_string())));
    Ok(InboundMessage {
        provider_uuid,
        channel,
        timestamp: body["timestamp"].as_str().and_then(read_timestamp),
        to,
        from,
        message,
        usage: body.get("usage").and_then(read_usage),
        dedupe_key: format!("{id}:inbound"),
    })
}

type Parts = (String, Value, Value, Value);

fn read_v0_1(body: &Value) -> Result<Parts, WebhookFault> {
    let (from, to, message) = (&body["from"], &body["to"], &body["message"]);
    if !message["content"].is_object() {
        return Err(WebhookFault::NoContent);
    }
    let channel = [from, to].into_iter().find_map(|address| text(&address["type"]));
    let channel = channel.filter(|_| from.is_object() && to.is_object()).ok_or(WebhookFault::NoAddresses)?;
    let mut message = message.clone();
    if let Some(parts) = message.pointer_mut("/sms/num_messages")
        && let Some(digits) = text(parts)
    {
        *parts = Value::String(digits);
    }
    Ok((channel.clone(), with_type(&channel, from), with_type(&channel, to), message))
}

/// Of two addresses one may leave the channel to the other.
fn with_type(channel: &str, address: &Value) -> Value {
    let mut address = address.clone();
    if text(&address["type"]).is_none() {
        address["type"] = json!(channel);
    }
    address
}

fn read_v1(body: &Map<String, Value>) -> Result<Parts, WebhookFault> {
    let member = |name: &str| body.get(name).and_then(text);
    let kind = member("message_type").ok_or(WebhookFault::NoContent)?;
    let (channel, from, to) = (member("channel"), member("from"), member("to"));
    let (channel, from, to) = channel
        .zip(from)
        .zip(to)
        .map(|((channel, from), to)| (channel, from, to))
        .ok_or(WebhookFault::NoAddresses)?;
    let channel = channel_from_v1(&channel).to_owned();
    let mut content = Map::from_iter([("type".to_owned(), json!(kind))]);
    if let Some(payload) = body.get(&kind) {
        let payload = if kind == "location" { location(&channel, payload) } else { payload.clone() };
        content.insert(kind, payload);
    }
    let mut message = json!({"content": content});
    if let Some(parts) = body.get("sms").and_then(|sms| sms.get("num_messages")).and_then(text) {
        message["sms"] = json!({"num_messages": parts});
    }
    let from = address_object(&channel, Side::Users, &from);
    let to = address_object(&channel, Side::Ours, &to);
    Ok((channel, from, to, message))
}

/// v1 calls them `lat` and `long` on every channel and may write numbers; ours are texts, and of
/// `WhatsApp` they have long names.
fn location(channel: &str, location: &Value) -> Value {
    let Some(members) = location.as_object() else { return location.clone() };
    let renamed = members.iter().map(|(name, value)| {
        let name = match name.as_str() {
            "lat" if channel == "whatsapp" => "latitude",
            "long" if channel == "whatsapp" => "longitude",
            name => name,
        };
        let value = if value.is_number() { Value::String(value.to_string()) } else { value.clone() };
        (name.to_owned(), value)
    });
    Value::Object(renamed.collect())
}

#[cfg(test)]
mod tests;
