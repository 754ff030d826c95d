//! What was called so far.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::Calls;
use super::call::Call;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::memory::Entry;
use crate::sandbox::refusal::{Invalid, Refusal};
use crate::sandbox::request_body::INVALID_PARAMETER;

#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct Filter {
    limit: Option<String>,
}

/// The calls, newest first, as a bare array.
pub(in crate::sandbox) async fn list(
    State(sandbox): State<Sandbox>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Vec<Call>>, Refusal> {
    let invalid = |name| Invalid::new(INVALID_PARAMETER, format!("Invalid {name}.")).at(sandbox.now());
    let Query(filter) = filter.map_err(|_| invalid("query"))?;
    let limit = filter.limit.as_deref().map_or(Ok(usize::MAX), str::parse).map_err(|_| invalid("limit"))?;
    Ok(Json(sandbox.calls().newest_first().take(limit).cloned().collect()))
}

pub(in crate::sandbox) async fn find(
    State(sandbox): State<Sandbox>,
    Path(uid): Path<String>,
) -> Result<Json<Call>, Refusal> {
    let calls = sandbox.calls();
    let id = find_id(&calls, &uid, sandbox.now())?;
    Ok(Json(calls.find(id).cloned().expect("it was there and the calls are locked")))
}

/// `uid` in any spelling of a UUID, or `last` for the newest call.
pub(super) fn find_id(calls: &Calls, uid: &str, now: DateTime<Utc>) -> Result<Uuid, Refusal> {
    let (id, message) = match uid {
        "last" => (calls.newest_first().next().map(Entry::id), "No call was placed yet.".to_owned()),
        uid => {
            let id = Uuid::parse_str(uid).ok().filter(|id| calls.find(*id).is_some());
            (id, format!("No call has the uid `{uid}`."))
        }
    };
    id.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, 1300, message, now))
}
