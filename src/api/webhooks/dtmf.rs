//! `POST /webhooks/v1/accounts/{accountId}/dtmf`: keys pressed in a call of the first voice API (spec 7.6.1).

use axum::extract::State;
use axum::http::StatusCode;
use trunkline_connectors::correlation::dtmf_key;
use trunkline_connectors::eight_by_eight::voice_inbound::{KeysPressed, parse_dtmf_callback};
use trunkline_store::events::{EventKind, Incoming, Recipients};
use trunkline_workflow::AccountId;
use trunkline_workflow::strict_json::Malformed;

use super::credentials::Registered;
use super::storable::{check_id, check_text};
use crate::api::body::Body;
use crate::api::error::{ApiError, BodyErrors, ErrorBody};
use crate::api::state::ApiState;

/// Receive pressed keys
///
/// The `dtmfCallbackUrl` of a call. The platform cannot be told a header for it: `token` stands in.
#[utoipa::path(
    post,
    path = "/webhooks/v1/accounts/{accountId}/dtmf",
    operation_id = "receive-dtmf",
    tag = "Webhooks",
    security(("webhookAuthorization" = []), ()),
    params(
        Registered,
        ("token" = Option<String>, Query, description = "Derived from the account's secret; instead of the header.")
    ),
    request_body(
        content = Object,
        description = "The keys: `uid`, `clientRequestId`, `actionDetails.dtmf`.",
        example = json!({"uid": "8d5f0b1e", "clientRequestId": "order-7", "actionDetails": {"dtmf": "1"},
            "status": {"code": "DTMF", "timestamp": "2026-02-03T04:05:06.117Z"}})
    ),
    responses(
        (status = 200, description = "Stored, or known already."),
        (status = 400, description = "The body is no JSON object, or says no call.", body = ErrorBody),
        (status = 401, description = "Neither header nor token is the account's, or the caller's address is not allowed.", body = ErrorBody),
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
    let body = body.webhook_json()?;
    let keys = parse_dtmf_callback(&body).map_err(|error| Malformed::whole(error.to_string()))?;
    take_keys(&state, account, keys).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn take_keys(
    state: &ApiState,
    account: AccountId,
    pressed: KeysPressed,
) -> Result<(), ApiError> {
    let keys: Vec<String> = pressed.ids().iter().map(|id| dtmf_key(id)).collect();
    keys.iter().chain([&pressed.dedupe_key]).try_for_each(|id| check_id(id))?;
    pressed.sub_account_id.iter().try_for_each(|id| check_text(id))?;
    let incoming = Incoming {
        account: account.clone(),
        dedupe_key: pressed.dedupe_key,
        kind: EventKind::Keys,
        subaccount: pressed.sub_account_id,
        keys,
        body: pressed.dtmf_data,
        received_at: (state.clock)(),
        recipients: Recipients::All,
        callback: None,
    };
    let received = state.store.receive(incoming).await?;
    if received.resumed.is_empty() && !received.duplicate {
        tracing::info!(account.id = %account, "keys were pressed in a call that nobody waits for; kept for a day");
    }
    Ok(())
}
