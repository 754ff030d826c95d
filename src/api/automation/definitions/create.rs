//! `POST /definitions` (spec 2.3).

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::check_input::check_input;
use super::input_schema::DefinitionInput;
use super::view::DefinitionView;
use crate::api::auth::{Account, Author, Caller};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::json::Json;
use crate::api::path;
use crate::api::state::ApiState;

/// Create a definition
///
/// Saves version 1. The trigger is live at once when the status is `enabled`.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/definitions",
    operation_id = "create-definition",
    tag = "Definitions",
    params(Account),
    request_body = DefinitionInput,
    responses(
        (status = 201, description = "Saved.", body = DefinitionView,
         headers(("Location" = String, description = "The definition's path."))),
        (status = 400, description = "No JSON (1000) or not a definition (5001).", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn create(
    State(state): State<ApiState>,
    Author(Caller { account, by }): Author,
    body: Body,
) -> Result<Response, ApiError> {
    let input = check_input(&body)?;
    let definition = state.store.create_definition(&account, Uuid::new_v4(), input, &by).await?;
    let location = path::of_definition(&account, definition.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(DefinitionView::new(definition)?)).into_response())
}
