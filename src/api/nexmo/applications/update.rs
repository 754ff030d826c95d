//! `PUT /v2/applications/{applicationId}`.

use axum::extract::State;

use super::input::ApplicationInput;
use super::path::{ApplicationPath, find_own};
use super::view::{ApplicationBody, ApplicationView};
use crate::api::json::Json;
use crate::api::nexmo::body::JsonBody;
use crate::api::nexmo::problem::{BodyProblems, KeyProblems, ProblemBody};
use crate::api::nexmo::{KeyCaller, Problem};
use crate::api::state::ApiState;

/// Replace an application
///
/// What is not named is removed, but for the key: that stays unless there is a new one, and then the old one is not
/// valid any more. Servers notice within seconds.
#[utoipa::path(
    put,
    path = "/v2/applications/{applicationId}",
    operation_id = "update-application",
    tag = "Applications",
    security(("basicAuth" = [])),
    params(ApplicationPath),
    request_body = ApplicationBody,
    responses(
        (status = 200, description = "Replaced.", body = ApplicationView),
        (status = 404, description = "The account has no such application.", body = ProblemBody,
         content_type = "application/problem+json"),
        KeyProblems,
        BodyProblems,
    )
)]
pub async fn update(
    State(state): State<ApiState>,
    caller: KeyCaller,
    ApplicationPath(id): ApplicationPath,
    JsonBody(body, _room): JsonBody,
) -> Result<Json<ApplicationView>, Problem> {
    find_own(&state.store, &caller.account, id).await?;
    let ApplicationInput { fields, public_key } = ApplicationInput::read(&body)?;
    let pem = public_key.map(|key| key.to_pem());
    let (account, by) = (&caller.account, caller.by());
    let updated = state.store.update_application(account, id, &fields, pem.as_deref(), &by).await?;
    Ok(Json(ApplicationView::new(updated.ok_or(Problem::NotFound)?)))
}
