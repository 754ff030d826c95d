//! `PUT /definitions/{definitionId}` (spec 2.5).

use axum::extract::State;

use super::check_input::check_input;
use super::input_schema::DefinitionInput;
use super::view::DefinitionView;
use crate::api::auth::{Account, Author, Caller};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::json::Json;
use crate::api::path::DefinitionPath;
use crate::api::state::ApiState;

/// Replace a definition
///
/// Saves a new version, which all new instances run on; those that run already keep theirs. What is left
/// out gets its default: without `status` the definition is switched off.
#[utoipa::path(
    put,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}",
    operation_id = "update-existing-definition",
    tag = "Definitions",
    params(Account, DefinitionPath),
    request_body = DefinitionInput,
    responses(
        (status = 200, description = "The new version.", body = DefinitionView),
        (status = 400, description = "No JSON (1000) or not a definition (5001).", body = ErrorBody),
        (status = 404, description = "There is no such definition.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn update(
    State(state): State<ApiState>,
    Author(Caller { account, by }): Author,
    path: DefinitionPath,
    body: Body,
) -> Result<Json<DefinitionView>, ApiError> {
    let id = path.of_customers()?;
    let input = check_input(&body)?;
    let definition = state.store.update_definition(&account, id, input, &by).await?;
    let definition = definition.ok_or(ApiError::DefinitionNotFound(id))?;
    Ok(Json(DefinitionView::new(definition)?))
}
