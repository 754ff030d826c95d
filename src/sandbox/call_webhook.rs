//! Delivers an event to the server's webhook, as the platform does.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;
use trunkline_connectors::outbound::{OutboundRequest, call_failed};

use super::carrier::Sandbox;
use super::refusal::Refusal;

/// The platform's deadline for an answer (spec 7.8).
const DEADLINE: Duration = Duration::from_secs(5);

/// One attempt. Returns the status that the webhook answered, or the refusal to answer with when
/// it did not answer at all.
pub(super) async fn call_webhook(sandbox: &Sandbox, event: &Value) -> Result<u16, Refusal> {
    let config = sandbox.config();
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    if let Some(authorization) = &config.webhook_authorization {
        headers.push(("Authorization".to_owned(), authorization.clone()));
    }
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: config.webhook_url.clone(),
        headers,
        body: Some(event.to_string().into_bytes()),
        timeout: DEADLINE,
        follow_redirects: false,
    };
    match sandbox.http().send(request).await {
        Ok(response) => Ok(response.status),
        Err(error) => {
            let message = call_failed(&error, "POST", &config.webhook_url);
            Err(Refusal::new(StatusCode::BAD_GATEWAY, 2000, message, sandbox.now()))
        }
    }
}
