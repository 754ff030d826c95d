//! `GET /definitions/{definitionId}/workflows` (spec 2.7).

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use trunkline_store::instances::InstanceFilter;
use trunkline_workflow::{InstanceId, InstanceStatus};
use utoipa::IntoParams;

use super::view::{InstanceStatusSchema, InstanceView};
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::listed::{self, Portion};
use crate::api::page::{self, PageParams};
use crate::api::path::DefinitionPath;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// What `startedAt` is shown with. Bounds hold for what is shown, so that a value from an answer is a
/// bound that includes its instance.
const PRECISION: TimeDelta = TimeDelta::milliseconds(10);

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `list` reads")]
pub struct Filter {
    /// Instances of this version; of the newest when left out.
    #[param(minimum = 1)]
    version: Option<i64>,
    /// Any letter case.
    #[param(inline)]
    status: Option<InstanceStatusSchema>,
    /// The earliest `startedAt`, inclusive.
    start_time_from: Option<DateTime<Utc>>,
    /// The latest `startedAt`, inclusive.
    start_time_to: Option<DateTime<Utc>>,
}

/// List instances
///
/// Those of one version, the one started last comes first; without their logs.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows",
    operation_id = "get-workflow-instances",
    tag = "Workflows",
    params(Account, DefinitionPath, PageParams, Filter),
    responses(
        (status = 200, description = "A page of them.", body = Vec<InstanceView>),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        (status = 404, description = "There is no such definition.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    Account(account): Account,
    path: DefinitionPath,
    query: Query,
) -> Result<Response, ApiError> {
    let page = page::read(&query)?;
    let filter = InstanceFilter {
        version: query.version()?,
        status: query.read("status", InstanceStatus::parse)?,
        started_from: query.time("startTimeFrom")?.map(first_shown_from),
        started_before: query.time("startTimeTo")?.map(first_shown_after),
    };
    let listed = state.store.list_instances(&account, path.definition, filter, page).await?;
    let listed = listed.ok_or(ApiError::DefinitionNotFound(path.definition))?;
    let load = move |ids: Vec<InstanceId>| {
        let (store, account) = (state.store.clone(), account.clone());
        async move {
            let instances = store.get_instances(&account, path.definition, &ids).await?;
            let views = instances.into_iter().map(InstanceView::new).collect::<Result<Vec<_>, _>>()?;
            Ok(Portion::from(views))
        }
    };
    listed::answer(listed, load).await
}

/// The first moment that is shown as `bound` or later.
fn first_shown_from(bound: DateTime<Utc>) -> DateTime<Utc> {
    let shown = cut(bound);
    if shown < bound { shown + PRECISION } else { shown }
}

/// The first moment that is shown as later than `bound`.
fn first_shown_after(bound: DateTime<Utc>) -> DateTime<Utc> {
    cut(bound) + PRECISION
}

/// Times too far away to be counted in nanoseconds bound nothing that happened.
fn cut(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(PRECISION).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn c_100_bounds_include_what_is_shown_equal() {
        let at = |millis| Utc.timestamp_millis_opt(millis).unwrap();
        assert_eq!(first_shown_from(at(780)), at(780));
        assert_eq!(first_shown_from(at(781)), at(790));
        assert_eq!(first_shown_after(at(780)), at(790));
        assert_eq!(first_shown_after(at(789)), at(790));
    }
}
