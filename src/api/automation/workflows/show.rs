//! `GET /definitions/{definitionId}/workflows/{workflowId}` (spec 2.9).

use axum::extract::State;
use utoipa::IntoParams;

use super::not_found::not_found;
use super::view::InstanceView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::path::InstancePath;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `show` reads")]
pub struct Parts {
    /// Whether the answer has the log of the steps.
    #[param(default = false)]
    include_logs: Option<bool>,
}

/// Show an instance
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows/{workflowId}",
    operation_id = "get-instance-status",
    tag = "Workflows",
    params(Account, InstancePath, Parts),
    responses(
        (status = 200, description = "As it is now.", body = InstanceView),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition or instance.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    Account(account): Account,
    path: InstancePath,
    query: Query,
) -> Result<Json<InstanceView>, ApiError> {
    let include_logs = query.flag("includeLogs")?;
    let instance = state.store.get_instance(&account, path.definition, path.instance).await?;
    let Some(instance) = instance else { return Err(not_found(&state, &account, &path).await) };
    if include_logs {
        let logs = state.store.instance_logs(&instance).await?;
        return Ok(Json(InstanceView::new(instance)?.with_logs(logs)));
    }
    Ok(Json(InstanceView::new(instance)?))
}
