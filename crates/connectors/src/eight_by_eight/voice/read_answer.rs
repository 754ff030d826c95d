//! What the platform's answer to a call means (spec 8.4.3 and 8.4.4).
//!
//! ```text
//! 2xx and CREATED      placed
//! 429                  retry: there is no call
//! anything else        failed, 2xx with another `sessionStatus` included
//! ```

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::PlacedCall;
use super::read_call::{CLIENT_REQUEST_ID, Call};
use crate::clock;
use crate::eight_by_eight::config::VoiceApi;
use crate::eight_by_eight::product::Product;
use crate::eight_by_eight::wire::{text, write_timestamp};
use crate::outbound::{OutboundResponse, parse_json_body};
use crate::send_failure::{SendFailure, because};

/// `statusCode` of a callflow entry that is not one (spec 2.17.3).
const BAD_ENTRY: i64 = -1009;

/// Whether the call was refused for its client request id, or for a reason that is not told in
/// particular. A refused call was not placed, so asking again is safe.
pub(super) fn objects_to_client_request_id(response: &OutboundResponse) -> bool {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let code = &body["statusCode"];
    let is_bad_entry = code.as_i64().or_else(|| code.as_str()?.trim().parse().ok()) == Some(BAD_ENTRY);
    let is_created = body["sessionStatus"].as_str().is_some_and(is_created);
    let message = body["statusMessage"].as_str().unwrap_or_default();
    let names_it = message.to_lowercase().contains(&CLIENT_REQUEST_ID.to_lowercase());
    let names_something = message.contains("$.");
    is_bad_entry && !is_created && (names_it || !names_something)
}

pub(super) fn read_answer(
    response: &OutboundResponse,
    call: Call,
    api: VoiceApi,
    now: DateTime<Utc>,
) -> Result<PlacedCall, SendFailure> {
    if !response.is_success() {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let message = refusal(&body, response, None);
        return Err(SendFailure::refused(response, message, clock::now()));
    }
    let body = parse_json_body(&response.body).map_err(SendFailure::failed)?;
    let Value::Object(answer) = body else {
        return Err(not_understood());
    };
    let id = |name: &str| answer.get(name).and_then(text);
    let (session_id, uid) = (id("sessionId"), id("uid"));
    match answer.get("sessionStatus").and_then(Value::as_str) {
        Some(status) if is_created(status) => {}
        Some(status) => {
            let reason = format!("the session status is `{status}`");
            return Err(SendFailure::failed(refusal(&Value::Object(answer), response, Some(&reason))));
        }
        // The first generation has no such member: a call with an id is a call.
        None if api == VoiceApi::Calls && uid.is_some() => {}
        None => {
            let answer = Value::Object(answer);
            let explained = answer["statusMessage"].is_string() || answer["message"].is_string();
            return Err(if explained {
                SendFailure::failed(refusal(&answer, response, None))
            } else {
                not_understood()
            });
        }
    }
    let session_id = session_id.or(uid).ok_or_else(not_understood)?;
    let client_request_id = call.client_request_id.clone().or_else(|| id(CLIENT_REQUEST_ID));
    Ok(PlacedCall {
        response: enriched(answer, &call, &session_id, now),
        session_id,
        client_request_id,
        destination: call.destination().map(str::to_owned),
        sub_account_id: call.sub_account_id,
    })
}

/// The voice API has its own names for these; what stands in front of it answers like the others.
fn refusal(body: &Value, response: &OutboundResponse, otherwise: Option<&str>) -> String {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| text(body.get(name)?));
    let reason = first(["statusMessage", "message"]);
    let error_id = first(["callFlowRequestId", "errorId"]);
    because(Product::Voice.message_noun(), reason.as_deref().or(otherwise), error_id.as_deref(), response)
}

fn not_understood() -> SendFailure {
    SendFailure::failed("The answer to the voice message is not in the platform's format.")
}

/// The answer, with what workflows of older generations read from it where it is missing.
fn enriched(mut answer: Map<String, Value>, call: &Call, session_id: &str, now: DateTime<Utc>) -> Value {
    let status = json!({
        "code": answer.get("sessionStatus"),
        "description": answer.get("statusMessage"),
        "timestamp": write_timestamp(now),
    });
    let expected = [
        (CLIENT_REQUEST_ID, call.client_request_id.clone().map(Value::String)),
        ("uid", Some(json!(session_id))),
        ("destination", call.params.get("destination").cloned()),
        ("status", Some(status)),
    ];
    for (name, value) in expected {
        if let Some(value) = value
            && answer.get(name).is_none_or(Value::is_null)
        {
            answer.insert(name.to_owned(), value);
        }
    }
    Value::Object(answer)
}

fn is_created(status: &str) -> bool {
    status.trim().eq_ignore_ascii_case("CREATED")
}
