//! `POST /v2/applications`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::input::ApplicationInput;
use super::view::{ApplicationBody, ApplicationView};
use crate::api::json::Json;
use crate::api::nexmo::body::JsonBody;
use crate::api::nexmo::key_pair::KeyPair;
use crate::api::nexmo::problem::{BodyProblems, KeyProblems};
use crate::api::nexmo::{KeyCaller, Problem};
use crate::api::state::ApiState;

/// Create an application
///
/// Without `keys.public_key` the server makes a key pair and tells the private key, this once.
#[utoipa::path(
    post,
    path = "/v2/applications",
    operation_id = "create-application",
    tag = "Applications",
    security(("basicAuth" = [])),
    request_body = ApplicationBody,
    responses(
        (status = 201, description = "Created.", body = ApplicationView),
        KeyProblems,
        BodyProblems,
    )
)]
pub async fn create(
    State(state): State<ApiState>,
    KeyCaller(account): KeyCaller,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let ApplicationInput { fields, public_key } = ApplicationInput::read(&body)?;
    let (public_key, private_key) = if let Some(key) = public_key {
        (key, None)
    } else {
        let KeyPair { public, private_pem } = KeyPair::generate().await;
        (public, Some(private_pem))
    };
    let created =
        state.store.create_application(&account, Uuid::new_v4(), &fields, &public_key.to_pem()).await?;
    // Its API key is gone since the caller was looked up.
    let application = created.ok_or(Problem::Unauthorized)?;
    let view = ApplicationView::new(application).with_private_key(private_key);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}
