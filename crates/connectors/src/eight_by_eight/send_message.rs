//! What sending an SMS and a chat-apps message have in common: the call, and what its answer means
//! for the step.
//!
//! ```text
//! 2xx                                   accepted, rejected messages included
//! 429, no connection                    retry: the platform certainly has no message
//! anything else, no answer included     failed: trying again could send twice
//! ```

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::request_fields::{spelled_as, write_as_text};
use super::wire::SendAnswer;
use crate::clock;
use crate::outbound::{
    OutboundClient, OutboundError, OutboundRequest, OutboundResponse, call_failed, parse_json_body,
};

/// How long a send may take (spec 8.1).
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

const SUB_ACCOUNT_ID: &str = "subAccountId";

/// Where the platform is, and the key of the account that sends.
#[derive(Clone)]
pub struct MessagingConfig {
    /// Scheme and host, with a path in front if need be: `https://sms.8x8.com`.
    pub sms_url: String,
    /// Likewise: `https://chatapps.8x8.com`.
    pub chat_apps_url: String,
    pub api_key: String,
}

impl fmt::Debug for MessagingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagingConfig")
            .field("sms_url", &self.sms_url)
            .field("chat_apps_url", &self.chat_apps_url)
            .finish_non_exhaustive()
    }
}

/// A message that was not accepted. The message is the text of the fault (spec 2.17.6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// The platform certainly does not have the message. `after` is what its `Retry-After` says.
    #[error("{message}")]
    Retry { after: Option<Duration>, message: String },
    /// Refused, or possibly accepted: not to be sent again.
    #[error("{message}")]
    Failed { message: String },
}

impl SendFailure {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into() }
    }
}

/// The two products.
#[derive(Debug, Clone, Copy)]
pub(super) enum Product {
    Sms,
    ChatApps,
}

impl Product {
    fn base_url(self, config: &MessagingConfig) -> &str {
        match self {
            Self::Sms => &config.sms_url,
            Self::ChatApps => &config.chat_apps_url,
        }
    }

    /// As the sentence of a fault says it.
    fn message_noun(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::ChatApps => "chat apps message",
        }
    }
}

pub(super) struct Accepted {
    pub(super) answer: SendAnswer,
    pub(super) request_id: String,
}

/// The members of the request without the subaccount, which goes into the path. The idempotency
/// key stands in for a client message id that the author did not give.
pub(super) fn request_fields(
    known: &[&str],
    inputs: &Map<String, Value>,
    idempotency_key: Uuid,
) -> Result<(String, Map<String, Value>), SendFailure> {
    let known: Vec<&str> = known.iter().copied().chain([SUB_ACCOUNT_ID]).collect();
    let mut fields = spelled_as(&known, inputs);
    write_as_text(&mut fields, &[SUB_ACCOUNT_ID, "clientMessageId"]);
    let sub_account_id = match fields.shift_remove(SUB_ACCOUNT_ID) {
        Some(Value::String(id)) if is_sub_account_id(id.trim()) => id.trim().to_owned(),
        _ => return Err(SendFailure::failed("Invalid subaccount id.")),
    };
    let client_message_id = fields.entry("clientMessageId").or_insert(Value::Null);
    if client_message_id.is_null() || client_message_id == "" {
        *client_message_id = Value::String(idempotency_key.to_string());
    }
    Ok((sub_account_id, fields))
}

/// `^[A-Za-z0-9\-._&]{3,50}$` (spec 8.1)
fn is_sub_account_id(id: &str) -> bool {
    (3..=50).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._&".contains(&byte))
}

pub(super) async fn send_message(
    client: &OutboundClient,
    config: &MessagingConfig,
    product: Product,
    sub_account_id: &str,
    fields: Map<String, Value>,
    idempotency_key: Uuid,
) -> Result<Accepted, SendFailure> {
    let base_url = product.base_url(config).trim_end_matches('/');
    // Of the characters that a subaccount id may have, this is the only one to be encoded.
    let url = format!("{base_url}/api/v1/subaccounts/{}/messages", sub_account_id.replace('&', "%26"));
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: url.clone(),
        headers: vec![
            ("Authorization".to_owned(), format!("Bearer {}", config.api_key)),
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Accept".to_owned(), "application/json".to_owned()),
            ("Idempotency-Key".to_owned(), idempotency_key.to_string()),
        ],
        body: Some(Value::Object(fields).to_string().into_bytes()),
        timeout: SEND_TIMEOUT,
        follow_redirects: false,
    };
    let response = client.send(request).await.map_err(|error| {
        let message = call_failed(&error, "POST", &url);
        match error {
            OutboundError::NotSent(_) => SendFailure::Retry { after: None, message },
            OutboundError::Refused(_) | OutboundError::Unknown(_) | OutboundError::TooLarge => {
                SendFailure::Failed { message }
            }
        }
    })?;
    if !response.is_success() {
        return Err(refusal(&response, product, clock::now()));
    }
    let body = parse_json_body(&response.body).map_err(SendFailure::failed)?;
    let answer = SendAnswer::read(&body).ok_or_else(|| {
        let noun = product.message_noun();
        SendFailure::failed(format!("The answer to the {noun} is not in the platform's format."))
    })?;
    Ok(Accepted { answer, request_id: request_id(&response, idempotency_key) })
}

fn refusal(response: &OutboundResponse, product: Product, now: DateTime<Utc>) -> SendFailure {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let because = match text("message") {
        // The sentence brings its own full stop.
        Some(message) => message.strip_suffix('.').unwrap_or(message).to_owned(),
        None => format!("HTTP {} {}", response.status, response.reason).trim_end().to_owned(),
    };
    let mut message = format!("Failed to send {} because {because}.", product.message_noun());
    if let Some(error_id) = text("errorId") {
        message.push_str(" Error id: ");
        message.push_str(error_id);
    }
    match response.status {
        429 => SendFailure::Retry {
            after: response.header("retry-after").and_then(|value| retry_after(value, now)),
            message,
        },
        _ => SendFailure::Failed { message },
    }
}

/// Seconds or an HTTP date.
fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?.to_utc();
    Some((at - now).to_std().unwrap_or_default())
}

/// The platform does not document a request id; if it sends one it is the better one to quote.
fn request_id(response: &OutboundResponse, idempotency_key: Uuid) -> String {
    ["x-request-id", "request-id", "x-correlation-id"]
        .into_iter()
        .find_map(|name| response.header(name))
        .map_or_else(|| idempotency_key.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{is_sub_account_id, retry_after};
    use crate::eight_by_eight::wire::read_timestamp;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = read_timestamp("1994-11-06T08:49:30Z").unwrap();
        for (value, expected) in [
            ("1", Some(1)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_sub_account_id_has_3_to_50_characters_of_its_alphabet() {
        for id in ["abc", "a-b._&", &"x".repeat(50)] {
            assert!(is_sub_account_id(id), "{id}");
        }
        for id in ["", "ab", "a/b", "a b", "abc?", "../..", "a%2f", "äöü", &"x".repeat(51)] {
            assert!(!is_sub_account_id(id), "{id}");
        }
    }
}
