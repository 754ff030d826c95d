//! `DELETE /definitions/{definitionId}` (spec 2.6).

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::IntoParams;

use crate::api::auth::{Account, Author, Caller};
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::path::DefinitionPath;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `delete` reads")]
pub struct Which {
    /// Delete this version alone; the highest that is left becomes the current one.
    #[param(minimum = 1)]
    version: Option<i64>,
}

/// Delete a definition
///
/// All its versions or one of them, for good: their instances are terminated, and logs go with them. To
/// readers they are gone at once; the cleaning up happens later.
#[utoipa::path(
    delete,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}",
    operation_id = "delete-definitions",
    tag = "Definitions",
    params(Account, DefinitionPath, Which),
    responses(
        (status = 202, description = "Deleted."),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition or version.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn delete(
    State(state): State<ApiState>,
    Author(Caller { account, by }): Author,
    path: DefinitionPath,
    query: Query,
) -> Result<StatusCode, ApiError> {
    let definition = path.of_customers()?;
    let version = query.version()?;
    if state.store.delete_definition(&account, definition, version, &by).await? {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(ApiError::DefinitionNotFound(definition))
    }
}
