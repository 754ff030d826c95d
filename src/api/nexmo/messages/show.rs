//! `GET /v0.1/messages/{uuid}`: the link in callbacks, which the original never served.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::json::Json;
use crate::api::nexmo::dispatch::path::UuidPath;
use crate::api::nexmo::problem::{CallerProblems, ProblemBody};
use crate::api::nexmo::{Caller, Problem};
use crate::api::state::ApiState;

/// As its callbacks say it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageView {
    pub message_uuid: Uuid,
    /// `started` until the provider, or a status, said something.
    #[schema(example = "delivered")]
    pub status: String,
    /// Of the status.
    pub timestamp: DateTime<Utc>,
    #[schema(value_type = Object)]
    pub to: Value,
    #[schema(value_type = Object)]
    pub from: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub error: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
    /// Of a message that a workflow sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_uuid: Option<Uuid>,
}

/// Show a message
///
/// The last status that is known of it. An extension.
#[utoipa::path(
    get,
    path = "/v0.1/messages/{uuid}",
    operation_id = "get-message",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    params(UuidPath),
    responses(
        (status = 200, description = "The message.", body = MessageView),
        (status = 404, description = "The account has no such message.", body = ProblemBody,
         content_type = "application/problem+json"),
        CallerProblems,
    )
)]
pub async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    UuidPath(id): UuidPath,
) -> Result<Json<MessageView>, Problem> {
    let found = state.store.find_message(&caller.account, id).await?;
    let (message, echo) = found.ok_or(Problem::NotFound)?;
    let error = message.error_code.map(|code| json!({"code": code, "reason": message.error_message}));
    Ok(Json(MessageView {
        message_uuid: id,
        status: message.state,
        timestamp: message.changed_at,
        to: echo.to,
        from: echo.from,
        error,
        client_ref: echo.client_ref,
        dispatch_uuid: echo.link.map(|link| link.id),
    }))
}
