//! `GET …/history-policy`: what the history keeps.

use axum::extract::State;

use super::view::HistoryPolicyView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError};
use crate::api::json::Json;
use crate::api::state::ApiState;

/// Show what the history keeps
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/history-policy",
    operation_id = "show-history-policy",
    tag = "Operations",
    params(Account),
    responses((status = 200, description = "The policy.", body = HistoryPolicyView), AccountErrors)
)]
pub async fn show(
    State(state): State<ApiState>,
    Account(account): Account,
) -> Result<Json<HistoryPolicyView>, ApiError> {
    Ok(Json(state.store.history_policy(&account).await?.into()))
}
