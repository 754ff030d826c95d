//! `POST /v0.1/dispatch`, and `POST /beta/workflows` as it was called before.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_store::dispatches::NewDispatch;
use trunkline_workflow::dispatch::{self, Flavour, Link};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::json::Json;
use crate::api::nexmo::body::JsonBytes;
use crate::api::nexmo::problem::{BodyProblems, CallerProblems, QuotaProblems};
use crate::api::nexmo::{Caller, Problem};
use crate::api::state::ApiState;

#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedDispatch {
    pub dispatch_uuid: Uuid,
}

/// Both names, so that readers of either era find theirs.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedWorkflow {
    pub workflow_uuid: Uuid,
    pub dispatch_uuid: Uuid,
}

/// Create a workflow
///
/// Answered once it is durable; no message has been sent yet.
#[utoipa::path(
    post,
    path = "/v0.1/dispatch",
    operation_id = "create-dispatch",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    request_body(content = Value, example = json!({"template": "failover", "workflow": [
        {"from": {"type": "messenger", "id": "1000000000000001"}, "to": {"type": "messenger", "id": "2000000000000002"},
            "message": {"content": {"type": "text", "text": "Your parcel is here"}},
            "failover": {"expiry_time": 600, "condition_status": "read"}},
        {"from": {"type": "sms", "number": "447700900001"}, "to": {"type": "sms", "number": "447700900000"},
            "message": {"content": {"type": "text", "text": "Your parcel is here"}}}]})),
    responses(
        (status = 202, description = "Accepted.", body = CreatedDispatch),
        QuotaProblems,
        CallerProblems,
        BodyProblems,
    )
)]
pub async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBytes(body, _room): JsonBytes,
) -> Result<Response, Problem> {
    let dispatch_uuid = start(&state, caller, &body, Flavour::Dispatch).await?;
    Ok((StatusCode::ACCEPTED, Json(CreatedDispatch { dispatch_uuid })).into_response())
}

/// Create a workflow, as it was called before
///
/// What is told of it has the names of that time.
#[utoipa::path(
    post,
    path = "/beta/workflows",
    operation_id = "create-workflow",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    request_body(content = Value, description = "As for `/v0.1/dispatch`."),
    responses(
        (status = 202, description = "Accepted.", body = CreatedWorkflow),
        QuotaProblems,
        CallerProblems,
        BodyProblems,
    )
)]
pub async fn create_legacy(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBytes(body, _room): JsonBytes,
) -> Result<Response, Problem> {
    let id = start(&state, caller, &body, Flavour::Legacy).await?;
    Ok((StatusCode::ACCEPTED, Json(CreatedWorkflow { workflow_uuid: id, dispatch_uuid: id })).into_response())
}

async fn start(state: &ApiState, caller: Caller, body: &[u8], flavour: Flavour) -> Result<Uuid, Problem> {
    let request = dispatch::parse_with(body, state.config.dispatch_rules)?;
    if !state.may_start(&caller.account).await? {
        return Err(Problem::LowBalance);
    }
    let id = Uuid::new_v4();
    let new = NewDispatch {
        link: Link { id, flavour },
        account: caller.account,
        application: caller.application,
        request,
        parent: None,
        at: (state.clock)(),
    };
    state.store.start_dispatch(new).await?;
    Ok(id)
}
