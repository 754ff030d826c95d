//! What a webhook of the voice platform says (spec 7.6): keys that somebody pressed, how a call
//! ended, or something that is accepted and left alone.
//!
//! Workflows see key presses in the shape of the first generation's callback, whichever generation
//! reported them. Pure, like [`super::inbound`].

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::inbound::{InboundError, not_handled};
use super::wire::{digest, read_timestamp, text};
use crate::correlation::dtmf_key;

const CALL_ACTION: &str = "call_action";
const SESSION_SUMMARY: &str = "session_summary";
const CLIENT_REQUEST_ID: &str = "clientRequestId";

/// A webhook that was understood. All of them are answered with 200, and a
/// [call action](VoiceInbound::is_call_action) with what the platform is to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum VoiceInbound {
    KeysPressed(KeysPressed),
    SessionSummary(SessionSummary),
    /// Nothing is done with it; the reason is for the log and holds no personal data.
    Ignored {
        reason: String,
    },
}

/// A capture is over, with keys or without.
#[derive(Debug, Clone, PartialEq)]
pub struct KeysPressed {
    /// The platform's id of the call.
    pub call_id: Option<String>,
    /// As it was given when calling; the current generation does not repeat it.
    pub client_request_id: Option<String>,
    pub sub_account_id: Option<String>,
    /// `step.dtmfData`, in the first generation's shape. `actionDetails.dtmf` is null when nothing
    /// was pressed; `clientRequestId` is missing while it is not known.
    pub dtmf_data: Value,
    /// Equal for every delivery of the same event (spec 7.8).
    pub dedupe_key: String,
}

