//! Sends a chat-apps message (spec 3.5.2 and 8.3).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::config::EightByEight;
use super::product::Product;
use super::request_fields::{leave_out_blank, spelled_as, write_as_text};
use super::send_message::{Accepted, request_fields, send_message};
use crate::outbound::OutboundClient;
use crate::send_failure::SendFailure;

const REQUIRED: [&str; 3] = ["user", "type", "content"];
const OPTIONAL: [&str; 6] =
    ["clientMessageId", "channels", "scheduled", "expiry", "dlrCallbackUrl", "context"];
const TEXT_FIELDS: [&str; 4] = ["type", "scheduled", "expiry", "dlrCallbackUrl"];
const USER_FIELDS: [&str; 4] = ["msisdn", "country", "lineUserId", "channelUserId"];
const TEXT_CONTENT: [&str; 3] = ["text", "url", "fallbackText"];

/// Sends the message that the evaluated inputs of a `ChatAppsMessage` step describe,
/// `subAccountId` among them, and returns the step's outputs. Everything else is forwarded.
pub async fn send_chat_apps_message(
    client: &OutboundClient,
    config: &EightByEight,
    inputs: &Map<String, Value>,
    idempotency_key: Uuid,
) -> Result<Value, SendFailure> {
    let (sub_account_id, mut fields) = request_fields(&REQUIRED, &OPTIONAL, inputs, idempotency_key)?;
    write_as_text(&mut fields, &TEXT_FIELDS);
    if let Some(Value::Object(user)) = fields.get_mut("user") {
        *user = recipient(user);
    }
    if let Some(Value::Object(content)) = fields.get_mut("content") {
        write_as_text(content, &TEXT_CONTENT);
    }
    let Accepted { answer, request_id } =
        send_message(client, config, Product::ChatApps, &sub_account_id, fields, idempotency_key).await?;
    let status = answer.status;
    Ok(json!({
        "umid": answer.umid,
        "status": first_present([status.code, status.state]),
        "description": first_present([status.description, status.detail, status.error_message]),
        "clientMessageId": answer.client_message_id,
        "requestId": request_id,
    }))
}

/// Most workflows put the sender's `channelUserId` into `msisdn`. Since webhook version 3 that is
/// a business-scoped user id, which belongs into `channelUserId` again.
fn recipient(user: &Map<String, Value>) -> Map<String, Value> {
    let mut user = spelled_as(&USER_FIELDS, user);
    leave_out_blank(&mut user, &USER_FIELDS);
    write_as_text(&mut user, &USER_FIELDS);
    if user.get("msisdn").and_then(Value::as_str).is_some_and(is_business_scoped_user_id)
        && let Some(id) = user.shift_remove("msisdn")
    {
        user.insert("channelUserId".to_owned(), id);
    }
    user
}

/// `^[A-Z]{2}\.[0-9A-Za-z]+$`
fn is_business_scoped_user_id(text: &str) -> bool {
    match text.as_bytes() {
        [a, b, b'.', id @ ..] => {
            a.is_ascii_uppercase()
                && b.is_ascii_uppercase()
                && !id.is_empty()
                && id.iter().all(u8::is_ascii_alphanumeric)
        }
        _ => false,
    }
}

fn first_present<const N: usize>(candidates: [Value; N]) -> Value {
    candidates.into_iter().find(|value| !value.is_null()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
