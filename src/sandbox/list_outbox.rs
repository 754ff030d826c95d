//! What was sent so far.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use trunkline_connectors::correlation::normalise_identity;

use super::carrier::Sandbox;
use super::outbox::OutboxMessage;
use super::refusal::{Invalid, Refusal};
use super::request_body::INVALID_PARAMETER;

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    /// A number in any spelling, or a user id.
    destination: Option<String>,
    channel: Option<String>,
    limit: Option<String>,
}

/// The messages, newest first, as a bare array.
pub(super) async fn list(
    State(sandbox): State<Sandbox>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Vec<OutboxMessage>>, Refusal> {
    let invalid = |name| Invalid::new(INVALID_PARAMETER, format!("Invalid {name}.")).at(sandbox.now());
    let Query(filter) = filter.map_err(|_| invalid("query"))?;
    let limit = filter.limit.as_deref().map_or(Ok(usize::MAX), str::parse).map_err(|_| invalid("limit"))?;
    let destination = filter.destination.as_deref().map(normalise_identity);
    let outbox = sandbox.outbox();
    let messages = outbox
        .newest_first()
        .filter(|message| {
            destination.as_ref().is_none_or(|wanted| *wanted == normalise_identity(&message.destination))
                && filter.channel.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&message.channel))
        })
        .take(limit)
        .cloned()
        .collect();
    Ok(Json(messages))
}

/// Forgets everything.
pub(super) async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.outbox().clear();
    StatusCode::NO_CONTENT
}
