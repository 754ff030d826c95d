//! `POST /triggers/http_request` (spec 2.12, 6.4).

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use trunkline_store::starts::{NewInstance, StartContext};
use trunkline_store::usage::report_used_up;
use trunkline_workflow::{Trigger, context};
use utoipa::IntoParams;

use crate::api::auth::{Account, Caller, Operator};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::idempotency::{IdempotencyHeader, RequestKey};
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `http_request` reads")]
pub struct Filter {
    /// With it the definitions of this subaccount are started, too; without it only those of none.
    sub_account_id: Option<String>,
}

/// Raise an HTTP event
///
/// Starts an instance of every enabled definition with the trigger `http_request` that the subaccount
/// matches; 200 says that the event was raised, also when nothing matched or the account may start no more
/// this month. The members of the body become members of `data`; a body that is no object stands under
/// `data.payload`.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/triggers/http_request",
    operation_id = "http_request_trigger",
    tag = "Triggers",
    params(Account, Filter, IdempotencyHeader),
    request_body(content = Option<Value>, description = "Any JSON."),
    responses(
        (status = 200, description = "Raised, and what it started is stored."),
        (status = 400, description = "The body is no JSON or a parameter is invalid.", body = ErrorBody),
        (status = 409, description = "The `Idempotency-Key` was used with another request.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn http_request(
    State(state): State<ApiState>,
    Operator(Caller { account, .. }): Operator,
    query: Query,
    key: RequestKey,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let subaccount = query.text("subAccountId").filter(|id| !id.is_empty());
    if subaccount.is_some_and(|id| id.contains('\0')) {
        return Err(ApiError::InvalidParameter("subAccountId"));
    }
    let payload = if body.is_absent() { Value::Null } else { body.json()? };
    let triggered = state.store.definitions_triggered_by(&account, Trigger::HttpRequest, subaccount).await?;

    let data = StartContext::from(context::build(payload, &account, subaccount, (state.clock)()));
    let Body(bytes, room) = body;
    let _room = room.exchanged_for(data.bytes()).await?;
    let instances = triggered
        .into_iter()
        .map(|triggered| NewInstance {
            account: account.clone(),
            definition: triggered.definition,
            version: triggered.version,
            data: data.clone(),
        })
        .collect();

    match key.start(&state, account.clone(), &bytes, instances).await {
        // The event was raised all the same (U-36).
        Err(ApiError::QuotaUsedUp) => report_used_up(&account),
        started => drop(started?),
    }
    Ok(StatusCode::OK)
}
