//! `GET …/batches`.

use axum::extract::State;

use super::view::BatchView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::page::{self, PageParams};
use crate::api::query::Query;
use crate::api::state::ApiState;

/// List batches
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/batches",
    operation_id = "list-batches",
    tag = "Operations",
    params(Account, PageParams),
    responses(
        (status = 200, description = "A page of them.", body = Vec<BatchView>),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    Account(account): Account,
    query: Query,
) -> Result<Json<Vec<BatchView>>, ApiError> {
    let batches = state.store.list_batches(&account, page::read(&query)?).await?;
    Ok(Json(batches.into_iter().map(BatchView::new).collect::<Result<_, _>>()?))
}
