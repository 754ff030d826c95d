//! `GET /definitions/{definitionId}/workflows/{workflowId}/errors` (spec 2.11).

use axum::extract::State;

use super::not_found::not_found;
use super::view::ErrorView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::path::InstancePath;
use crate::api::state::ApiState;

/// List an instance's errors
///
/// In the order they happened. A command leaves none: an instance terminated by hand has an empty list.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows/{workflowId}/errors",
    operation_id = "get-instance-errors",
    tag = "Workflows",
    params(Account, InstancePath),
    responses(
        (status = 200, description = "All of them.", body = Vec<ErrorView>),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition or instance.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn errors(
    State(state): State<ApiState>,
    Account(account): Account,
    path: InstancePath,
) -> Result<Json<Vec<ErrorView>>, ApiError> {
    let errors = state.store.instance_errors(&account, path.definition, path.instance).await?;
    let Some(errors) = errors else { return Err(not_found(&state, &account, &path).await) };
    Ok(Json(errors.into_iter().map(|error| ErrorView::new(path.instance, error)).collect()))
}
