//! `GET /v2/applications`.

use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::view::ApplicationView;
use crate::api::error::ApiError;
use crate::api::json::Json;
use crate::api::nexmo::problem::{KeyProblems, ProblemBody};
use crate::api::nexmo::read_number::read_number;
use crate::api::nexmo::{KeyCaller, Problem};
use crate::api::query::Query;
use crate::api::state::ApiState;

const DEFAULT_SIZE: i64 = 10;
const MAX_SIZE: i64 = 100;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `list` reads")]
pub struct ListParams {
    /// How many applications make a page.
    #[param(minimum = 1, maximum = 100, default = 10)]
    page_size: Option<i64>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct ApplicationList {
    page_size: i64,
    page: i64,
    total_items: i64,
    total_pages: i64,
    _embedded: EmbeddedApplications,
}

#[derive(Serialize, ToSchema)]
pub struct EmbeddedApplications {
    applications: Vec<ApplicationView>,
}

/// List applications
///
/// Oldest first, a page at a time.
#[utoipa::path(
    get,
    path = "/v2/applications",
    operation_id = "list-applications",
    tag = "Applications",
    security(("basicAuth" = [])),
    params(ListParams),
    responses(
        (status = 200, description = "A page of the account's applications.", body = ApplicationList),
        (status = 400, description = "A query parameter is wrong.", body = ProblemBody,
         content_type = "application/problem+json"),
        KeyProblems,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    KeyCaller { account, .. }: KeyCaller,
    query: Result<Query, ApiError>,
) -> Result<Json<ApplicationList>, Problem> {
    let query = query?;
    let mut invalid = Vec::new();
    let page_size = read_number(&query, "page_size", DEFAULT_SIZE, 1..=MAX_SIZE, &mut invalid);
    let page = read_number(&query, "page", 1, 1..=i64::from(i32::MAX), &mut invalid);
    if !invalid.is_empty() {
        return Err(Problem::InvalidParams(invalid));
    }
    let found = state.store.list_applications(&account, page_size, (page - 1) * page_size).await?;
    Ok(Json(ApplicationList {
        page_size,
        page,
        total_items: found.total,
        total_pages: (found.total + page_size - 1) / page_size,
        _embedded: EmbeddedApplications {
            applications: found.applications.into_iter().map(ApplicationView::new).collect(),
        },
    }))
}
