//! `DELETE /v2/applications/{applicationId}`.

use axum::extract::State;
use axum::http::StatusCode;

use super::path::ApplicationPath;
use crate::api::nexmo::problem::{KeyProblems, ProblemBody};
use crate::api::nexmo::{KeyCaller, Problem};
use crate::api::state::ApiState;

/// Delete an application
///
/// Its tokens are refused within seconds. What it sent goes on; the account is told of it from now on.
#[utoipa::path(
    delete,
    path = "/v2/applications/{applicationId}",
    operation_id = "delete-application",
    tag = "Applications",
    security(("basicAuth" = [])),
    params(ApplicationPath),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, description = "The account has no such application.", body = ProblemBody,
         content_type = "application/problem+json"),
        KeyProblems,
    )
)]
pub async fn delete(
    State(state): State<ApiState>,
    caller: KeyCaller,
    ApplicationPath(id): ApplicationPath,
) -> Result<StatusCode, Problem> {
    if state.store.delete_application(&caller.account, id, &caller.by()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::NotFound)
    }
}
