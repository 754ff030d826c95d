//! `POST /v2/applications`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use trunkline_store::applications::{CreatedApplication, MOST_APPLICATIONS};
use uuid::Uuid;

use super::input::ApplicationInput;
use super::view::{ApplicationBody, ApplicationView};
use crate::api::json::Json;
use crate::api::nexmo::body::JsonBody;
use crate::api::nexmo::key_pair::KeyPair;
use crate::api::nexmo::problem::{BodyProblems, KeyProblems};
use crate::api::nexmo::{InvalidParameter, KeyCaller, Problem};
use crate::api::state::ApiState;

/// Create an application
///
/// Without `keys.public_key` the server makes a key pair and tells the private key, this once. An account has at most
/// 100 applications.
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
    caller: KeyCaller,
    JsonBody(body, _room): JsonBody,
) -> Result<Response, Problem> {
    let ApplicationInput { fields, public_key } = ApplicationInput::read(&body)?;
    let (public_key, private_key) = if let Some(key) = public_key {
        (key, None)
    } else {
        let KeyPair { public, private_pem } = KeyPair::generate().await;
        (public, Some(private_pem))
    };
    let (id, pem) = (Uuid::new_v4(), public_key.to_pem());
    let created = state.store.create_application(&caller.account, id, &fields, &pem, &caller.by()).await?;
    let application = match created {
        CreatedApplication::Created(application) => application,
        CreatedApplication::TooMany => return Err(too_many()),
        // It is gone since the caller was looked up.
        CreatedApplication::NoApiKey => return Err(Problem::Unauthorized),
    };
    let view = ApplicationView::new(application).with_private_key(private_key);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Nothing that was sent is wrong, but the catalogue knows no other error for it.
fn too_many() -> Problem {
    let reason = format!("cannot be made: the account has {MOST_APPLICATIONS} already; delete one first");
    Problem::InvalidParams(vec![InvalidParameter::new("application", reason)])
}
