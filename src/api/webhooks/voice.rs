//! `POST /webhooks/v1/accounts/{accountId}/voice`: what happens in calls (spec 7.6.2–7.6.4, 7.7).
//!
//! ```text
//! keys pressed ────► written down once ─► waits for keys of the call ─► 200, and the call shall hang up
//! session summary ─► last state of the call ─► waits for receipts ────► 200
//! anything else ──────────────────────────────────────────────────────► 200
//! ```

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use trunkline_connectors::correlation::{dtmf_key, receipt_key};
use trunkline_connectors::eight_by_eight::voice_inbound::{SessionSummary, VoiceInbound, parse_voice};
use trunkline_store::events::{EventKind, Incoming, Recipients};
use trunkline_store::messages::{Receipt, VOICE};
use trunkline_workflow::AccountId;
use trunkline_workflow::strict_json::Malformed;

use super::credentials::Registered;
use super::dtmf::take_keys;
use super::storable::{check_id, check_text};
use crate::api::body::Body;
use crate::api::error::{ApiError, BodyErrors, ErrorBody};
use crate::api::json::Json;
use crate::api::state::{ApiState, EndedCalls};

/// Receive a voice event
///
/// Called by the messaging platform: keys pressed in a call (VCA), summaries of calls (VSS), changes of their
/// state (VCS). Each event takes effect once, however often it is delivered.
#[utoipa::path(
    post,
    path = "/webhooks/v1/accounts/{accountId}/voice",
    operation_id = "receive-voice-event",
    tag = "Webhooks",
    security(("webhookAuthorization" = [])),
    params(Registered),
    request_body(
        content = Object,
        description = "The platform's event: `namespace`, `eventType`, `payload`.",
        example = json!({"namespace": "VOICE", "eventType": "CALL_ACTION", "payload": {
            "eventId": "1f7a", "sessionId": "8d5f0b1e", "subAccountId": "acme_voice",
            "callStatus": "ACTION_COMPLETED", "eventData": {"dtmf": "1"}}})
    ),
    responses(
        (status = 200, description = "Stored, known already, or of no concern. A call action is answered with \
         what the call shall do next: `{\"callflow\": [{\"action\": \"hangup\"}]}`; other events with nothing."),
        (status = 400, description = "The body is no JSON object, or an event without `payload`.",
         body = ErrorBody),
        (status = 401, description = "The `Authorization` value is not the account's, or the caller's address is not allowed.", body = ErrorBody),
        (status = 500, description = "A defect of ours.", body = ErrorBody),
        (status = 503, description = "The database is not available.", body = ErrorBody),
        BodyErrors,
    )
)]
pub async fn receive(
    State(state): State<ApiState>,
    Registered(account): Registered,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body.webhook_json()?;
    let inbound = parse_voice(&body).map_err(|error| Malformed::whole(error.to_string()))?;
    match inbound {
        VoiceInbound::KeysPressed(keys) => take_keys(&state, account, keys).await?,
        VoiceInbound::SessionSummary(summary) => take_summary(&state, account, summary, &body).await?,
        VoiceInbound::Ignored { reason } => {
            tracing::debug!(account.id = %account, reason, "a webhook was ignored");
        }
    }
    // The one event whose sender wants to be told how to go on (U-29, U-30).
    if VoiceInbound::is_call_action(&body) {
        let hang_up = json!({"callflow": [{"action": "hangup"}]});
        return Ok((StatusCode::OK, Json(hang_up)).into_response());
    }
    Ok(StatusCode::OK.into_response())
}

async fn take_summary(
    state: &ApiState,
    account: AccountId,
    summary: SessionSummary,
    body: &Value,
) -> Result<(), ApiError> {
    let texts = [&summary.state].into_iter().chain(&summary.error_message).chain(&summary.sub_account_id);
    let ids = [&summary.session_id, &summary.dedupe_key].into_iter().chain(&summary.client_request_id);
    ids.into_iter().try_for_each(|id| check_id(id))?;
    texts.into_iter().try_for_each(|text| check_text(text))?;
    let id = summary.session_id.to_lowercase();
    let incoming = Incoming {
        account,
        dedupe_key: summary.dedupe_key,
        subaccount: summary.sub_account_id,
        keys: vec![receipt_key(&id)],
        kind: EventKind::Receipt {
            receipt: Receipt {
                id,
                channel: Some(VOICE.to_owned()),
                state: summary.state,
                rank: summary.rank.into(),
                detail: None,
                error_code: summary.error_code.and_then(|code| i32::try_from(code).ok()),
                error_message: summary.error_message,
                changed_at: summary.changed_at.unwrap_or_else(state.clock),
            },
            trigger: None,
        },
        body: body.clone(),
        received_at: (state.clock)(),
        recipients: Recipients::All,
        callback: None,
    };
    if state.config.ended_calls == EndedCalls::EndWaits {
        let end = Incoming {
            dedupe_key: format!("{}:end", incoming.dedupe_key),
            kind: EventKind::CallEnded,
            keys: vec![dtmf_key(&summary.session_id)],
            ..incoming.clone()
        };
        state.store.receive(end).await?;
    }
    state.store.receive(incoming).await?;
    Ok(())
}
