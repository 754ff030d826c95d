//! What the provider says became of a message (spec 12.5), in either generation.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::address::text;
use super::read_timestamp::read_timestamp;
use super::status_code::{StatusError, UNKNOWN, reason_of};

/// The words of both generations, which are ours as well (spec 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    Submitted,
    Delivered,
    Read,
    Rejected,
    Undeliverable,
}

impl MessageStatus {
    pub const ALL: [Self; 5] =
        [Self::Submitted, Self::Delivered, Self::Read, Self::Rejected, Self::Undeliverable];

    /// The status of that name, in any letter case.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(word))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Rejected => "rejected",
            Self::Undeliverable => "undeliverable",
        }
    }

    /// The message has failed; nothing better is expected.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Rejected | Self::Undeliverable)
    }
}

/// A status of one of our messages.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderStatus {
    /// The id that the provider gave the message.
    pub provider_uuid: Option<String>,
    /// What we sent as `client_ref`. One of it and the provider's id is always there.
    pub client_ref: Option<String>,
    pub status: MessageStatus,
    /// When the provider says that it was reached.
    pub timestamp: Option<DateTime<Utc>>,
    /// Of every failure, and of nothing else.
    pub error: Option<StatusError>,
    /// `{"price": "…", "currency": "…"}` as it came.
    pub usage: Option<Value>,
}

impl ProviderStatus {
    /// Our id of the message, if the status repeats it.
    pub fn message_uuid(&self) -> Option<Uuid> {
        self.client_ref.as_deref().and_then(|reference| Uuid::parse_str(reference.trim()).ok())
    }

    /// Equal for every delivery of the same status of the same message.
    pub fn dedupe_key(&self) -> String {
        let message = self.provider_uuid.as_ref().or(self.client_ref.as_ref());
        let message = message.map(|id| id.to_lowercase()).unwrap_or_default();
        format!("{message}:{}", self.status.as_str())
    }
}

/// A webhook body that says nothing we could use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookFault {
    #[error("the webhook body is not a JSON object")]
    NotAnObject,
    #[error("the webhook names no message: neither `message_uuid` nor `client_ref`")]
    NoMessage,
    #[error("the webhook has no `status`")]
    NoStatus,
    /// Holds the beginning of the word.
    #[error("the status `{0}` is not handled")]
    UnknownStatus(String),
    #[error("the webhook has no message: neither `message` nor `message_type`")]
    NoContent,
    #[error("the webhook does not say who wrote to whom: `from`, `to` or the channel is missing")]
    NoAddresses,
}

/// Reads the body of a status webhook.
pub fn parse_status(body: &Value) -> Result<ProviderStatus, WebhookFault> {
    /// Longer than every status; what comes in is not ours to log at length.
    const SHOWN: usize = 40;
    if !body.is_object() {
        return Err(WebhookFault::NotAnObject);
    }
    let (provider_uuid, client_ref) = (text(&body["message_uuid"]), text(&body["client_ref"]));
    if provider_uuid.is_none() && client_ref.is_none() {
        return Err(WebhookFault::NoMessage);
    }
    let word = text(&body["status"]).ok_or(WebhookFault::NoStatus)?;
    let status = MessageStatus::parse(&word).ok_or_else(|| {
        WebhookFault::UnknownStatus(word.chars().filter(char::is_ascii_graphic).take(SHOWN).collect())
    })?;
    Ok(ProviderStatus {
        provider_uuid,
        client_ref,
        status,
        timestamp: body["timestamp"].as_str().and_then(read_timestamp),
        error: status.is_failure().then(|| read_error(&body["error"])),
        usage: body.get("usage").and_then(read_usage),
    })
}

/// v0.1 writes `code` and `reason`; v1 a problem whose `title` is the code. A code that is not
/// documented is passed on; a failure without one is "unknown".
fn read_error(error: &Value) -> StatusError {
    let (title, detail) = (text(&error["title"]), text(&error["detail"]));
    let code = [&error["code"], &error["title"]].into_iter().find_map(number).unwrap_or(UNKNOWN);
    let named = text(&error["reason"])
        .or_else(|| detail.as_deref().map(before_dash).filter(|reason| !reason.is_empty()))
        .or_else(|| title.filter(|title| title.trim().parse::<i64>().is_err()));
    let reason = named.unwrap_or_else(|| reason_of(code).unwrap_or("Unknown").to_owned());
    StatusError { code, reason }
}

/// `Not part of the provider network - The message …`: the name, and what it means.
fn before_dash(detail: &str) -> String {
    detail.split(" - ").next().unwrap_or(detail).trim().to_owned()
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A price is text wherever we show it, also when it came as a number.
pub(super) fn read_usage(usage: &Value) -> Option<Value> {
    let mut usage = usage.as_object()?.clone();
    if let Some(price) = usage.get_mut("price")
        && let Value::Number(number) = price
    {
        *price = Value::String(number.to_string());
    }
    Some(Value::Object(usage))
}

#[cfg(test)]
mod tests;
