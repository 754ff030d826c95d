//! Posts a conversation to the adapter and reads the ticket that it became.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock;
use crate::lenient_json;
use crate::outbound::OutboundClient;
use crate::post_json::post_json;
use crate::send_failure::{SendFailure, because};

/// What an operator says about the adapter, besides the value of its `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConverseSettings {
    /// Where conversations are posted.
    pub url: String,
}

/// Stands for its URL in faults: that may hold a key, and faults are shown to everybody of an account.
const TARGET: &str = "Converse";

/// Posts the conversation and returns the step's outputs: `{"ticketId": "…"}`.
///
/// `authorization` is the whole value of the header. Retried is only what the adapter certainly
/// does not have: it may be a person's inbox that gets the conversation twice.
pub async fn send_to_converse(
    client: &OutboundClient,
    url: &str,
    authorization: Option<&str>,
    body: &Value,
    key: Uuid,
) -> Result<Value, SendFailure> {
    let response = post_json(client, url.trim(), authorization, body, key)
        .await
        .map_err(|error| SendFailure::unanswered(&error, TARGET))?;
    if !response.is_success() {
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let message =
            because("to Converse", text("message").or_else(|| text("error")), text("errorId"), &response);
        return Err(SendFailure::refused(&response, message, clock::now()));
    }
    let answer = lenient_json(&response.body)
        .map_err(|_| SendFailure::failed("The answer of Converse is not JSON."))?;
    let ticket = match &answer["ticketId"] {
        Value::String(ticket) if !ticket.trim().is_empty() => ticket.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(SendFailure::failed("The answer of Converse has no `ticketId`.")),
    };
    Ok(json!({"ticketId": ticket}))
}

#[cfg(test)]
mod tests;
