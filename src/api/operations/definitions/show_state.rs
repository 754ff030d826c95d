//! `GET …/definitions/{definitionId}/state`.

use axum::extract::State;

use super::view::StateView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::path::DefinitionPath;
use crate::api::state::ApiState;

/// Show whether a definition runs
///
/// It may be paused, or drained.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/state",
    operation_id = "show-definition-state",
    tag = "Operations",
    params(Account, DefinitionPath),
    responses(
        (status = 200, description = "Its state.", body = StateView),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn show_state(
    State(state): State<ApiState>,
    Account(account): Account,
    path: DefinitionPath,
) -> Result<Json<StateView>, ApiError> {
    let found = state.store.definition_state(&account, path.definition).await?;
    let found = found.ok_or(ApiError::DefinitionNotFound(path.definition))?;
    Ok(Json(StateView::new(path.definition, found)))
}
