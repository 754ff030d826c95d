//! `DELETE /v0.1/dispatch/{uuid}`: no other message is sent. The original had no such operation.

use axum::extract::State;
use axum::http::StatusCode;
use trunkline_store::control::Controlled;

use super::path::UuidPath;
use crate::api::nexmo::problem::{CallerProblems, ProblemBody};
use crate::api::nexmo::{Caller, Problem};
use crate::api::state::ApiState;

/// Cancel a workflow
///
/// Of one that has ended nothing changes. Messages that were sent are not called back. An extension.
#[utoipa::path(
    delete,
    path = "/v0.1/dispatch/{uuid}",
    operation_id = "cancel-dispatch",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    params(UuidPath),
    responses(
        (status = 204, description = "It has ended."),
        (status = 404, description = "The account has no such workflow.", body = ProblemBody,
         content_type = "application/problem+json"),
        CallerProblems,
    )
)]
pub async fn cancel(
    State(state): State<ApiState>,
    caller: Caller,
    UuidPath(id): UuidPath,
) -> Result<StatusCode, Problem> {
    let found = state.store.find_dispatch(&caller.account, id).await?.ok_or(Problem::NotFound)?;
    match state.store.cancel_dispatch(&caller.account, &found, &caller.by()).await? {
        // What is refused has ended.
        Controlled::Done { .. } | Controlled::Refused(_) => Ok(StatusCode::NO_CONTENT),
        Controlled::NotFound => Err(Problem::NotFound),
    }
}
