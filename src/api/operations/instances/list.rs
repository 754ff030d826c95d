//! `GET …/instances`: instances of all definitions, by what they are and what is in them.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use trunkline_store::search::{InstanceSearch, LONGEST_VALUE, Phone};
use trunkline_workflow::InstanceStatus;
use utoipa::IntoParams;
use uuid::Uuid;

use super::cursor;
use super::found_view::FoundInstancesView;
use crate::api::auth::Account;
use crate::api::automation::workflows::view::InstanceStatusSchema;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::query::Query;
use crate::api::state::ApiState;
use crate::api::{page, path};

/// After which a search answers with what it has.
const PATIENCE: Duration = Duration::from_secs(1);
const CONTEXT: &str = "context.";
/// Values of the context in one search.
pub const MOST_VALUES: usize = 8;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `list` reads")]
pub struct Search {
    /// Any letter case.
    #[param(inline)]
    status: Option<InstanceStatusSchema>,
    definition_id: Option<Uuid>,
    #[param(minimum = 1)]
    version: Option<i64>,
    /// The step that the instance failed at, or, while it is unfinished, is at.
    step: Option<String>,
    /// A part of the error's message, in any letter case.
    error: Option<String>,
    /// Of an error, as `failure` shows it.
    #[param(pattern = "^[0-9a-f]{16}$")]
    fingerprint: Option<String>,
    /// Of the definition.
    sub_account_id: Option<String>,
    /// Inclusive.
    started_from: Option<DateTime<Utc>>,
    /// Exclusive.
    started_before: Option<DateTime<Utc>>,
    /// A phone number anywhere in the context, in any spelling.
    #[param(example = "+65 9000 1111")]
    phone: Option<String>,
    /// A value in the context by its dotted path; up to 8 such parameters, `context.order.id=7` for example. Compared
    /// is the text of strings, numbers and `true`, `false`, `null`. What a running instance's steps wrote is found a
    /// while later. Of large contexts only the outer 64 values are found.
    #[param(rename = "context.{path}")]
    context: Option<String>,
    /// The instance of this id.
    #[param(pattern = "^[0-9a-f]{24}$")]
    id: Option<String>,
    /// How many items to return at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Search instances
///
/// Of all definitions, newest first. All conditions must hold. Pages stay what they are while instances are started.
/// A search that goes past many others to find little ends after a second, with what it has found and the cursor from
/// where to go on: a page may be empty and not the last.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/instances",
    operation_id = "search-instances",
    tag = "Operations",
    params(Account, Search),
    responses(
        (status = 200, description = "A page of them.", body = FoundInstancesView),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    Account(account): Account,
    query: Query,
) -> Result<Json<FoundInstancesView>, ApiError> {
    let search = read(&query)?;
    let below = query.read("cursor", cursor::read)?;
    let limit = usize::try_from(page::read(&query)?.limit).unwrap_or(1);
    let page = state.store.search_instances(&account, &search, below, limit, PATIENCE).await?;
    Ok(Json(page.into()))
}

fn read(query: &Query) -> Result<InstanceSearch, ApiError> {
    let word = |text: &str| is_usable(text).then(|| text.to_owned());
    Ok(InstanceSearch {
        id: query.read("id", |text| text.parse().ok())?,
        status: query.read("status", InstanceStatus::parse)?,
        definition: query.read("definitionId", path::parse_definition_id)?,
        version: query.version()?,
        subaccount: query.read("subAccountId", word)?,
        step: query.read("step", word)?,
        error: query.read("error", word)?,
        fingerprint: query.read("fingerprint", |text| text.parse().ok())?,
        started_from: query.time("startedFrom")?,
        started_before: query.time("startedBefore")?,
        phone: query.read("phone", Phone::parse)?,
        context: read_context(query)?,
    })
}

fn read_context(query: &Query) -> Result<Vec<(String, String)>, ApiError> {
    let values: Vec<(String, String)> =
        query.beginning_with(CONTEXT).map(|(path, value)| (path.to_owned(), value.to_owned())).collect();
    if values.len() > MOST_VALUES || !values.iter().all(|(path, value)| is_usable_value(path, value)) {
        return Err(ApiError::InvalidParameter("context"));
    }
    Ok(values)
}

/// A text that something can be compared with.
pub fn is_usable(text: &str) -> bool {
    !text.is_empty() && fits(text)
}

/// A value of the context with its path.
pub fn is_usable_value(path: &str, value: &str) -> bool {
    is_usable(path) && fits(value)
}

fn fits(text: &str) -> bool {
    text.chars().count() <= LONGEST_VALUE && !text.contains('\0')
}
