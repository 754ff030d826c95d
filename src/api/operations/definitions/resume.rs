//! `POST …/definitions/{definitionId}/resume`.

use axum::extract::State;
use trunkline_store::limits::DefinitionState;

use super::set_state::set_state;
use super::view::StateView;
use crate::api::auth::{Account, Operator};
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::path::DefinitionPath;
use crate::api::state::ApiState;

/// Resume a definition
///
/// That was paused or drained. What waited goes on, in its order.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/resume",
    operation_id = "resume-definition",
    tag = "Operations",
    params(Account, DefinitionPath),
    responses(
        (status = 200, description = "Its state.", body = StateView),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn resume(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    path: DefinitionPath,
) -> Result<Json<StateView>, ApiError> {
    set_state(&state, caller, &path, DefinitionState::Running).await
}
