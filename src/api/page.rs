//! `limit` and `offset` of lists (spec 2.1, U-39, U-40).

use trunkline_store::page::Page;
use utoipa::IntoParams;

use super::error::ApiError;
use super::query::Query;

const MAX_LIMIT: i64 = 500;
const DEFAULT_LIMIT: i64 = 100;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `read` reads")]
pub struct PageParams {
    /// How many items to return at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<i64>,
    /// How many items to skip.
    #[param(minimum = 0, default = 0)]
    offset: Option<i64>,
}

pub(super) fn read(query: &Query) -> Result<Page, ApiError> {
    let limit =
        query.read("limit", |text| text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)))?;
    let offset = query.read("offset", |text| text.parse().ok().filter(|offset| *offset >= 0))?;
    Ok(Page { limit: limit.unwrap_or(DEFAULT_LIMIT), offset: offset.unwrap_or(0) })
}
