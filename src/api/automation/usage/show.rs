//! `GET /usage` (spec 2.15).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_store::usage::Usage;
use trunkline_workflow::AccountId;
use utoipa::ToSchema;

use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError};
use crate::api::json::Json;
use crate::api::state::ApiState;

/// Told as allowed where there is no quota: clients read an integer, of 32 bits perhaps, and compare or
/// subtract; nobody comes near this number.
const UNLIMITED: i64 = i32::MAX as i64;

/// The sources contradict each other (X24): the schema has an array, the sample its only element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum UsageShape {
    #[default]
    Array,
    Object,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    account_id: String,
    /// How many instances a month may start; 2147483647 without a quota.
    #[schema(example = 50000)]
    allowed_workflow_count: i64,
    /// Whether more than that may be started.
    allowed_overage: bool,
    /// The price of each instance beyond the allowed ones.
    #[schema(example = 0.005)]
    overage_price: f64,
    /// How many instances were started in the current month, whatever started them.
    #[schema(example = 1200)]
    executed_workflow_count: i64,
    /// The current month in UTC, 1 to 12.
    #[schema(minimum = 1, maximum = 12)]
    count_started_month: i16,
    /// The current month's year.
    count_started_year: i16,
}

impl UsageView {
    fn new(account: &AccountId, usage: &Usage) -> Self {
        Self {
            account_id: account.to_string(),
            allowed_workflow_count: usage.quota.allowed.unwrap_or(UNLIMITED),
            allowed_overage: usage.quota.overage,
            overage_price: usage.quota.overage_price,
            executed_workflow_count: usage.this_month.started,
            count_started_month: usage.this_month.month,
            count_started_year: usage.this_month.year,
        }
    }
}

/// Show usage
///
/// What the account may start in a month, and what it started in the current one. The array has one element;
/// a server run with `TRUNKLINE_USAGE_SHAPE=object` answers with the bare element.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/usage",
    operation_id = "get-usage",
    tag = "Usage",
    params(Account),
    responses(
        (status = 200, description = "The current month's.", body = Vec<UsageView>),
        AccountErrors,
    )
)]
pub async fn show(State(state): State<ApiState>, Account(account): Account) -> Result<Response, ApiError> {
    let usage = state.store.usage(&account).await?;
    let usage = UsageView::new(&account, &usage.ok_or_else(|| ApiError::AccountNotFound(account.clone()))?);
    Ok(match state.config.usage_shape {
        UsageShape::Array => Json([usage]).into_response(),
        UsageShape::Object => Json(usage).into_response(),
    })
}
