//! Tells the server what became of a message, in the generation that it came in (Workflows API 9.2, 12.2).

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use trunkline_connectors::messages_api::{StatusError, Version};
use uuid::Uuid;

use super::flat_message::channel_in_v1;
use super::statuses_that_follow::Told;
use crate::sandbox::call_webhook::call_webhook_of;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::outbox::OutboxMessage;
use crate::sandbox::refusal::Refusal;

/// Next to the one for messages.
const WEBHOOK: &str = "message-status";

/// Updates the entry and calls the webhook. Returns the status that it answered, or the refusal to answer with when
/// it did not answer, or the message is gone.
pub(super) async fn tell_status(sandbox: &Sandbox, umid: Uuid, told: &Told) -> Result<u16, Refusal> {
    let now = sandbox.now();
    let event = {
        let mut outbox = sandbox.outbox();
        let message = outbox
            .find_mut(umid)
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, 1300, "Message not found.", now))?;
        told.status.as_str().clone_into(&mut message.status);
        status_event(message, told, now)
    };
    call_webhook_of(sandbox, WEBHOOK, &event).await
}

/// Tells them one after the other, while the answer to the send is on its way; they may overtake it, as they may in
/// life. Nobody waits, so what goes wrong is logged.
pub(super) fn tell_later(sandbox: &Sandbox, umid: Uuid, statuses: Vec<Told>) {
    if statuses.is_empty() {
        return;
    }
    let sandbox = sandbox.clone();
    tokio::spawn(async move {
        for told in statuses {
            let status = told.status.as_str();
            match tell_status(&sandbox, umid, &told).await {
                Ok(200..300) => {}
                Ok(answer) => {
                    tracing::warn!(message.id = %umid, status, answer, "the webhook refused a status of the sandbox");
                }
                Err(refusal) => {
                    let why = refusal.message();
                    tracing::warn!(message.id = %umid, status, why, "the sandbox could not tell a status");
                }
            }
        }
    });
}

/// The money of this wire.
pub(super) fn usage(price: &str) -> Value {
    json!({"price": price, "currency": "EUR"})
}

pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn status_event(message: &OutboxMessage, told: &Told, now: DateTime<Utc>) -> Value {
    let version = message.version.unwrap_or_default();
    // Objects in the one, texts in the other: as they came.
    let (to, from) = (&message.request["to"], &message.request["from"]);
    let mut event = json!({"message_uuid": message.umid, "to": to, "from": from});
    if version == Version::V1 {
        event["channel"] = json!(channel_in_v1(&message.channel));
    }
    event["timestamp"] = json!(timestamp(now));
    event["status"] = json!(told.status);
    if let Some(error) = &told.error {
        event["error"] = match version {
            Version::V0_1 => json!(error),
            Version::V1 => problem_of(error),
        };
    }
    if let Some(price) = &told.price {
        event["usage"] = usage(price);
    }
    if let Some(client_ref) = &message.client_ref {
        event["client_ref"] = json!(client_ref);
    }
    event
}

fn problem_of(error: &StatusError) -> Value {
    let StatusError { code, reason } = error;
    json!({
        "type": format!("https://developer.nexmo.com/api-errors/messages-olympus#{code}"),
        "title": code,
        "detail": format!("{reason} - as the sandbox was told"),
        "instance": Uuid::new_v4().simple().to_string(),
    })
}
