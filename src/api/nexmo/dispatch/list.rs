//! `GET /v0.1/dispatches`: an account's workflows. The original had no such resource.

use axum::extract::State;
use serde::Serialize;
use trunkline_store::dispatches::STATUSES;
use trunkline_store::page::Page;
use utoipa::{IntoParams, ToSchema};

use super::view::DispatchView;
use crate::api::error::ApiError;
use crate::api::json::Json;
use crate::api::nexmo::problem::{CallerProblems, ProblemBody};
use crate::api::nexmo::read_number::read_number;
use crate::api::nexmo::{Caller, InvalidParameter, Problem};
use crate::api::query::Query;
use crate::api::state::ApiState;

const DEFAULT_SIZE: i64 = 10;
const MAX_SIZE: i64 = 100;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `list` reads")]
pub struct DispatchListParams {
    /// Only those: `running`, `completed`, `error` or `cancelled`.
    status: Option<String>,
    /// How many workflows make a page.
    #[param(minimum = 1, maximum = 100, default = 10)]
    page_size: Option<i64>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct DispatchList {
    page_size: i64,
    page: i64,
    _embedded: EmbeddedDispatches,
}

#[derive(Serialize, ToSchema)]
pub struct EmbeddedDispatches {
    dispatches: Vec<DispatchView>,
}

/// List workflows
///
/// The newest first, a page at a time. An extension.
#[utoipa::path(
    get,
    path = "/v0.1/dispatches",
    operation_id = "list-dispatches",
    tag = "Dispatch",
    security(("basicAuth" = []), ("applicationJwt" = [])),
    params(DispatchListParams),
    responses(
        (status = 200, description = "A page of the account's workflows.", body = DispatchList),
        (status = 400, description = "A query parameter is wrong.", body = ProblemBody,
         content_type = "application/problem+json"),
        CallerProblems,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    query: Result<Query, ApiError>,
) -> Result<Json<DispatchList>, Problem> {
    let query = query?;
    let mut invalid = Vec::new();
    let page_size = read_number(&query, "page_size", DEFAULT_SIZE, 1..=MAX_SIZE, &mut invalid);
    let page = read_number(&query, "page", 1, 1..=i64::from(i32::MAX), &mut invalid);
    let status = query.text("status");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        invalid.push(InvalidParameter::new("status", format!("must be one of {}", STATUSES.join(", "))));
    }
    if !invalid.is_empty() {
        return Err(Problem::InvalidParams(invalid));
    }
    let slice = Page { limit: page_size, offset: (page - 1) * page_size };
    let found = state.store.list_dispatches(&caller.account, status, slice).await?;
    let dispatches = found.into_iter().map(Into::into).collect();
    Ok(Json(DispatchList { page_size, page, _embedded: EmbeddedDispatches { dispatches } }))
}
