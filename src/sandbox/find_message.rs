//! The platform's own endpoints: what became of a message.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::carrier::Sandbox;
use super::check_access::check_access;
use super::outbox::Product;
use super::refusal::Refusal;

pub(super) async fn find_sms(
    State(sandbox): State<Sandbox>,
    Path((sub_account_id, umid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    find(&sandbox, Product::Sms, &sub_account_id, &umid, &headers)
}

pub(super) async fn find_chat_message(
    State(sandbox): State<Sandbox>,
    Path((sub_account_id, umid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    find(&sandbox, Product::ChatApps, &sub_account_id, &umid, &headers)
}

/// A message is found only through its own product and subaccount.
fn find(
    sandbox: &Sandbox,
    product: Product,
    sub_account_id: &str,
    umid: &str,
    headers: &HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let now = sandbox.now();
    check_access(sub_account_id, headers, now)?;
    let outbox = sandbox.outbox();
    let message = Uuid::parse_str(umid)
        .ok()
        .and_then(|umid| outbox.find(umid))
        .filter(|message| {
            message.product == product && message.sub_account_id.as_deref() == Some(sub_account_id)
        })
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, 1300, "Message not found.", now))?;
    let mut answer = json!({"umid": message.umid, "subAccountId": message.sub_account_id});
    if let Some(id) = &message.client_message_id {
        answer["clientMessageId"] = json!(id);
    }
    match product {
        Product::Sms => {
            answer["source"] = message.request["source"].clone();
            answer["destination"] = json!(message.destination);
        }
        Product::ChatApps => {
            answer["channel"] = json!(message.channel);
            answer["user"] = message.request["user"].clone();
        }
        // It has no such endpoint.
        Product::Messages => {}
    }
    answer["status"] = message.last_status.clone();
    Ok(Json(answer))
}
