//! The webhooks of a call, as the platform writes them (spec 7.6).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use uuid::Uuid;

use super::call::{Call, SessionStatus};
use crate::sandbox::country_of::country_of;

/// The callflow in the answer to `ACTION_COMPLETED` cannot be used (spec 2.17.4).
const INVALID_CALLFLOW: i64 = -2003;

pub(super) fn call_status(call: &Call, status: &str, sip_code: Option<u16>, now: DateTime<Utc>) -> Value {
    json!({
        "namespace": "VOICE",
        "eventType": "CALL_STATUS",
        "description": "Status update of a call",
        "payload": payload(call, status, None, sip_code, now),
    })
}

/// A capture is finished; `dtmf` is null when nothing was captured.
pub(super) fn action_completed(call: &Call, dtmf: Option<&str>, now: DateTime<Utc>) -> Value {
    let event_data = json!({"dtmf": dtmf});
    json!({
        "namespace": "VOICE",
        "eventType": "CALL_ACTION",
        "description": "Action request of a call",
        "payload": payload(call, "ACTION_COMPLETED", Some(event_data), Some(200), now),
    })
}

fn payload(
    call: &Call,
    status: &str,
    event_data: Option<Value>,
    sip_code: Option<u16>,
    now: DateTime<Utc>,
) -> Map<String, Value> {
    let mut payload = Map::new();
    let mut add = |name: &str, value: Value| payload.insert(name.to_owned(), value);
    add("eventId", json!(Uuid::new_v4()));
    add("callId", json!(call.session.call_id));
    add("sessionId", json!(call.uid));
    add("subAccountId", json!(call.sub_account_id));
    add("callStatus", json!(status));
    add("callDirection", json!("OUTBOUND"));
    add("callType", json!("PSTN"));
    for (name, value) in parties(call) {
        add(name, value);
    }
    add("callDuration", json!(call.duration(now)));
    if let Some(event_data) = event_data {
        add("eventData", event_data);
    }
    if let Some(sip_code) = sip_code {
        add("sipCode", json!(sip_code));
    }
    add("timestamp", json!(write_timestamp(now)));
    if let Some(id) = &call.session.client_action_id {
        add("clientActionId", json!(id));
    }
    payload
}

pub(super) fn session_summary(call: &Call, status: SessionStatus, now: DateTime<Utc>) -> Value {
    let mut leg = Map::new();
    let mut add = |name: &str, value: Value| leg.insert(name.to_owned(), value);
    add("callId", json!(call.session.call_id));
    add("callDirection", json!("OUTBOUND"));
    add("callType", json!("PSTN"));
    add("initiatedTimestamp", json!(call.sent_at));
    if let Some(answered_at) = call.answered_at {
        add("connectedTimestamp", json!(answered_at));
    }
    add("disconnectedTimestamp", json!(write_timestamp(now)));
    for (name, value) in parties(call) {
        add(name, value);
    }
    // The line itself is fine when the callflow is not.
    let leg_status = if status == SessionStatus::Error { SessionStatus::Completed } else { status };
    add("callStatus", json!(leg_status));
    add("callDuration", json!(call.duration(now)));

    let mut payload = Map::new();
    let mut add = |name: &str, value: Value| payload.insert(name.to_owned(), value);
    add("sessionId", json!(call.uid));
    add("subAccountId", json!(call.sub_account_id));
    add("sessionStatus", json!(status));
    add("startTime", json!(call.sent_at));
    add("endTime", json!(write_timestamp(now)));
    add("lastAction", json!(call.session.last_action));
    add("callCount", json!(1));
    if let Some(id) = &call.client_request_id {
        add("clientRequestId", json!(id));
    }
    if status == SessionStatus::Error {
        add("errorDetails", json!({"errorMsg": "Invalid call flow", "errorCode": INVALID_CALLFLOW}));
    }
    add("details", json!({"callA": leg}));
    json!({
        "namespace": "VOICE",
        "eventType": "SESSION_SUMMARY",
        "description": "Summary of a completed call session",
        "version": 5,
        "payload": payload,
    })
}

/// What the first API posts to the `dtmfCallbackUrl`.
pub(super) fn legacy_dtmf(call: &Call, digits: &str, now: DateTime<Utc>) -> Value {
    let mut event = json!({
        "uid": call.uid,
        "status": {"code": "DTMF", "timestamp": write_timestamp(now)},
        "destination": call.destination,
    });
    if let Some(id) = &call.client_request_id {
        event["clientRequestId"] = json!(id);
    }
    event["actionDetails"] = json!({"dtmf": digits});
    event
}

/// Both ends. A country that cannot be told from the number is left out.
fn parties(call: &Call) -> Vec<(&'static str, Value)> {
    let mut parties = vec![
        ("source", json!(call.source)),
        ("destination", json!(call.destination)),
        ("sourceFormat", json!("MSISDN")),
        ("destinationFormat", json!("MSISDN")),
    ];
    for (name, number) in [("sourceCountryCode", &call.source), ("destinationCountryCode", &call.destination)]
    {
        if let Some(country) = country_of(number) {
            parties.push((name, json!(country)));
        }
    }
    parties
}
