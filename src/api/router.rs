//! Every route and its handler. `openapi.rs` documents the same routes; a test compares the two.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use super::automation::{definitions, steps, triggers, usage, workflows};
use super::count_requests::count_requests;
use super::error::ApiError;
use super::log_refusals::log_refusals;
use super::nexmo::{self, Problem};
use super::operations::{
    audit, batches, definitions as definition_states, history_policy, instances, limits,
};
use super::rate_limit::{RateLimit, limit_rate};
use super::state::ApiState;
use super::trace_requests::trace_requests;
use super::webhooks::{dtmf, inbound_message, message_status, messages, voice};
use super::{auth, docs, health, openapi};

/// The HTTP APIs. May be merged with routers that have no fallback of their own.
pub fn router(state: ApiState) -> Router {
    with_key(&state)
        .route("/webhooks/v1/accounts/{accountId}/messages", post(messages::receive))
        .route("/webhooks/v1/accounts/{accountId}/voice", post(voice::receive))
        .route("/webhooks/v1/accounts/{accountId}/dtmf", post(dtmf::receive))
        .route("/webhooks/v1/accounts/{accountId}/message-status", post(message_status::receive))
        .route("/webhooks/v1/accounts/{accountId}/inbound-message", post(inbound_message::receive))
        .merge(nexmo::routes())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(openapi::show))
        .route("/schemas/definition.json", get(definitions::schema::show))
        .route("/docs", get(docs::redirect))
        .route("/docs/", get(docs::index))
        .route("/docs/{*file}", get(docs::file))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(log_refusals))
        .layer(from_fn(count_requests))
        .layer(from_fn(trace_requests))
        .with_state(state)
}

/// The routes of an account: none is reached without a key of it.
fn with_key(state: &ApiState) -> Router<ApiState> {
    let routes = Router::new()
        .route(
            "/api/v1/accounts/{accountId}/definitions",
            get(definitions::list::list).post(definitions::create::create),
        )
        // What some say in place of it (spec 2.3). Not documented.
        .route("/api/v1/accounts/{accountId}/definition", post(definitions::create::create))
        .route("/api/v1/accounts/{accountId}/definitions/validate", post(definitions::validate::validate))
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}",
            put(definitions::update::update)
                .get(definitions::history::history)
                .delete(definitions::delete::delete),
        )
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows",
            get(workflows::list::list).post(workflows::start::start),
        )
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows/{workflowId}",
            patch(workflows::control::control).get(workflows::show::show),
        )
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows/{workflowId}/errors",
            get(workflows::errors::errors),
        )
        .route(
            "/api/v1/accounts/{accountId}/triggers/http_request",
            post(triggers::http_request::http_request),
        )
        .route("/api/v1/accounts/{accountId}/steps/timezones", get(steps::timezones::timezones))
        .route("/api/v1/accounts/{accountId}/steps/functions", get(steps::functions::functions))
        .route("/api/v1/accounts/{accountId}/usage", get(usage::show::show))
        .route("/api/v1/accounts/{accountId}/usage/history", get(usage::history::history))
        .route("/api/v1/accounts/{accountId}/instances", get(instances::list::list))
        .route("/api/v1/accounts/{accountId}/instances/{instanceId}", get(instances::show::show))
        .route("/api/v1/accounts/{accountId}/instances/{instanceId}/rerun", post(instances::rerun::rerun))
        .route("/api/v1/accounts/{accountId}/batches", get(batches::list::list).post(batches::create::create))
        .route(
            "/api/v1/accounts/{accountId}/batches/{batchId}",
            get(batches::show::show).patch(batches::control::control),
        )
        .route("/api/v1/accounts/{accountId}/batches/{batchId}/items", get(batches::items::items))
        .route(
            "/api/v1/accounts/{accountId}/instances/{instanceId}/history",
            get(instances::history::history),
        )
        .route(
            "/api/v1/accounts/{accountId}/history-policy",
            get(history_policy::show::show).put(history_policy::replace::replace),
        )
        .route("/api/v1/accounts/{accountId}/audit", get(audit::list::list))
        .route("/api/v1/accounts/{accountId}/limits", get(limits::show::show).put(limits::replace::replace))
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/state",
            get(definition_states::show_state::show_state),
        )
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/pause",
            post(definition_states::pause::pause),
        )
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/resume",
            post(definition_states::resume::resume),
        )
        .route(
            "/api/v1/accounts/{accountId}/definitions/{definitionId}/drain",
            post(definition_states::drain::drain),
        );
    // The key comes first, so that nobody uses up another account's requests.
    let limited = match state.config.rate_limit {
        Some(rate) => {
            let limit = Arc::new(RateLimit::new(rate));
            routes.route_layer(from_fn_with_state(limit, limit_rate))
        }
        None => routes,
    };
    limited.route_layer(from_fn_with_state(state.clone(), auth::require_key))
}

async fn unknown_path(uri: Uri) -> Response {
    if nexmo::is_ours(uri.path()) {
        return Problem::NotFound.into_response();
    }
    ApiError::PathNotFound(uri.path().to_owned()).into_response()
}

async fn wrong_method(method: Method) -> ApiError {
    ApiError::MethodNotAllowed(method)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    ApiError::Panicked(panic_message(panic)).into_response()
}

pub(super) fn panic_message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map(|text| (*text).to_owned()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_with_an_error_body() {
        let app = Router::new()
            .route("/", get(async || -> StatusCode { panic!("secret") }))
            .layer(CatchPanicLayer::custom(panicked));
        let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["message"]), (&2000.into(), &"Internal server error".into()));
    }
}
