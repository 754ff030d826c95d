//! Sends a message, and says what its answer means for the step (spec 12.3).
//!
//! ```text
//! 2xx with a message id                  accepted
//! 429, 5xx, no connection                retry: the provider certainly has no message
//! any other status, an address that      refused
//!   may not be called, a broken key
//! no answer, a 2xx that says nothing     unknown: it may have been sent, so never again
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::address::text;
use super::config::MessagesApi;
use super::outgoing_message::OutgoingMessage;
use super::read_refusal::{Refusal, describe_answer, read_refusal};
use super::request_body::request_body;
use super::status_code::{COMMUNICATION_FAILED, NOT_ALLOWED, PROVIDER_ERROR, StatusError, THROTTLED};
use crate::lenient_json::lenient_json;
use crate::outbound::{OutboundClient, OutboundError, OutboundRequest, OutboundResponse, call_failed};

/// Longer than the 10 s in which a connection comes about or does not, so that "never connected" is
/// told apart; and shorter than the shortest expiry, 15 s (spec 4.6), so that a provider which hangs
/// does not hold the next channel up.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(12);

/// What became of one attempt to send. `detail` is the whole story in a sentence, for the people of
/// the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// The provider has it, under this id.
    Accepted { provider_uuid: String },
    /// The provider has refused it: the step's status is `rejected` with this error.
    Refused {
        error: StatusError,
        /// Nothing will be accepted until an operator has acted.
        alarm: bool,
        detail: String,
    },
    /// The provider certainly does not have it. `after` is what its `Retry-After` says.
    Retry { why: NotTaken, after: Option<Duration>, detail: String },
    /// It was written, and whether the provider has it is not known: not to be sent again. A status
    /// that carries our `client_ref` will tell.
    Unknown { detail: String },
}

/// Why the provider does not have a message that it has not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many requests; to be tried again until the step's deadline.
    Throttled,
    /// A fault of the provider's, to be tried three times within 10 s.
    ProviderError,
    /// No connection; to be tried like a fault of the provider's.
    NoConnection,
}

impl NotTaken {
    /// The error of the `rejected` status, once no more attempts are made.
    pub fn given_up(self) -> StatusError {
        StatusError::of(match self {
            Self::Throttled => THROTTLED,
            Self::ProviderError => PROVIDER_ERROR,
            Self::NoConnection => COMMUNICATION_FAILED,
        })
    }
}

/// Sends the message once. `message_uuid` is ours: it is the `client_ref` that every status repeats,
/// and stays the same in every attempt. `now` goes into the token and is what a `Retry-After` that
/// is a date is counted from.
pub async fn send(
    client: &OutboundClient,
    api: &MessagesApi,
    message: &OutgoingMessage,
    message_uuid: Uuid,
    now: DateTime<Utc>,
) -> Sending {
    let url = api.messages_url();
    let authorization = match api.authorization(now, Uuid::new_v4()) {
        Ok(authorization) => authorization,
        Err(fault) => {
            let detail = format!("The private key of the Messages API cannot be used: {fault}.");
            return Sending::Refused { error: StatusError::of(NOT_ALLOWED), alarm: true, detail };
        }
    };
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json".to_owned()),
        ("Accept", "application/json".to_owned()),
    ];
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: url.clone(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: Some(request_body(message, api.version(), message_uuid).to_string().into_bytes()),
        timeout: SEND_TIMEOUT,
        follow_redirects: false,
    };
    match client.send(request).await {
        Ok(response) => read_answer(&response, now),
        Err(error) => Sending::unanswered(&error, &url),
    }
}

fn read_answer(response: &OutboundResponse, now: DateTime<Utc>) -> Sending {
    let not_taken =
        |why| Sending::Retry { why, after: response.retry_after(now), detail: describe_answer(response) };
    match response.status {
        200..=299 => {
            let body = lenient_json(&response.body).unwrap_or_default();
            match text(&body["message_uuid"]) {
                Some(provider_uuid) => Sending::Accepted { provider_uuid },
                None => Sending::Unknown { detail: names_no_message(response.status) },
            }
        }
        429 => not_taken(NotTaken::Throttled),
        500..=599 => not_taken(NotTaken::ProviderError),
        _ => {
            let Refusal { error, alarm } = read_refusal(response);
            Sending::Refused { error, alarm, detail: describe_answer(response) }
        }
    }
}

fn names_no_message(status: u16) -> String {
    format!(
        "The Messages API answered HTTP {status} without a `message_uuid`: whether it has the message is \
         not known."
    )
}

impl Sending {
    /// Of a request that got no answer.
    pub(crate) fn unanswered(error: &OutboundError, url: &str) -> Self {
        let detail = call_failed(error, "POST", url);
        match error {
            OutboundError::NotSent(_) => Self::Retry { why: NotTaken::NoConnection, after: None, detail },
            OutboundError::Refused(_) => {
                Self::Refused { error: StatusError::of(COMMUNICATION_FAILED), alarm: true, detail }
            }
            OutboundError::Unknown(_) | OutboundError::TooLarge => Self::Unknown { detail },
        }
    }
}

#[cfg(test)]
mod tests;
