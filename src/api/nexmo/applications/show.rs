//! `GET /v2/applications/{applicationId}`.

use axum::extract::State;

use super::path::{ApplicationPath, find_own};
use super::view::ApplicationView;
use crate::api::json::Json;
use crate::api::nexmo::problem::{KeyProblems, ProblemBody};
use crate::api::nexmo::{KeyCaller, Problem};
use crate::api::state::ApiState;

/// Show an application
#[utoipa::path(
    get,
    path = "/v2/applications/{applicationId}",
    operation_id = "get-application",
    tag = "Applications",
    security(("basicAuth" = [])),
    params(ApplicationPath),
    responses(
        (status = 200, description = "The application.", body = ApplicationView),
        (status = 404, description = "The account has no such application.", body = ProblemBody,
         content_type = "application/problem+json"),
        KeyProblems,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    KeyCaller { account, .. }: KeyCaller,
    ApplicationPath(id): ApplicationPath,
) -> Result<Json<ApplicationView>, Problem> {
    let application = find_own(&state.store, &account, id).await?;
    Ok(Json(ApplicationView::new(application)))
}
