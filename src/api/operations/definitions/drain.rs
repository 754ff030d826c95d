//! `POST …/definitions/{definitionId}/drain`.

use axum::extract::State;
use trunkline_store::limits::DefinitionState;

use super::set_state::set_state;
use super::view::StateView;
use crate::api::auth::{Account, Operator};
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::path::DefinitionPath;
use crate::api::state::ApiState;

/// Drain a definition
///
/// Its instances go on to their end, and no new ones are started: a start by hand is refused with 409, what would have
/// triggered one does not.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/drain",
    operation_id = "drain-definition",
    tag = "Operations",
    params(Account, DefinitionPath),
    responses(
        (status = 200, description = "Its state.", body = StateView),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn drain(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    path: DefinitionPath,
) -> Result<Json<StateView>, ApiError> {
    set_state(&state, caller, &path, DefinitionState::Draining).await
}
