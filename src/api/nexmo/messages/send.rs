//! `POST /v0.1/messages`, and `POST /beta/messages` as it was called before.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_store::dispatches::NewMessage;
use trunkline_workflow::dispatch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::json::Json;
use crate::api::nexmo::body::JsonBytes;
use crate::api::nexmo::problem::{BodyProblems, CallerProblems, QuotaProblems};
use crate::api::nexmo::{Caller, Problem};
use crate::api::state::ApiState;

#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedMessage {
    pub message_uuid: Uuid,
}

/// Send a message
///
/// Answered once it is durable; it has not been sent yet.
#[utoipa::path(
    post,
    path = "/v0.1/messages",
    operation_id = "send-message",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    request_body(content = Value, example = json!({
        "from": {"type": "sms", "number": "447700900001"}, "to": {"type": "sms", "number": "447700900000"},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}}})),
    responses(
        (status = 202, description = "Accepted.", body = AcceptedMessage),
        QuotaProblems,
        CallerProblems,
        BodyProblems,
    )
)]
pub async fn send(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBytes(body, _room): JsonBytes,
) -> Result<Response, Problem> {
    let message = dispatch::parse_message(&body)?;
    if !state.may_start(&caller.account).await? {
        return Err(Problem::LowBalance);
    }
    let new =
        NewMessage { account: caller.account, application: caller.application, message, at: (state.clock)() };
    let message_uuid = state.store.start_message(new).await?;
    Ok((StatusCode::ACCEPTED, Json(AcceptedMessage { message_uuid })).into_response())
}
