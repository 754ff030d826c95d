//! `PATCH …/batches/{batchId}`: pause, resume, abort.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use trunkline_store::batches::{BatchCommand, BatchControlled};
use utoipa::ToSchema;

use super::path::BatchPath;
use crate::api::auth::{Account, Caller, Operator};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::state::ApiState;

/// What to do with a batch.
#[derive(ToSchema)]
#[schema(as = BatchCommand)]
#[expect(dead_code, reason = "a description")]
pub struct CommandSchema {
    command: CommandName,
}

#[derive(ToSchema)]
#[schema(as = BatchCommandName, rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum CommandName {
    Pause,
    Resume,
    Abort,
}

/// Pause, resume or abort a batch
///
/// When a batch was paused or aborted, no instance is dealt with any more; what was done stays done.
#[utoipa::path(
    patch,
    path = "/api/v1/accounts/{accountId}/batches/{batchId}",
    operation_id = "patch-batch",
    tag = "Operations",
    params(Account, BatchPath),
    request_body = CommandSchema,
    responses(
        (status = 200, description = "Done."),
        (status = 400, description = "The command is invalid, or not possible in the batch's state.",
         body = ErrorBody),
        (status = 404, description = "The account has no such batch.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn control(
    State(state): State<ApiState>,
    Operator(Caller { account, by }): Operator,
    BatchPath(id): BatchPath,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let members = body.json_object()?;
    let command = members.get("command").and_then(Value::as_str).and_then(BatchCommand::parse);
    let command = command.ok_or(ApiError::InvalidParameter("command"))?;
    match state.store.control_batch(&account, id, command, &by).await? {
        BatchControlled::Done => Ok(StatusCode::OK),
        BatchControlled::NotFound => Err(ApiError::BatchNotFound(id)),
        BatchControlled::Refused(state) => Err(ApiError::BatchRefused { id, command, state }),
    }
}
