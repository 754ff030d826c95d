//! `GET /v0.1/dispatch/{uuid}`: the link in callbacks, which the original never served.

use axum::extract::State;

use super::path::UuidPath;
use super::view::{DispatchDetails, DispatchLinks};
use crate::api::json::Json;
use crate::api::nexmo::problem::{CallerProblems, ProblemBody};
use crate::api::nexmo::{Caller, Problem};
use crate::api::state::ApiState;

/// Show a workflow
///
/// How far it is, and its messages so far. An extension.
#[utoipa::path(
    get,
    path = "/v0.1/dispatch/{uuid}",
    operation_id = "get-dispatch",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    params(UuidPath),
    responses(
        (status = 200, description = "The workflow.", body = DispatchDetails),
        (status = 404, description = "The account has no such workflow.", body = ProblemBody,
         content_type = "application/problem+json"),
        CallerProblems,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    UuidPath(id): UuidPath,
) -> Result<Json<DispatchDetails>, Problem> {
    let found = state.store.find_dispatch(&caller.account, id).await?.ok_or(Problem::NotFound)?;
    let messages = state.store.dispatch_messages(&caller.account, found.instance).await?;
    let messages = messages.into_iter().map(Into::into).collect();
    let (rerun_of, reruns) = state.store.dispatch_reruns(found.instance).await?;
    Ok(Json(DispatchDetails { dispatch: found.into(), rerun_of, reruns, links: DispatchLinks { messages } }))
}
