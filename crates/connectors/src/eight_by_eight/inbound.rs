//! What a webhook of the messaging platform says (spec 7.1–7.5): a message from a user, a receipt
//! for one of ours, or something that is accepted and left alone.
//!
//! Pure: whether the caller is really the platform, and what follows from the message, is decided
//! by whoever calls [`parse`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use trunkline_workflow::Trigger;

use super::receipt::Receipt;
use super::wire::{digest, read_timestamp, text};
use crate::correlation::{normalise_identity, reply_key};

const MESSAGE_RECEIVED: &str = "inbound_message_received";
const STATUS_CHANGED: &str = "outbound_message_status_changed";

/// A webhook that was understood. All of them are answered with 200.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbound {
    Message(InboundMessage),
    Receipt(Receipt),
    /// Nothing is done with it; the reason is for the log and holds no personal data.
    Ignored {
        reason: String,
    },
}

/// A message from a user. What workflows see as `data` is the webhook body itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// `InboundSms` or `InboundChatApps`. SMS that comes through chat apps is of the latter
    /// (spec 6.1).
    pub trigger: Trigger,
    pub sub_account_id: Option<String>,
    /// The platform's `umid`.
    pub message_id: Option<String>,
    /// In lower case: `sms`, `whatsapp`, `rcs`, …; empty when the webhook names none.
    pub channel: String,
    /// Who wrote it, normalised and each once; a `WhatsApp` user may have a number and an id.
    pub identities: Vec<String>,
    /// When the platform received it.
    pub timestamp: Option<DateTime<Utc>>,
    /// Equal for every delivery of the same message (spec 7.8).
    pub dedupe_key: String,
}

impl InboundMessage {
    /// The keys under which waits for this message may be registered.
    pub fn reply_keys(&self) -> Vec<String> {
        self.identities.iter().map(|identity| reply_key(&self.channel, identity)).collect()
    }
}

/// A body that the platform would not send; answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InboundError {
    #[error("the webhook body is not a JSON object")]
    NotAnObject,
    #[error("the webhook has no `payload` object")]
    NoPayload,
    #[error("the callback names no call: neither `uid` nor `clientRequestId`")]
    NoCall,
}

/// Reads a webhook body.
pub fn parse(body: &Value) -> Result<Inbound, InboundError> {
    if !body.is_object() {
        return Err(InboundError::NotAnObject);
    }
    if is_flat_sms(body) {
        return Ok(Inbound::Message(flat_sms(body)));
    }
    let namespace = body["namespace"].as_str().unwrap_or_default();
    let event_type = body["eventType"].as_str().unwrap_or_default();
    let is_sms = namespace.eq_ignore_ascii_case("SMS");
    if !is_sms && !namespace.eq_ignore_ascii_case("ChatApps") {
        return Ok(ignored("namespace", namespace));
    }
    let is_message = event_type.eq_ignore_ascii_case(MESSAGE_RECEIVED);
    if !is_message && !event_type.eq_ignore_ascii_case(STATUS_CHANGED) {
        return Ok(ignored("event type", event_type));
    }
    let payload = &body["payload"];
    if !payload.is_object() {
        return Err(InboundError::NoPayload);
    }
    Ok(match (is_message, is_sms) {
        (true, true) => {
            Inbound::Message(message(body, Trigger::InboundSms, "sms", [text(&payload["source"]), None]))
        }
        (true, false) => {
            let user = &payload["user"];
            let channel = payload["recipient"]["channel"].as_str().unwrap_or_default();
            let identities = [text(&user["channelUserId"]), text(&user["msisdn"])];
            Inbound::Message(message(body, Trigger::InboundChatApps, channel, identities))
        }
        (false, _) => receipt(payload, is_sms),
    })
}

fn message(body: &Value, trigger: Trigger, channel: &str, identities: [Option<String>; 2]) -> InboundMessage {
    let payload = &body["payload"];
    from_user(body, payload, &payload["timestamp"], trigger, channel, identities)
}

/// The format of the platform's predecessor: the members of the payload stand at the top.
fn is_flat_sms(body: &Value) -> bool {
    body.get("payload").is_none_or(Value::is_null)
        && body["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("inbound"))
        && !body["source"].is_null()
}

fn flat_sms(body: &Value) -> InboundMessage {
    let identities = [text(&body["source"]), None];
    from_user(body, body, &body["receivedAt"], Trigger::InboundSms, "sms", identities)
}

fn from_user(
    body: &Value,
    payload: &Value,
    timestamp: &Value,
    trigger: Trigger,
    channel: &str,
    identities: [Option<String>; 2],
) -> InboundMessage {
    let message_id = text(&payload["umid"]);
    let mut distinct = Vec::new();
    for identity in identities.into_iter().flatten() {
        let identity = normalise_identity(&identity);
        if !distinct.contains(&identity) {
            distinct.push(identity);
        }
    }
    InboundMessage {
        trigger,
        sub_account_id: text(&payload["subAccountId"]),
        dedupe_key: match &message_id {
            Some(umid) => format!("{}:{MESSAGE_RECEIVED}", umid.to_lowercase()),
            None => format!("{}:{MESSAGE_RECEIVED}", digest(body)),
        },
        message_id,
        channel: channel.trim().to_lowercase(),
        identities: distinct,
        timestamp: timestamp.as_str().and_then(read_timestamp),
    }
}

fn receipt(payload: &Value, is_sms: bool) -> Inbound {
    let Some(umid) = text(&payload["umid"]) else {
        return Inbound::Ignored { reason: "receipt without `umid`".to_owned() };
    };
    let status = &payload["status"];
    let Some(state) = text(&status["state"]) else {
        return Inbound::Ignored { reason: "receipt without `status.state`".to_owned() };
    };
    let state = state.to_lowercase();
    let channel = if is_sms { "sms" } else { payload["channel"].as_str().unwrap_or_default() };
    let timestamp = [&status["timestamp"], &payload["timestamp"]];
    Inbound::Receipt(Receipt {
        dedupe_key: format!("{}:{STATUS_CHANGED}:{state}", umid.to_lowercase()),
        umid,
        sub_account_id: text(&payload["subAccountId"]),
        client_message_id: text(&payload["clientMessageId"]),
        channel: channel.trim().to_lowercase(),
        rank: Receipt::rank_of(&state),
        state,
        detail: text(&status["detail"]),
        timestamp: timestamp.into_iter().find_map(|time| time.as_str().and_then(read_timestamp)),
        error_code: status["errorCode"]
            .as_i64()
            .or_else(|| status["errorCode"].as_str().and_then(|code| code.trim().parse().ok())),
        error_message: text(&status["errorMessage"]),
    })
}

fn ignored(what: &str, value: &str) -> Inbound {
    Inbound::Ignored { reason: not_handled(what, value) }
}

/// Why something is ignored, for the log.
pub(super) fn not_handled(what: &str, value: &str) -> String {
    /// Longer than every name that the platform uses; what comes in is not ours to log at length.
    const SHOWN: usize = 40;
    let shown: String = value.chars().filter(char::is_ascii_graphic).take(SHOWN).collect();
    format!("{what} `{shown}` is not handled")
}

#[cfg(test)]
mod tests;
