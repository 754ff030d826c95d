//! Delivers an event to the server's webhook, as the platform does.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;
use trunkline_connectors::outbound::{OutboundClient, OutboundRequest, OutboundResponse, call_failed};

use super::carrier::Sandbox;
use super::refusal::Refusal;

/// The platform's deadline for an answer (spec 7.8).
const DEADLINE: Duration = Duration::from_secs(5);

/// The webhook for messages and receipts. Returns the status that it answered, or the refusal to
/// answer with when it did not answer at all.
pub(super) async fn call_webhook(sandbox: &Sandbox, event: &Value) -> Result<u16, Refusal> {
    call(sandbox, &sandbox.config().webhook_url, event).await
}

/// Likewise the webhook of this name, next to it.
pub(super) async fn call_webhook_of(sandbox: &Sandbox, name: &str, event: &Value) -> Result<u16, Refusal> {
    call(sandbox, &sandbox.config().webhook_url_of(name), event).await
}

async fn call(sandbox: &Sandbox, url: &str, event: &Value) -> Result<u16, Refusal> {
    let authorization = sandbox.config().webhook_authorization.as_deref();
    match post_event(sandbox.webhooks(), url, authorization, event).await {
        Ok(response) => Ok(response.status),
        Err(message) => Err(Refusal::new(StatusCode::BAD_GATEWAY, 2000, message, sandbox.now())),
    }
}

/// One attempt. The error says why there was no answer.
pub(super) async fn post_event(
    client: &OutboundClient,
    url: &str,
    authorization: Option<&str>,
    event: &Value,
) -> Result<OutboundResponse, String> {
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    if let Some(authorization) = authorization {
        headers.push(("Authorization".to_owned(), authorization.to_owned()));
    }
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers,
        body: Some(event.to_string().into_bytes()),
        timeout: DEADLINE,
        follow_redirects: false,
    };
    client.send(request).await.map_err(|error| call_failed(&error, "POST", url))
}
