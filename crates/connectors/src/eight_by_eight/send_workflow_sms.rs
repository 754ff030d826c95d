//! Sends an SMS of a workflow of the Workflows API, where SMS go this way (Workflows API 12), and says what the
//! answer means for it in the words of that API.
//!
//! ```text
//! 2xx with a `umid`, not rejected        accepted
//! 2xx, rejected; any other status        refused. After a fault of the platform's (5xx) as well: it may have
//!                                        the message already, so the next channel takes over
//! 429, no connection                     retry: the platform certainly has no message
//! no answer, a 2xx that says nothing     unknown: it may have been sent, so never again
//! ```

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::config::EightByEight;
use super::product::Product;
use super::receipt::Receipt;
use super::sub_account::sub_account_url;
use super::wire::{SendAnswer, text};
use crate::lenient_json::lenient_json;
use crate::messages_api::status_code::{
    ILLEGAL_SENDER, INVALID_PARAMS, INVALID_RECIPIENT, NOT_ALLOWED, PROVIDER_ERROR, QUOTA_EXCEEDED, UNKNOWN,
};
use crate::messages_api::{NotTaken, OutgoingMessage, SEND_TIMEOUT, Sending, StatusError};
use crate::outbound::{OutboundClient, OutboundRequest, OutboundResponse};
use crate::send_failure::because;

const SUB_ACCOUNT_UNKNOWN: i64 = 1001;

/// Sends the message once, under our id of it: it is the idempotency key, and the `clientMessageId` that every
/// receipt repeats. `now` is what a `Retry-After` that is a date is counted from.
pub async fn send_workflow_sms(
    client: &OutboundClient,
    config: &EightByEight,
    sub_account_id: &str,
    message: &OutgoingMessage,
    message_uuid: Uuid,
    now: DateTime<Utc>,
) -> Sending {
    let url = sub_account_url(config, Product::Sms, sub_account_id, "messages");
    let headers = [
        ("Authorization", config.authorization()),
        ("Content-Type", "application/json".to_owned()),
        ("Accept", "application/json".to_owned()),
        ("Idempotency-Key", message_uuid.to_string()),
    ];
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: url.clone(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: Some(request_body(message, message_uuid).to_string().into_bytes()),
        timeout: SEND_TIMEOUT,
        follow_redirects: false,
    };
    match client.send(request).await {
        Ok(response) => read_answer(&response, now),
        Err(error) => Sending::unanswered(&error, &url),
    }
}

fn request_body(message: &OutgoingMessage, message_uuid: Uuid) -> Value {
    let number = |party: &Map<String, Value>| party.get("number").and_then(text);
    let content = message.message.get("content");
    let mut body = json!({
        "destination": number(&message.to).map(international),
        "text": content.and_then(|content| text(&content["text"])),
        "clientMessageId": message_uuid,
    });
    if let Some(source) = number(&message.from) {
        body["source"] = json!(source);
    }
    body
}

/// Without its plus a number could be taken for one of a country's own.
fn international(number: String) -> String {
    if number.bytes().all(|byte| byte.is_ascii_digit()) { format!("+{number}") } else { number }
}

fn read_answer(response: &OutboundResponse, now: DateTime<Utc>) -> Sending {
    let body = lenient_json(&response.body).unwrap_or_default();
    match response.status {
        200..=299 => read_taken(response.status, &body),
        429 => Sending::Retry {
            why: NotTaken::Throttled,
            after: response.retry_after(now),
            detail: describe(response, &body),
        },
        status => {
            let code = body["code"].as_i64();
            // A redirect says that the URL is not where the API is.
            let alarm = matches!(status, 300..=399 | 401 | 403) || code == Some(SUB_ACCOUNT_UNKNOWN);
            let error = StatusError::of(code_of_refusal(status, code));
            Sending::Refused { error, alarm, detail: describe(response, &body) }
        }
    }
}

/// The platform may take a message and reject it in the same breath.
fn read_taken(status: u16, body: &Value) -> Sending {
    let answer = SendAnswer::read(body);
    let umid = answer.as_ref().and_then(|answer| text(&answer.umid));
    let (Some(answer), Some(umid)) = (answer, umid) else {
        let detail = format!(
            "The SMS was answered with HTTP {status} without a `umid`: whether the platform has it is not known."
        );
        return Sending::Unknown { detail };
    };
    let state = text(&answer.status.code).unwrap_or_default().to_lowercase();
    let is_failure = Receipt::rank_of(&state) == Receipt::FINAL && state != "delivered";
    if !is_failure {
        return Sending::Accepted { provider_uuid: umid };
    }
    let reason = text(&answer.status.description).unwrap_or(state);
    let detail = format!("Failed to send SMS because {}.", reason.trim_end_matches('.'));
    Sending::Refused { error: StatusError::of(UNKNOWN), alarm: false, detail }
}

/// The platform's codes (spec 2.17.2) are another namespace than those of a status.
fn code_of_refusal(status: u16, code: Option<i64>) -> i64 {
    match (status, code) {
        (401 | 403, _) | (_, Some(SUB_ACCOUNT_UNKNOWN | 1200 | 1201)) => NOT_ALLOWED,
        (402, _) => QUOTA_EXCEEDED,
        (500..=599, _) => PROVIDER_ERROR,
        (_, Some(1002 | 3002 | 3003 | 3018)) => INVALID_RECIPIENT,
        (_, Some(1005 | 3011)) => ILLEGAL_SENDER,
        (_, Some(1000 | 1003..=1012 | 3005 | 3006 | 3009)) => INVALID_PARAMS,
        _ => UNKNOWN,
    }
}

fn describe(response: &OutboundResponse, body: &Value) -> String {
    let [message, error_id] = ["message", "errorId"].map(|name| text(&body[name]));
    because(Product::Sms.message_noun(), message.as_deref(), error_id.as_deref(), response)
}

#[cfg(test)]
mod tests;
