//! `POST /webhooks/v1/accounts/{accountId}/inbound-message`: what users write to senders of the Messages API
//! (Workflows API 10).

use axum::extract::State;
use axum::http::StatusCode;
use trunkline_connectors::messages_api::parse_inbound;
use trunkline_store::inbound_messages::{HandedOn, InboundMessage};
use trunkline_workflow::strict_json::Malformed;
use uuid::Uuid;

use super::credentials::Registered;
use super::from_messages_api::FromMessagesApi;
use super::storable::check_id;
use crate::api::error::{ApiError, BodyErrors, ErrorBody};
use crate::api::state::ApiState;

/// Receive a message from a user
///
/// The inbound URL of the application at the Messages API, v0.1 or v1. The message is handed on to the inbound URL
/// of the account, or of its only application that has one; it starts nothing.
#[utoipa::path(
    post,
    path = "/webhooks/v1/accounts/{accountId}/inbound-message",
    operation_id = "receive-inbound-message",
    tag = "Webhooks",
    security(("webhookAuthorization" = []), ()),
    params(
        Registered,
        ("token" = Option<String>, Query, description = "Derived from the account's secret; instead of the header. Where the connector knows with what the Messages API signs, its signature (a JWT, HS256) is asked for in the place of both.")
    ),
    request_body(
        content = Object,
        description = "An inbound message of the Messages API, v0.1 or v1.",
        example = json!({"message_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
            "to": {"type": "messenger", "id": "1000000000000001"}, "from": {"type": "messenger", "id": "2000000000000002"},
            "timestamp": "2026-02-03T04:05:06.117Z", "message": {"content": {"type": "text", "text": "Thanks!"}}})
    ),
    responses(
        (status = 200, description = "Stored, or known already."),
        (status = 400, description = "The body is no message.", body = ErrorBody),
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
    let message = parse_inbound(&body).map_err(|error| Malformed::whole(error.to_string()))?;
    check_id(&message.dedupe_key)?;
    let told = message.webhook_body(Uuid::new_v4(), (state.clock)());
    let incoming = InboundMessage {
        account: account.clone(),
        dedupe_key: message.dedupe_key,
        // Texts in JSON hold no NUL, which the database would not take.
        body: told.to_string(),
    };
    if state.store.hand_on(incoming).await? == HandedOn::ToNobody {
        tracing::info!(
            account.id = %account,
            "a message from a user was handed on to nobody: `trunkline credentials callbacks {account} --inbound-url …`"
        );
    }
    Ok(StatusCode::OK)
}
