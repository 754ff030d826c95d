//! `PATCH /definitions/{definitionId}/workflows/{workflowId}` (spec 2.10, 5.5).

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use trunkline_store::control::Controlled;
use trunkline_workflow::control::Command;
use trunkline_workflow::inputs;
use utoipa::ToSchema;

use super::not_found::not_found;
use crate::api::auth::{Account, Caller, Operator};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::path::InstancePath;
use crate::api::state::ApiState;

/// What to do with an instance.
#[derive(ToSchema)]
#[schema(as = WorkflowCommand)]
#[expect(dead_code, reason = "a description")]
pub struct CommandSchema {
    /// A command, not a status.
    status: CommandName,
}

#[derive(ToSchema)]
#[schema(as = WorkflowCommandName, rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum CommandName {
    Suspend,
    Resume,
    Terminate,
}

/// Suspend, resume or terminate an instance
///
/// A step that is being executed finishes first; a suspended instance then starts no further one.
#[utoipa::path(
    patch,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows/{workflowId}",
    operation_id = "patch-workflow-instance",
    tag = "Workflows",
    params(Account, InstancePath),
    request_body = CommandSchema,
    responses(
        (status = 200, description = "Done."),
        (status = 400, description = "The command is invalid, or not possible in the instance's status.",
         body = ErrorBody),
        (status = 404, description = "There is no such definition or instance.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn control(
    State(state): State<ApiState>,
    Operator(Caller { account, by }): Operator,
    path: InstancePath,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let members = body.json_object()?;
    let command = inputs::get(&members, "status").and_then(Value::as_str).and_then(Command::parse);
    let command = command.ok_or(ApiError::InvalidParameter("status"))?;
    match state.store.control(&account, path.definition, path.instance, command, &by).await? {
        Controlled::Done { .. } => Ok(StatusCode::OK),
        Controlled::NotFound => Err(not_found(&state, &account, &path).await),
        Controlled::Refused(status) => {
            Err(ApiError::IllegalTransition { id: path.instance, command, status })
        }
    }
}
