//! `GET …/limits`.

use axum::extract::State;
use trunkline_workflow::limits::Settings;

use super::LimitsSchema;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError};
use crate::api::json::Json;
use crate::api::state::ApiState;

/// Show the limits of the account
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/limits",
    operation_id = "show-limits",
    tag = "Operations",
    params(Account),
    responses(
        (status = 200, description = "All of them; an empty object when nothing is limited.", body = LimitsSchema),
        AccountErrors,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    Account(account): Account,
) -> Result<Json<Settings>, ApiError> {
    Ok(Json(state.store.find_limits(&account).await?))
}
