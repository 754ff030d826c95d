//! Something became of a message: the entry is updated and the receipt (spec 7.5) delivered.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use trunkline_connectors::correlation::normalise_identity;
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use uuid::Uuid;

use super::call_webhook::call_webhook;
use super::carrier::Sandbox;
use super::messages_api;
use super::outbox::{OutboxMessage, Product};
use super::refusal::{Invalid, Refusal};
use super::request_body::{is_phone_number, json_object, required_text, text};
use super::sms_encoding::parts_of;

const STATES: [&str; 10] =
    ["queued", "rejected", "sent", "delivered", "undelivered", "read", "unknown", "failed", "ok", "error"];

/// `{state, detail?, errorCode?, errorMessage?}`; of a message of the Messages API `{state, errorCode?,
/// errorMessage?, price?}`.
pub(super) async fn report(
    State(sandbox): State<Sandbox>,
    Path(umid): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let now = sandbox.now();
    let request = json_object(&body).map_err(|invalid| invalid.at(now))?;
    let id = Uuid::parse_str(&umid).ok();
    if let Some(id) = id.filter(|id| is_of_messages_api(&sandbox, *id)) {
        return messages_api::report(&sandbox, id, &request).await.map(Json);
    }
    let mut status = read_status(&request).map_err(|invalid| invalid.at(now))?;
    status.insert("timestamp".to_owned(), json!(write_timestamp(now)));
    let umid = id.ok_or_else(|| Invalid::new(1000, "Invalid umid.").at(now))?;
    let message = {
        let mut outbox = sandbox.outbox();
        let message = outbox
            .find_mut(umid)
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, 1300, "Message not found.", now))?;
        message.status = status["state"].as_str().unwrap_or_default().to_owned();
        message.last_status = Value::Object(status.clone());
        message.clone()
    };
    let webhook_status = call_webhook(&sandbox, &receipt_event(&message, status)).await?;
    Ok(Json(json!({"umid": umid, "webhookStatus": webhook_status})))
}

fn is_of_messages_api(sandbox: &Sandbox, umid: Uuid) -> bool {
    sandbox.outbox().find(umid).is_some_and(|message| message.product == Product::Messages)
}

fn read_status(request: &Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
    let state = required_text(request, "state")?.to_ascii_lowercase();
    if !STATES.contains(&state.as_str()) {
        return Err(Invalid::new(1000, "Invalid state."));
    }
    let mut status = Map::new();
    status.insert("state".to_owned(), json!(state));
    for name in ["detail", "errorMessage"] {
        if let Some(text) = text(request, name)? {
            status.insert(name.to_owned(), json!(text));
        }
    }
    match request.get("errorCode") {
        None | Some(Value::Null) => {}
        Some(code) if code.is_i64() => {
            status.insert("errorCode".to_owned(), code.clone());
        }
        Some(_) => return Err(Invalid::new(1000, "Invalid errorCode.")),
    }
    Ok(status)
}

fn receipt_event(message: &OutboxMessage, status: Map<String, Value>) -> Value {
    let mut event = Map::new();
    let mut payload = Map::new();
    payload.insert("umid".to_owned(), json!(message.umid));
    if let Some(id) = &message.client_message_id {
        payload.insert("clientMessageId".to_owned(), json!(id));
    }
    payload.insert("subAccountId".to_owned(), json!(message.sub_account_id));
    match message.product {
        Product::Sms => {
            payload.insert("source".to_owned(), message.request["source"].clone());
            payload.insert("destination".to_owned(), json!(message.destination));
            payload.insert("status".to_owned(), Value::Object(status));
            let body = message.body.as_deref().unwrap_or_default();
            payload.insert("smsCount".to_owned(), json!(parts_of(body)));
        }
        Product::ChatApps | Product::Messages => {
            payload.insert("channel".to_owned(), json!(message.channel));
            let asked = &message.request["user"];
            let user = user_without_number(asked);
            if user.is_some() {
                event.insert("version".to_owned(), json!(9));
            }
            payload.insert("user".to_owned(), user.unwrap_or_else(|| asked.clone()));
            payload.insert("status".to_owned(), Value::Object(status));
        }
    }
    let (namespace, description) = match message.product {
        Product::Sms => ("SMS", "SMS outbound message delivery receipt"),
        Product::ChatApps | Product::Messages => ("ChatApps", "ChatApps outbound message delivery receipt"),
    };
    event.insert("namespace".to_owned(), json!(namespace));
    event.insert("eventType".to_owned(), json!("outbound_message_status_changed"));
    event.insert("description".to_owned(), json!(description));
    event.insert("payload".to_owned(), Value::Object(payload));
    Value::Object(event)
}

/// How version 9 names a recipient whose id is no number, whichever member it was sent to. `None` for
/// a number: the versions before name it.
fn user_without_number(asked: &Value) -> Option<Value> {
    let present = |name: &str| asked[name].as_str().filter(|text| !text.is_empty());
    let id = ["channelUserId", "lineUserId"]
        .into_iter()
        .filter_map(present)
        .find(|id| !is_phone_number(&normalise_identity(id), false))?;
    let mut user = Map::new();
    if let Some(msisdn) = present("msisdn") {
        user.insert("msisdn".to_owned(), json!(msisdn));
    }
    user.insert("channelUserId".to_owned(), json!(id));
    Some(Value::Object(user))
}
