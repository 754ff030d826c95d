//! `POST /webhooks/v1/accounts/{accountId}/messages`: SMS and chat apps (spec 7.1–7.5, 7.8).
//!
//! ```text
//! message ─► written down once ─► waits that it answers ─► definitions that it triggers ─► 200
//! receipt ─► last state of the sent message ───────────────────────────────────────────► 200
//! anything else ───────────────────────────────────────────────────────────────────────► 200
//! ```
//!
//! Only what we cannot read is refused: a refusal makes the platform send the same thing again.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use trunkline_connectors::eight_by_eight::inbound::{self, Inbound, InboundMessage};
use trunkline_connectors::eight_by_eight::receipt::Receipt;
use trunkline_store::events::Incoming;
use trunkline_store::messages::ReceiptRecord;
use trunkline_workflow::AccountId;

use super::credentials::Registered;
use crate::api::body::Body;
use crate::api::error::{ApiError, BodyErrors, ErrorBody};
use crate::api::state::ApiState;

/// Ids and keys are indexed, and PostgreSQL indexes no more than about 2,700 bytes.
const MAX_KEY: usize = 1000;

/// Receive a message event
///
/// Called by the messaging platform for inbound messages and delivery receipts. Each event takes effect
/// once, however often it is delivered; unknown events are accepted and left alone.
#[utoipa::path(
    post,
    path = "/webhooks/v1/accounts/{accountId}/messages",
    operation_id = "receive-message-event",
    tag = "Webhooks",
    security((), ("webhookAuthorization" = [])),
    params(Registered),
    request_body(content = Object, description = "The platform's event: `namespace`, `eventType`, `payload`."),
    responses(
        (status = 200, description = "Stored, known already, or of no concern."),
        (status = 400, description = "The body is no JSON object, or an event without `payload`.",
         body = ErrorBody),
        (status = 401, description = "The `Authorization` value is not the one expected.", body = ErrorBody),
        (status = 404, description = "There is no such account.", body = ErrorBody),
        (status = 500, description = "A defect of ours.", body = ErrorBody),
        (status = 503, description = "The database is not available.", body = ErrorBody),
        BodyErrors,
    )
)]
pub async fn receive(
    State(state): State<ApiState>,
    Registered(account): Registered,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let body = body.json()?;
    match inbound::parse(&body).map_err(|_| ApiError::InvalidBody)? {
        Inbound::Message(message) => take_message(&state, account, message, body).await?,
        Inbound::Receipt(receipt) => take_receipt(&state, account, receipt).await?,
        Inbound::Ignored { reason } => {
            tracing::debug!(account.id = %account, reason, "a webhook was ignored");
        }
    }
    Ok(StatusCode::OK)
}

async fn take_message(
    state: &ApiState,
    account: AccountId,
    message: InboundMessage,
    body: Value,
) -> Result<(), ApiError> {
    let keys = message.reply_keys();
    let names = keys.iter().chain([&message.dedupe_key]).chain(&message.sub_account_id);
    if !names.into_iter().all(|name| can_be_indexed(name)) {
        return Err(ApiError::InvalidBody);
    }
    let received = state
        .store
        .receive(Incoming {
            account: account.clone(),
            dedupe_key: message.dedupe_key,
            trigger: message.trigger,
            subaccount: message.sub_account_id.clone(),
            keys,
            body,
            triggered_at: (state.clock)(),
        })
        .await?;
    if received.resumed.is_empty() && received.started.is_empty() && !received.duplicate {
        // Also how a subaccount shows that no definition knows (C-239).
        let subaccount = message.sub_account_id.unwrap_or_default();
        tracing::info!(account.id = %account, subaccount.id = subaccount, "a message was of use to nobody");
    }
    Ok(())
}

async fn take_receipt(state: &ApiState, account: AccountId, receipt: Receipt) -> Result<(), ApiError> {
    let is_storable = can_be_indexed(&receipt.umid)
        && [
            Some(&receipt.channel),
            Some(&receipt.state),
            receipt.detail.as_ref(),
            receipt.error_message.as_ref(),
        ]
        .into_iter()
        .flatten()
        .all(|text| !text.contains('\0'));
    if !is_storable {
        return Err(ApiError::InvalidBody);
    }
    let record = ReceiptRecord {
        account,
        umid: receipt.umid,
        channel: Some(receipt.channel).filter(|channel| !channel.is_empty()),
        state: receipt.state,
        rank: receipt.rank.into(),
        detail: receipt.detail,
        error_code: receipt.error_code.and_then(|code| i32::try_from(code).ok()),
        error_message: receipt.error_message,
        changed_at: receipt.timestamp.unwrap_or_else(state.clock),
    };
    Ok(state.store.record_receipt(record).await?)
}

/// PostgreSQL's text holds no NUL.
fn can_be_indexed(text: &str) -> bool {
    text.len() <= MAX_KEY && !text.contains('\0')
}
