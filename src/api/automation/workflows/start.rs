//! `POST /definitions/{definitionId}/workflows` (spec 2.8).

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde_json::{Map, Value};
use trunkline_store::definitions::Found;
use trunkline_store::starts::NewInstance;
use trunkline_workflow::strict_json::Malformed;
use trunkline_workflow::{InstanceId, context};
use utoipa::IntoParams;

use crate::api::auth::{Account, Caller, Operator};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::idempotency::{IdempotencyHeader, RequestKey};
use crate::api::path::{self, DefinitionPath};
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `start` reads")]
pub struct Which {
    /// Start this version; the newest when left out.
    #[param(minimum = 1)]
    version: Option<i64>,
}

/// Start an instance by hand
///
/// The body takes the place of what a trigger would bring: to play an inbound message send the whole
/// webhook. The definition need not be enabled.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows",
    operation_id = "start-workflow-instance",
    tag = "Workflows",
    params(Account, DefinitionPath, Which, IdempotencyHeader),
    request_body(content = Option<Object>, description = "Becomes the instance's `data`; `null` and no body are an empty object."),
    responses(
        (status = 201, description = "Started: it is stored and will run.",
         headers(("Location" = String, description = "The instance's path."))),
        (status = 400, description = "A parameter is invalid or the body is no JSON object.", body = ErrorBody),
        (status = 404, description = "There is no such definition or version.", body = ErrorBody),
        (status = 409, description = "The `Idempotency-Key` was used with another request; or the definition is being drained.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn start(
    State(state): State<ApiState>,
    Operator(Caller { account, .. }): Operator,
    path: DefinitionPath,
    query: Query,
    key: RequestKey,
    body: Body,
) -> Result<Response, ApiError> {
    let definition = path.of_customers()?;
    let version = query.version()?;
    let mut payload = read_payload(&body)?;
    let instance = |payload: Value, found: Found| {
        let subaccount = context::subaccount_of_body(&payload).map(str::to_owned).or(found.subaccount);
        let data = context::build(payload, &account, subaccount.as_deref(), (state.clock)());
        NewInstance { account: account.clone(), definition, version: found.version, data: data.into() }
    };
    let created = |started: Vec<InstanceId>| {
        let location = |id| (LOCATION, path::of_instance(&account, definition, id));
        let locations = AppendHeaders(started.into_iter().map(location));
        (StatusCode::CREATED, locations).into_response()
    };
    if version.is_none()
        && key.is_absent()
        && let Some(found) = state.store.last_found(&account, definition)
        && state.may_start(&account).await?
    {
        if let Some(started) = state.store.start_if_newest(instance(payload, found)).await? {
            return Ok(created(vec![started]));
        }
        payload = read_payload(&body)?;
    }
    let found = state.store.find_definition(&account, definition, version).await?;
    let found = found.ok_or(ApiError::DefinitionNotFound(definition))?;
    let started = if found.draining {
        let before = key.started_before(&state, &account, &body.0).await?;
        before.ok_or(ApiError::DefinitionDraining(definition))?
    } else {
        key.start(&state, account.clone(), &body.0, vec![instance(payload, found)]).await?
    };
    Ok(created(started))
}

/// An object; nothing and `null` are an empty one.
fn read_payload(body: &Body) -> Result<Value, ApiError> {
    let payload = if body.is_absent() { Value::Null } else { body.json()? };
    match payload {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(_) => Ok(payload),
        _ => Err(Malformed::whole("it must be an object").into()),
    }
}
