//! The platform's own endpoints: a worker places a call.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use uuid::Uuid;

use super::call::{Call, CallRequest};
use super::check_callflow::check_callflow;
use super::check_single_action::check_single_action;
use super::order::Order;
use super::voice_refusal::VoiceRefusal;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::check_access::{has_api_key, idempotency_key, is_sub_account_id};
use crate::sandbox::memory::{Endpoint, Reception, RequestKey};
use crate::sandbox::provoke_failure::provoked_by;

/// The current API: a list of actions that begins with `makeCall`.
pub(in crate::sandbox) async fn place_by_callflow(
    State(sandbox): State<Sandbox>,
    Path(sub_account_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, VoiceRefusal> {
    let request = admit(&sub_account_id, &headers, &body)?;
    let order = check_callflow(&request, sandbox.now())?;
    place(&sandbox, sub_account_id, &headers, request, order).map(Json)
}

/// The first API: one action.
pub(in crate::sandbox) async fn place_by_action(
    State(sandbox): State<Sandbox>,
    Path(sub_account_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, VoiceRefusal> {
    let request = admit(&sub_account_id, &headers, &body)?;
    let order = check_single_action(&request)?;
    place(&sandbox, sub_account_id, &headers, request, order).map(Json)
}

fn admit(sub_account_id: &str, headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, VoiceRefusal> {
    check_access(sub_account_id, headers)?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(VoiceRefusal::new(StatusCode::BAD_REQUEST, -1001, "Invalid JSON request body")),
    }
}

pub(super) fn check_access(sub_account_id: &str, headers: &HeaderMap) -> Result<(), VoiceRefusal> {
    if !has_api_key(headers) {
        let message = "Authentication header not found or token invalid";
        return Err(VoiceRefusal::new(StatusCode::UNAUTHORIZED, 401, message));
    }
    if !is_sub_account_id(sub_account_id) {
        let message = format!("SubAccount not found by Id : {sub_account_id}");
        return Err(VoiceRefusal::new(StatusCode::NOT_FOUND, 404, message));
    }
    Ok(())
}

fn place(
    sandbox: &Sandbox,
    sub_account_id: String,
    headers: &HeaderMap,
    request: Map<String, Value>,
    order: Order,
) -> Result<Value, VoiceRefusal> {
    let now = sandbox.now();
    let idempotency_key = idempotency_key(headers);
    let endpoint = match order.api {
        VoiceApi::Callflows => Endpoint::Callflows,
        VoiceApi::Calls => Endpoint::Calls,
    };
    let request_key =
        |id: &String| RequestKey { endpoint, sub_account_id: sub_account_id.clone(), id: id.clone() };
    let key = idempotency_key.as_ref().map(request_key);
    let attempts = key.clone().unwrap_or_else(|| request_key(&order.destination));
    let mut calls = sandbox.calls();
    let is_rejected = match calls.receive(key.as_ref(), &attempts, provoked_by(&order.destination)) {
        Reception::Repeated(answer) => return Ok(answer),
        Reception::Refused(fault) => return Err(fault.into()),
        Reception::Rejected => true,
        Reception::Accepted => false,
    };
    let id = Uuid::new_v4();
    let answer = match order.api {
        VoiceApi::Callflows => session_answer(id, request.get("validUntil"), is_rejected),
        VoiceApi::Calls => call_answer(id, &order, is_rejected, &write_timestamp(now)),
    };
    let request = CallRequest { body: Value::Object(request), idempotency_key, answer: answer.clone() };
    let call = Call::new(id, sub_account_id, order, request, now);
    calls.add(if is_rejected { call.rejected(now) } else { call }, key, &attempts);
    Ok(answer)
}

fn session_answer(id: Uuid, valid_until: Option<&Value>, is_rejected: bool) -> Value {
    let request_id = Uuid::new_v4();
    if is_rejected {
        return json!({"sessionStatus": "NOT_CREATED", "callFlowRequestId": request_id, "statusCode": -9999,
            "statusMessage": "The call is rejected by the sandbox"});
    }
    let mut answer = json!({"sessionId": id, "sessionStatus": "CREATED", "callFlowRequestId": request_id,
        "statusCode": 1, "statusMessage": "Created"});
    if let Some(valid_until) = valid_until {
        answer["validUntil"] = valid_until.clone();
    }
    answer
}

fn call_answer(id: Uuid, order: &Order, is_rejected: bool, now: &str) -> Value {
    let (code, description) = if is_rejected {
        ("REJECTED", "Call is rejected by the sandbox")
    } else {
        ("QUEUED", "Call is accepted and queued for processing")
    };
    let mut answer = json!({
        "uid": first_api_uid(id),
        "status": {"code": code, "description": description, "timestamp": now},
        "destination": order.destination,
    });
    if let Some(id) = &order.client_request_id {
        answer["clientRequestId"] = json!(id);
    }
    answer
}

/// The first API writes its ids in capitals.
pub(super) fn first_api_uid(id: Uuid) -> String {
    id.to_string().to_uppercase()
}
