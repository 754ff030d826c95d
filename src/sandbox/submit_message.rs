//! The platform's own endpoints: a worker hands a message in.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use uuid::Uuid;

use super::carrier::Sandbox;
use super::check_access::{check_access, idempotency_key};
use super::check_chat_message::check_chat_message;
use super::check_sms::check_sms;
use super::memory::{Reception, RequestKey};
use super::outbox::{OutboxMessage, Product};
use super::provoke_failure::{Fault, provoked_by};
use super::refusal::{Invalid, Refusal};
use super::request_body::json_object;
use super::sms_encoding::encoding_of;
use super::submission::Submission;

pub(super) async fn submit_sms(
    State(sandbox): State<Sandbox>,
    Path(sub_account_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let now = sandbox.now();
    let request = admit(&sub_account_id, &headers, &body, now)?;
    let submission = check_sms(&request, now).map_err(|invalid| invalid.at(now))?;
    submit(&sandbox, sub_account_id, &headers, request, submission, now).map(Json)
}

pub(super) async fn submit_chat_message(
    State(sandbox): State<Sandbox>,
    Path(sub_account_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let now = sandbox.now();
    let request = admit(&sub_account_id, &headers, &body, now)?;
    let submission = check_chat_message(&request).map_err(|invalid| invalid.at(now))?;
    submit(&sandbox, sub_account_id, &headers, request, submission, now).map(Json)
}

/// Key, subaccount and JSON.
fn admit(
    sub_account_id: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Map<String, Value>, Refusal> {
    check_access(sub_account_id, headers, now)?;
    json_object(body).map_err(|invalid| invalid.at(now))
}

fn submit(
    sandbox: &Sandbox,
    sub_account_id: String,
    headers: &HeaderMap,
    request: Map<String, Value>,
    submission: Submission,
    now: DateTime<Utc>,
) -> Result<Value, Refusal> {
    let idempotency_key = idempotency_key(headers);
    let request_key = |id: &String| RequestKey {
        endpoint: submission.product.into(),
        sub_account_id: sub_account_id.clone(),
        id: id.clone(),
    };
    // Authors may give several messages one client message id; it stands in only where nothing
    // better tells a repetition from a new message.
    let key = idempotency_key.as_ref().or(submission.client_message_id.as_ref()).map(request_key);
    let attempts = key.clone().unwrap_or_else(|| request_key(&submission.destination));
    let mut outbox = sandbox.outbox();
    let is_rejected = match outbox.receive(key.as_ref(), &attempts, provoked_by(&submission.destination)) {
        Reception::Repeated(answer) => return Ok(answer),
        Reception::Refused(fault) => return Err(refusal(fault, now)),
        Reception::Rejected => true,
        Reception::Accepted => false,
    };

    let umid = Uuid::new_v4();
    let answer = match submission.product {
        Product::Sms => sms_answer(umid, &submission, &request, is_rejected),
        Product::ChatApps | Product::Messages => chat_answer(umid, &submission, &request, is_rejected, now),
    };
    let state = if is_rejected { "rejected" } else { "queued" };
    let message = OutboxMessage {
        umid,
        product: submission.product,
        version: None,
        channel: submission.channel,
        sub_account_id: Some(sub_account_id),
        destination: submission.destination,
        body: submission.body,
        content: submission.content,
        request: Value::Object(request),
        idempotency_key,
        client_message_id: submission.client_message_id,
        client_ref: None,
        status: state.to_owned(),
        sent_at: write_timestamp(now),
        attempts: 1,
        deliveries: 1,
        answer: answer.clone(),
        last_status: json!({"state": state, "timestamp": write_timestamp(now)}),
    };
    outbox.add(message, key, &attempts);
    Ok(answer)
}

fn refusal(fault: Fault, now: DateTime<Utc>) -> Refusal {
    match fault {
        Fault::InvalidNumber => {
            Invalid::new(1002, "Invalid MSISDN format (not E.164 international number)").at(now)
        }
        Fault::InternalError => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 2000, "Internal server error", now)
        }
        Fault::TooManyRequests => {
            let message = "Quota exceeded. Please try again in 1 second(s).";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, 429, message, now).retry_after(1)
        }
    }
}

fn sms_answer(umid: Uuid, submission: &Submission, request: &Map<String, Value>, is_rejected: bool) -> Value {
    let encoding = match request.get("encoding").and_then(Value::as_str) {
        Some(encoding) if encoding != "AUTO" => encoding,
        _ => encoding_of(submission.body.as_deref().unwrap_or_default()),
    };
    let (code, description) = if is_rejected {
        ("REJECTED", "SMS is rejected by the sandbox")
    } else {
        ("QUEUED", "SMS is accepted and queued for processing")
    };
    let mut answer = json!({
        "umid": umid,
        "destination": submission.destination.trim_start_matches('+'),
        "encoding": encoding,
        "status": {"code": code, "description": description},
    });
    if let Some(id) = &submission.client_message_id {
        answer["clientMessageId"] = json!(id);
    }
    answer
}

fn chat_answer(
    umid: Uuid,
    submission: &Submission,
    request: &Map<String, Value>,
    is_rejected: bool,
    now: DateTime<Utc>,
) -> Value {
    let status = if is_rejected {
        json!({"state": "rejected", "timestamp": write_timestamp(now), "errorCode": 41,
            "errorMessage": "Rejected by the sandbox"})
    } else {
        json!({"state": "queued", "timestamp": write_timestamp(now)})
    };
    let mut answer = json!({"umid": umid, "user": request.get("user"), "status": status});
    if let Some(id) = &submission.client_message_id {
        answer["clientMessageId"] = json!(id);
    }
    answer
}
