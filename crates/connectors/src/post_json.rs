//! The call that all providers take: a JSON body, posted once, under a key that is the same for
//! every attempt of one step execution.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::outbound::{OutboundClient, OutboundError, OutboundRequest, OutboundResponse};

/// How long a send may take (spec 8.1).
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Any status is an `Ok`. `authorization` is the whole value of the header. What becomes of an error
/// is for the caller to say: he knows whether the URL may be shown.
pub(crate) async fn post_json(
    client: &OutboundClient,
    url: &str,
    authorization: Option<&str>,
    body: &Value,
    idempotency_key: Uuid,
) -> Result<OutboundResponse, OutboundError> {
    let authorization = authorization.map(|value| ("Authorization".to_owned(), value.to_owned()));
    let headers = authorization.into_iter().chain([
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Accept".to_owned(), "application/json".to_owned()),
        ("Idempotency-Key".to_owned(), idempotency_key.to_string()),
    ]);
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: headers.collect(),
        body: Some(body.to_string().into_bytes()),
        timeout: SEND_TIMEOUT,
        follow_redirects: false,
    };
    client.send(request).await
}
