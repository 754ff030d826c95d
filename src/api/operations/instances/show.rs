//! `GET …/instances/{instanceId}`: what an instance did, and why it waits.

use axum::extract::State;

use super::view::ExplanationView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::path::InstanceOfAccount;
use crate::api::state::ApiState;

/// Explain an instance
///
/// Of any definition, by its id alone: what every step did, with its messages and what became of them, and of each
/// unfinished step the one thing that it waits for (`blockedOn`).
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/instances/{instanceId}",
    operation_id = "explain-instance",
    tag = "Operations",
    params(Account, InstanceOfAccount),
    responses(
        (status = 200, description = "As of this moment.", body = ExplanationView),
        (status = 400, description = "The id is invalid.", body = ErrorBody),
        (status = 404, description = "The account has no such instance.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    Account(account): Account,
    InstanceOfAccount(instance): InstanceOfAccount,
) -> Result<Json<ExplanationView>, ApiError> {
    let explanation = state.store.explain(&account, instance).await?;
    let explanation = explanation.ok_or(ApiError::WorkflowNotFound(instance))?;
    Ok(Json(ExplanationView::new(explanation)?))
}
