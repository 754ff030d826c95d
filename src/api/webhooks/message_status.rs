//! `POST /webhooks/v1/accounts/{accountId}/message-status`: what the Messages API says of messages that workflows
//! sent (Workflows API 12.5).

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use trunkline_connectors::correlation::receipt_key;
use trunkline_connectors::messages_api::{MessageStatus, ProviderStatus, StatusError, parse_status};
use trunkline_store::dispatches::Change;
use trunkline_workflow::AccountId;
use trunkline_workflow::dispatch::{Price, Refusal, Status, Usage};
use trunkline_workflow::strict_json::Malformed;
use uuid::Uuid;

use super::credentials::Registered;
use super::from_messages_api::FromMessagesApi;
use super::storable::check_id;
use crate::api::error::{ApiError, BodyErrors, ErrorBody};
use crate::api::state::ApiState;

/// Euros.
const MOST_EXPENSIVE: Price = Price::from_parts(1_000_000, 0, 0, false, 0);
/// Digits behind the point.
const FINEST: u32 = 12;

/// Receive the status of a message
///
/// The status URL of the application at the Messages API, v0.1 or v1. Nothing can be told to send a header:
/// `token` stands in.
#[utoipa::path(
    post,
    path = "/webhooks/v1/accounts/{accountId}/message-status",
    operation_id = "receive-message-status",
    tag = "Webhooks",
    security(("webhookAuthorization" = []), ()),
    params(
        Registered,
        ("token" = Option<String>, Query, description = "Derived from the account's secret; instead of the header. Where the connector knows with what the Messages API signs, its signature (a JWT, HS256) is asked for in the place of both.")
    ),
    request_body(
        content = Object,
        description = "A message status of the Messages API, v0.1 or v1.",
        example = json!({"message_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "status": "delivered",
            "to": {"type": "sms", "number": "447700900000"}, "from": {"type": "sms", "number": "447700900001"},
            "timestamp": "2026-02-03T04:05:06.117Z", "client_ref": "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2"})
    ),
    responses(
        (status = 200, description = "Stored, known already, or of no message of ours."),
        (status = 400, description = "The body is no status.", body = ErrorBody),
        (status = 401, description = "Neither header nor token is the account's, or the signature is wrong, or the caller's address is not allowed.", body = ErrorBody),
        (status = 500, description = "A defect of ours.", body = ErrorBody),
        (status = 503, description = "The database is not available.", body = ErrorBody),
        BodyErrors,
    )
)]
pub async fn receive(
    State(state): State<ApiState>,
    FromMessagesApi { account, body }: FromMessagesApi,
) -> Result<StatusCode, ApiError> {
    let body = body.webhook_json()?;
    let status = parse_status(&body).map_err(|error| Malformed::whole(error.to_string()))?;
    let Some(message) = find_message(&state, &account, &status).await? else {
        tracing::info!(account.id = %account, provider.id = status.provider_uuid, "a status of no message of ours");
        return Ok(StatusCode::OK);
    };
    let change = Change {
        status: status_of(status.status),
        refusal: status.error.map(refusal_of),
        usage: status.usage.as_ref().and_then(read_usage),
        provider_id: None,
        at: status.timestamp.unwrap_or_else(|| (state.clock)()),
    };
    let key = receipt_key(&message.to_string());
    state.store.change_status(&account, (message, key), &change).await?;
    Ok(StatusCode::OK)
}

/// A charge in euros, the only currency of reports; what no message can cost is none.
fn read_usage(usage: &Value) -> Option<Usage> {
    let is_euro = usage["currency"].as_str().is_none_or(|currency| currency.eq_ignore_ascii_case("EUR"));
    let price: Price = usage["price"].as_str()?.parse().ok()?;
    let is_possible = price >= Price::ZERO && price < MOST_EXPENSIVE && price.scale() <= FINEST;
    (is_euro && is_possible).then_some(Usage { price })
}

/// In the words of workflows.
pub(super) fn status_of(status: MessageStatus) -> Status {
    match status {
        MessageStatus::Submitted => Status::Submitted,
        MessageStatus::Delivered => Status::Delivered,
        MessageStatus::Read => Status::Read,
        MessageStatus::Rejected => Status::Rejected,
        MessageStatus::Undeliverable => Status::Undeliverable,
    }
}

pub(super) fn refusal_of(error: StatusError) -> Refusal {
    Refusal { code: error.code, reason: error.reason }
}

/// By the reference that we gave it, else by the id that the provider did.
async fn find_message(
    state: &ApiState,
    account: &AccountId,
    status: &ProviderStatus,
) -> Result<Option<Uuid>, ApiError> {
    if let Some(message) = status.message_uuid() {
        return Ok(Some(message));
    }
    let Some(id) = &status.provider_uuid else { return Ok(None) };
    check_id(id)?;
    Ok(state.store.find_by_provider_id(account, &id.to_lowercase()).await?)
}
