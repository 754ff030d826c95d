//! Sends an SMS (spec 3.5.1 and 8.2).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::config::EightByEight;
use super::product::Product;
use super::request_fields::write_as_text;
use super::send_message::{Accepted, request_fields, send_message};
use crate::outbound::OutboundClient;
use crate::send_failure::SendFailure;

const REQUIRED: [&str; 2] = ["destination", "text"];
const OPTIONAL: [&str; 9] = [
    "source",
    "country",
    "clientMessageId",
    "encoding",
    "scheduled",
    "expiry",
    "dlrCallbackUrl",
    "clientIp",
    "track",
];

/// Sends the message that the evaluated inputs of an `SMS` step describe, `subAccountId` among
/// them, and returns the step's outputs.
///
/// A message that the platform rejects with 200 is a success whose `status` is `REJECTED`.
/// Inputs that the platform does not know are passed through; whether values are valid is its
/// decision.
pub async fn send_sms(
    client: &OutboundClient,
    config: &EightByEight,
    inputs: &Map<String, Value>,
    idempotency_key: Uuid,
) -> Result<Value, SendFailure> {
    let (sub_account_id, mut fields) = request_fields(&REQUIRED, &OPTIONAL, inputs, idempotency_key)?;
    write_as_text(&mut fields, &REQUIRED);
    write_as_text(&mut fields, &OPTIONAL);
    if let Some(Value::String(encoding)) = fields.get_mut("encoding") {
        encoding.make_ascii_uppercase();
    }
    let Accepted { answer, request_id } =
        send_message(client, config, Product::Sms, &sub_account_id, fields, idempotency_key).await?;
    Ok(json!({
        "umid": answer.umid,
        "status": answer.status.code,
        "description": answer.status.description,
        "destination": answer.destination,
        "encoding": answer.encoding,
        "clientMessageId": answer.client_message_id,
        "requestId": request_id,
    }))
}

#[cfg(test)]
mod tests;
