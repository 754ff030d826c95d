//! `POST …/instances/{instanceId}/rerun`: what has ended is run again, as a new instance.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use trunkline_store::reruns::Rerun;
use trunkline_workflow::rerun::Choice;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::{Account, Caller, Operator};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::idempotency::{IdempotencyHeader, RequestKey};
use crate::api::json::Json;
use crate::api::path::{self, InstanceOfAccount};
use crate::api::state::ApiState;

/// How an instance is run again.
#[derive(ToSchema)]
#[schema(as = Rerun)]
#[expect(dead_code, reason = "describes what `Choice::read` reads")]
pub struct RerunSchema {
    /// `failed`, when it is not said.
    from: Option<FromSchema>,
    /// `same`, when it is not said.
    version: Option<VersionSchema>,
    /// Members that replace those of the context; `null` removes one. At most 64 KiB. Not of workflows of the
    /// Workflows API.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
}

/// `failed` (the failed step, and beside it everything that ended with it), `start`, or a step. Of a workflow of the
/// Workflows API `failed` is the last message that was begun, and instead of a step it begins at a message.
#[derive(Serialize, ToSchema)]
#[schema(as = RerunFrom)]
#[serde(untagged)]
#[expect(dead_code, reason = "a description")]
enum FromSchema {
    Word(FromWord),
    Step {
        /// Its id in the definition.
        step: String,
    },
    Message {
        /// Counted from 1.
        #[schema(minimum = 1)]
        message: u32,
    },
}

#[derive(Serialize, ToSchema)]
#[schema(as = RerunFromWord)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum FromWord {
    Failed,
    Start,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RerunVersion)]
#[serde(untagged)]
#[expect(dead_code, reason = "a description")]
enum VersionSchema {
    Word(VersionWord),
    Number(i32),
}

#[derive(Serialize, ToSchema)]
#[schema(as = RerunVersionWord)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum VersionWord {
    Same,
    Newest,
}

/// The new instance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RerunStarted)]
pub struct StartedView {
    #[schema(pattern = "^[0-9a-f]{24}$", example = "66b1f0c2a94d5e0f1c2b3a4d")]
    instance_id: String,
    /// Of a workflow of the Workflows API: the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_uuid: Option<Uuid>,
}

/// Run an ended instance again
///
/// Starts a new instance, on the same version unless another one is asked for. From the failed step it goes on as if
/// the failure had not happened, with the context of that moment: that step begins again, and so do the steps of other
/// paths that ended with the instance. From the start it begins with the context that the instance was started with.
///
/// A workflow of the Workflows API is run again as a workflow of its own, which is told under its own `dispatch_uuid`:
/// the message that it is to begin with is sent, and those behind it when that one does not get through; those before it
/// are not sent again. That of a step `Failover` is run again with the step's instance alone.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/instances/{instanceId}/rerun",
    operation_id = "rerun-instance",
    tag = "Operations",
    params(Account, InstanceOfAccount, IdempotencyHeader),
    request_body(content = Option<RerunSchema>, description = "No body: from the failed step."),
    responses(
        (status = 201, description = "Started: it is stored and will run.", body = StartedView,
         headers(("Location" = String, description = "The new instance's path."))),
        (status = 400, description = "A member is invalid, or the instance cannot be run again so, with the reason.",
         body = ErrorBody),
        (status = 404, description = "The account has no such instance.", body = ErrorBody),
        (status = 409, description = "The `Idempotency-Key` was used with another request.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn rerun(
    State(state): State<ApiState>,
    Operator(Caller { account, by }): Operator,
    InstanceOfAccount(origin): InstanceOfAccount,
    key: RequestKey,
    body: Body,
) -> Result<Response, ApiError> {
    let choice = if body.is_absent() { Choice::default() } else { Choice::read(&body.json_object()?)? };
    let key = key.for_body(&account, &body.0);
    match state.store.rerun(&account, origin, &choice, key.as_ref(), &by).await? {
        Rerun::Started { instance, definition, dispatch } => {
            let location = path::of_instance(&account, definition, instance);
            let view = StartedView { instance_id: instance.to_string(), dispatch_uuid: dispatch };
            Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
        }
        Rerun::NotFound => Err(ApiError::WorkflowNotFound(origin)),
        Rerun::Refused(refusal) => Err(ApiError::RerunRefused { id: origin, refusal }),
        Rerun::QuotaUsedUp => Err(ApiError::QuotaUsedUp),
        Rerun::KeyReused => Err(ApiError::KeyReused),
    }
}
