//! What was sent so far.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use trunkline_connectors::correlation::normalise_identity;

use super::carrier::Sandbox;
use super::outbox::OutboxMessage;

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    /// A number in any spelling, or a user id.
    destination: Option<String>,
    channel: Option<String>,
    limit: Option<usize>,
}

/// The messages, newest first, as a bare array.
pub(super) async fn list(
    State(sandbox): State<Sandbox>,
    Query(filter): Query<Filter>,
) -> Json<Vec<OutboxMessage>> {
    let destination = filter.destination.as_deref().map(normalise_identity);
    let outbox = sandbox.outbox();
    let messages = outbox
        .newest_first()
        .filter(|message| {
            destination.as_ref().is_none_or(|wanted| *wanted == normalise_identity(&message.destination))
                && filter.channel.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&message.channel))
        })
        .take(filter.limit.unwrap_or(usize::MAX))
        .cloned()
        .collect();
    Json(messages)
}

/// Forgets everything.
pub(super) async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.outbox().clear();
    StatusCode::NO_CONTENT
}
