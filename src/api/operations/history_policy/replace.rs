//! `PUT …/history-policy`: what the history is to keep.

use axum::extract::State;
use serde_json::{Map, Value};
use trunkline_workflow::history_policy::{Bodies, HistoryPolicy, are_names};

use super::view::HistoryPolicyView;
use crate::api::auth::{Account, Administrator};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::json::Json;
use crate::api::state::ApiState;

/// Say what the history is to keep
///
/// For what is written from now on, at the latest three seconds later. What was written before stays as it is.
#[utoipa::path(
    put,
    path = "/api/v1/accounts/{accountId}/history-policy",
    operation_id = "replace-history-policy",
    tag = "Operations",
    params(Account),
    request_body = HistoryPolicyView,
    responses(
        (status = 200, description = "The policy as it is now.", body = HistoryPolicyView),
        (status = 400, description = "The policy is invalid.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn replace(
    State(state): State<ApiState>,
    Administrator(caller): Administrator,
    body: Body,
) -> Result<Json<HistoryPolicyView>, ApiError> {
    let policy = read(&body.json_object()?)?;
    if !state.store.set_history_policy(&caller.account, &policy, &caller.by).await? {
        return Err(ApiError::AccountNotFound(caller.account));
    }
    Ok(Json(policy.into()))
}

fn read(body: &Map<String, Value>) -> Result<HistoryPolicy, ApiError> {
    let bodies = body.get("bodies").and_then(Value::as_str).and_then(Bodies::parse);
    Ok(HistoryPolicy {
        bodies: bodies.ok_or(ApiError::InvalidParameter("bodies"))?,
        headers: names(body, "headers")?,
        members: names(body, "members")?,
    })
}

/// A list that is not there is empty.
fn names(body: &Map<String, Value>, list: &'static str) -> Result<Vec<String>, ApiError> {
    let names: Option<Vec<String>> = match body.get(list) {
        None => Some(Vec::new()),
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    };
    names.filter(|names| are_names(names)).ok_or(ApiError::InvalidParameter(list))
}
