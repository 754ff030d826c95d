//! What sending an SMS and a chat-apps message have in common: the call, and what its answer means
//! for the step.
//!
//! ```text
//! 2xx                                   accepted, rejected messages included
//! 429, no connection                    retry: the platform certainly has no message
//! anything else, no answer included     failed: trying again could send twice
//! ```

use serde_json::{Map, Value};
use uuid::Uuid;

use super::config::EightByEight;
use super::product::Product;
use super::request_fields::{leave_out_blank, spelled_as, write_as_text};
use super::sub_account::{SUB_ACCOUNT_ID, sub_account_url, take_sub_account};
use super::wire::SendAnswer;
use crate::clock;
use crate::outbound::{OutboundClient, OutboundResponse, parse_json_body};
use crate::post_json::post_json;
use crate::send_failure::{SendFailure, because};

pub(super) struct Accepted {
    pub(super) answer: SendAnswer,
    pub(super) request_id: String,
}

/// The members of the request without the subaccount, which goes into the path, and without the
/// optional ones that are blank. The idempotency key stands in for a client message id that the
/// author did not give.
pub(super) fn request_fields(
    required: &[&str],
    optional: &[&str],
    inputs: &Map<String, Value>,
    idempotency_key: Uuid,
) -> Result<(String, Map<String, Value>), SendFailure> {
    let known: Vec<&str> = required.iter().chain(optional).copied().chain([SUB_ACCOUNT_ID]).collect();
    let mut fields = spelled_as(&known, inputs);
    leave_out_blank(&mut fields, optional);
    let sub_account_id = take_sub_account(&mut fields, None)?;
    fields.entry("clientMessageId").or_insert_with(|| Value::String(idempotency_key.to_string()));
    write_as_text(&mut fields, &["clientMessageId"]);
    Ok((sub_account_id, fields))
}

pub(super) async fn send_message(
    client: &OutboundClient,
    config: &EightByEight,
    product: Product,
    sub_account_id: &str,
    fields: Map<String, Value>,
    idempotency_key: Uuid,
) -> Result<Accepted, SendFailure> {
    let url = sub_account_url(config, product, sub_account_id, "messages");
    let authorization = config.authorization();
    let body = Value::Object(fields);
    let response = post_json(client, &url, Some(&authorization), &body, idempotency_key)
        .await
        .map_err(|error| SendFailure::unanswered(&error, &url))?;
    if !response.is_success() {
        return Err(refusal(&response, product));
    }
    let body = parse_json_body(&response.body).map_err(SendFailure::failed)?;
    let answer = SendAnswer::read(&body).ok_or_else(|| {
        let noun = product.message_noun();
        SendFailure::failed(format!("The answer to the {noun} is not in the platform's format."))
    })?;
    Ok(Accepted { answer, request_id: request_id(&response, idempotency_key) })
}

fn refusal(response: &OutboundResponse, product: Product) -> SendFailure {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = because(product.message_noun(), text("message"), text("errorId"), response);
    SendFailure::refused(response, message, clock::now())
}

/// The platform does not document a request id; if it sends one it is the better one to quote.
fn request_id(response: &OutboundResponse, idempotency_key: Uuid) -> String {
    ["x-request-id", "request-id", "x-correlation-id"]
        .into_iter()
        .find_map(|name| response.header(name))
        .map_or_else(|| idempotency_key.to_string(), str::to_owned)
}
