//! A user writes: the webhook of an incoming message (spec 7.2 and 7.3) is built and delivered.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Map, Value, json};
use trunkline_connectors::eight_by_eight::wire::write_timestamp;
use uuid::Uuid;

use super::call_webhook::call_webhook;
use super::carrier::Sandbox;
use super::name_chat_user::{Version, name_chat_user};
use super::refusal::{Invalid, Refusal};
use super::request_body::{json_object, required_text, text};
use super::sms_encoding::{encoding_of, parts_of};

/// The number that SMS go to unless the request names one.
const VIRTUAL_NUMBER: &str = "+6580002222";

/// Any id does: nothing looks it up.
const CHANNEL_ID: &str = "d4f4b6b2-1c53-4a62-9c5f-0d5a1a2b3c4d";

/// `{from, text, to?, subAccountId?}`
pub(super) async fn receive_sms(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let umid = Uuid::new_v4();
    let event = json_object(&body)
        .and_then(|request| sms_event(&sandbox, &request, umid))
        .map_err(|invalid| invalid.at(sandbox.now()))?;
    let webhook_status = call_webhook(&sandbox, &event).await?;
    Ok(Json(json!({"umid": umid, "webhookStatus": webhook_status})))
}

/// `{from, text or content, type?, channel?, msisdn?, name?, version?, to?, subAccountId?}`
///
/// Unless `version` is 2 or 3, a number in `from` makes a webhook of version 2 and another id one of
/// version 3, to which `msisdn` adds the user's number. `name_chat_user.rs` has the difference.
pub(super) async fn receive_chat_message(
    State(sandbox): State<Sandbox>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let umid = Uuid::new_v4();
    let event = json_object(&body)
        .and_then(|request| chat_event(&sandbox, &request, umid))
        .map_err(|invalid| invalid.at(sandbox.now()))?;
    let webhook_status = call_webhook(&sandbox, &event).await?;
    Ok(Json(json!({"umid": umid, "webhookStatus": webhook_status})))
}

fn sms_event(sandbox: &Sandbox, request: &Map<String, Value>, umid: Uuid) -> Result<Value, Invalid> {
    let from = required_text(request, "from")?;
    let body = text(request, "text")?.ok_or_else(|| Invalid::new(1004, "Invalid text."))?;
    Ok(json!({
        "namespace": "SMS",
        "eventType": "inbound_message_received",
        "description": "SMS inbound message",
        "payload": {
            "umid": umid,
            "subAccountId": text(request, "subAccountId")?.unwrap_or(&sandbox.config().sms_sub_account),
            "timestamp": write_timestamp(sandbox.now()),
            "source": from,
            "destination": text(request, "to")?.unwrap_or(VIRTUAL_NUMBER),
            "body": body,
            "encoding": encoding_of(body),
            "smsCount": parts_of(body),
        },
    }))
}

fn chat_event(sandbox: &Sandbox, request: &Map<String, Value>, umid: Uuid) -> Result<Value, Invalid> {
    let channel = text(request, "channel")?.unwrap_or("whatsapp");
    let (version, user) = name_chat_user(request, channel)?;
    let content = match request.get("content") {
        None | Some(Value::Null) => {
            let text = text(request, "text")?.ok_or_else(|| Invalid::new(3005, "Empty 'text'"))?;
            json!({"text": text})
        }
        Some(Value::Object(content)) => Value::Object(content.clone()),
        Some(_) => return Err(Invalid::new(3004, "Invalid 'content'.")),
    };
    let mut event = Map::new();
    if version == Version::Three {
        event.insert("version".to_owned(), json!(3));
    }
    event.insert("namespace".to_owned(), json!("ChatApps"));
    event.insert("eventType".to_owned(), json!("inbound_message_received"));
    event.insert("description".to_owned(), json!("ChatApps inbound message"));
    event.insert(
        "payload".to_owned(),
        json!({
            "umid": umid,
            "subAccountId": text(request, "subAccountId")?.unwrap_or(&sandbox.config().chat_sub_account),
            "timestamp": write_timestamp(sandbox.now()),
            "user": user,
            "recipient": {
                "channel": channel,
                "channelId": text(request, "to")?.unwrap_or(CHANNEL_ID),
            },
            "type": text(request, "type")?.unwrap_or("Text"),
            "content": content,
        }),
    );
    Ok(Value::Object(event))
}
