//! `GET …/batches/{batchId}`: how far a batch is.

use axum::extract::State;

use super::path::BatchPath;
use super::view::BatchView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::state::ApiState;

/// Show a batch and its progress
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/batches/{batchId}",
    operation_id = "show-batch",
    tag = "Operations",
    params(Account, BatchPath),
    responses(
        (status = 200, description = "As of this moment.", body = BatchView),
        (status = 400, description = "The id is invalid.", body = ErrorBody),
        (status = 404, description = "The account has no such batch.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    Account(account): Account,
    BatchPath(id): BatchPath,
) -> Result<Json<BatchView>, ApiError> {
    let batch = state.store.get_batch(&account, id).await?.ok_or(ApiError::BatchNotFound(id))?;
    Ok(Json(BatchView::new(batch)?))
}