impl KeysPressed {
    /// The ids under which somebody may wait for these keys, each once.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for id in [&self.call_id, &self.client_request_id].into_iter().flatten() {
            if !ids.iter().any(|known| dtmf_key(known) == dtmf_key(id)) {
                ids.push(id.clone());
            }
        }
        ids
    }

    /// Completes an event with the id that the call was placed under.
    pub fn of_request(&mut self, client_request_id: &str) {
        if self.client_request_id.is_none() {
            self.client_request_id = Some(client_request_id.to_owned());
            self.dtmf_data[CLIENT_REQUEST_ID] = json!(client_request_id);
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSummary {
    pub session_id: String,
    pub sub_account_id: Option<String>,
    pub client_request_id: Option<String>,
    /// In lower case: `completed`, `no_answer`, `busy`, `canceled`, `failed`, `error`, …
    pub state: String,
    /// Compared as the rank of a [receipt](super::receipt) is.
    pub rank: i16,
    /// When the call ended.
    pub changed_at: Option<DateTime<Utc>>,
    pub error_code: Option<i64>,
    pub error_message: Option<String>,
    /// Equal for every delivery of the same summary (spec 7.8).
    pub dedupe_key: String,
    /// The webhook's `payload`.
    pub payload: Value,
}

impl SessionSummary {
    /// A summary is only written when the call is over: it is decided, whatever the state is called.
    pub const RANK: i16 = 3;
}

impl VoiceInbound {
    /// Whether the webhook is one whose answer tells the platform what to do next. It is asked of
    /// the body, because an event that is ignored wants an answer too.
    pub fn is_call_action(body: &Value) -> bool {
        is(&body["namespace"], "voice") && is(&body["eventType"], CALL_ACTION)
    }
}

/// Reads a webhook of the current generation.
pub fn parse_voice(body: &Value) -> Result<VoiceInbound, InboundError> {
    if !body.is_object() {
        return Err(InboundError::NotAnObject);
    }
    if !is(&body["namespace"], "voice") {
        return Ok(ignored("namespace", &body["namespace"]));
    }
    let event = &body["eventType"];
    if ![CALL_ACTION, SESSION_SUMMARY].iter().any(|known| is(event, known)) {
        return Ok(ignored("event type", event));
    }
    let payload = &body["payload"];
    if !payload.is_object() {
        return Err(InboundError::NoPayload);
    }
    if is(event, SESSION_SUMMARY) {
        return Ok(session_summary(payload));
    }
    if !is(&payload["callStatus"], "action_completed") {
        return Ok(ignored("call status", &payload["callStatus"]));
    }
    Ok(VoiceInbound::KeysPressed(action_completed(body)))
}

/// Reads the first generation's callback, which has no envelope.
pub fn parse_dtmf_callback(body: &Value) -> Result<KeysPressed, InboundError> {
    let Value::Object(members) = body else {
        return Err(InboundError::NotAnObject);
    };
    let call_id = text(&body["uid"]);
    let client_request_id = text(&body[CLIENT_REQUEST_ID]);
    if call_id.is_none() && client_request_id.is_none() {
        return Err(InboundError::NoCall);
    }
    let mut dtmf_data = members.clone();
    if client_request_id.is_none() {
        dtmf_data.shift_remove(CLIENT_REQUEST_ID);
    }
    Ok(KeysPressed {
        dedupe_key: match (&call_id, text(&body["status"]["timestamp"])) {
            (Some(uid), Some(timestamp)) => format!("{}:{}:dtmf", uid.to_lowercase(), timestamp.trim()),
            _ => format!("{}:dtmf", digest(body)),
        },
        sub_account_id: text(&body["subAccountId"]),
        call_id,
        client_request_id,
        dtmf_data: Value::Object(dtmf_data),
    })
}

fn action_completed(body: &Value) -> KeysPressed {
    let payload = &body["payload"];
    let client_request_id = text(&payload[CLIENT_REQUEST_ID]);
    let mut dtmf_data = Map::new();
    dtmf_data.insert("uid".to_owned(), payload["sessionId"].clone());
    dtmf_data.insert("status".to_owned(), json!({"code": "DTMF", "timestamp": payload["timestamp"]}));
    dtmf_data.insert("destination".to_owned(), payload["destination"].clone());
    if let Some(id) = &client_request_id {
        dtmf_data.insert(CLIENT_REQUEST_ID.to_owned(), json!(id));
    }
    let keys = match &payload["eventData"]["dtmf"] {
        Value::Number(digits) => json!(digits.to_string()),
        keys => keys.clone(),
    };
    dtmf_data.insert("actionDetails".to_owned(), json!({"dtmf": keys}));
    KeysPressed {
        call_id: text(&payload["sessionId"]),
        client_request_id,
        sub_account_id: text(&payload["subAccountId"]),
        dtmf_data: Value::Object(dtmf_data),
        dedupe_key: match text(&payload["eventId"]) {
            Some(id) => format!("{}:{CALL_ACTION}", id.to_lowercase()),
            None => format!("{}:{CALL_ACTION}", digest(body)),
        },
    }
}

fn session_summary(payload: &Value) -> VoiceInbound {
    let missing = |name: &str| VoiceInbound::Ignored { reason: format!("session summary without `{name}`") };
    let Some(session_id) = text(&payload["sessionId"]) else {
        return missing("sessionId");
    };
    let Some(state) = text(&payload["sessionStatus"]) else {
        return missing("sessionStatus");
    };
    let state = match state.trim().to_lowercase().as_str() {
        // The platform's documents have both spellings of one state.
        "cancelled" => "canceled".to_owned(),
        state => state.to_owned(),
    };
    let error = &payload["errorDetails"];
    let times = [&payload["endTime"], &payload["timestamp"]];
    VoiceInbound::SessionSummary(SessionSummary {
        dedupe_key: format!("{}:{SESSION_SUMMARY}:{state}", session_id.to_lowercase()),
        session_id,
        sub_account_id: text(&payload["subAccountId"]),
        client_request_id: text(&payload[CLIENT_REQUEST_ID]),
        state,
        rank: SessionSummary::RANK,
        changed_at: times.into_iter().find_map(|time| time.as_str().and_then(read_timestamp)),
        error_code: text(&error["errorCode"]).and_then(|code| code.trim().parse().ok()),
        error_message: text(&error["errorMsg"]).or_else(|| text(&error["errorMessage"])),
        payload: payload.clone(),
    })
}

fn is(value: &Value, name: &str) -> bool {
    value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case(name))
}

fn ignored(what: &str, value: &Value) -> VoiceInbound {
    VoiceInbound::Ignored { reason: not_handled(what, value.as_str().unwrap_or_default()) }
}

#[cfg(test)]
mod tests;
