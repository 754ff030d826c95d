//! `GET …/instances/{instanceId}/history`: everything that happened to an instance.

use axum::extract::State;
use utoipa::IntoParams;

use super::history_cursor;
use super::history_view::HistoryView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::page;
use crate::api::path::InstanceOfAccount;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `history` reads")]
pub struct Pages {
    /// How many items to return at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Show an instance's history
///
/// The oldest first: what came in from outside, every attempt of a step with its inputs, what it sent and got and what
/// it put out, the states that were told of its messages, and what people did to the instance. What is kept of bodies is
/// as the account's history policy was at the time.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/instances/{instanceId}/history",
    operation_id = "show-instance-history",
    tag = "Operations",
    params(Account, InstanceOfAccount, Pages),
    responses(
        (status = 200, description = "A page of it.", body = HistoryView),
        (status = 400, description = "The id or a parameter is invalid.", body = ErrorBody),
        (status = 404, description = "The account has no such instance.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn history(
    State(state): State<ApiState>,
    Account(account): Account,
    InstanceOfAccount(instance): InstanceOfAccount,
    query: Query,
) -> Result<Json<HistoryView>, ApiError> {
    let after = query.read("cursor", history_cursor::read)?;
    let limit = page::read(&query)?.limit;
    let page = state.store.history(&account, instance, after, limit).await?;
    let page = page.ok_or(ApiError::WorkflowNotFound(instance))?;
    Ok(Json(HistoryView::new(page)?))
}
