//! `GET …/batches/{batchId}/items`: what became of each instance.

use axum::extract::State;
use trunkline_store::batches::ITEM_STATES;
use utoipa::{IntoParams, ToSchema};

use super::path::BatchPath;
use super::view::{ItemView, ItemsView};
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::page;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `items` reads")]
pub struct Which {
    /// Only those.
    #[param(inline)]
    state: Option<ItemStateName>,
    /// Only those behind this number: `next` of the page before.
    #[param(minimum = 0, default = 0)]
    after: Option<i32>,
    /// How many to return at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<i64>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum ItemStateName {
    Pending,
    Done,
    Skipped,
    Failed,
}

/// List the instances of a batch
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/batches/{batchId}/items",
    operation_id = "list-batch-items",
    tag = "Operations",
    params(Account, BatchPath, Which),
    responses(
        (status = 200, description = "A page of them, in the order in which they are dealt with.", body = ItemsView),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "The account has no such batch.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn items(
    State(state): State<ApiState>,
    Account(account): Account,
    BatchPath(id): BatchPath,
    query: Query,
) -> Result<Json<ItemsView>, ApiError> {
    let item_state = query.read("state", |text| ITEM_STATES.into_iter().find(|state| *state == text))?;
    let after = query.read("after", |text| text.parse().ok().filter(|after| *after >= 0))?.unwrap_or(0);
    let limit = page::read(&query)?.limit;
    let items = state.store.list_batch_items(&account, id, item_state, after, limit).await?;
    let items = items.ok_or(ApiError::BatchNotFound(id))?;
    let is_full = i64::try_from(items.len()).is_ok_and(|count| count == limit);
    let next = items.last().map(|item| item.n).filter(|_| is_full);
    Ok(Json(ItemsView { items: items.into_iter().map(ItemView::from).collect(), next }))
}
