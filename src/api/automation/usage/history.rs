//! `GET /usage/history` (spec 2.16).

use std::fmt::Write;

use axum::extract::State;
use serde::Serialize;
use sha2::{Digest, Sha256};
use trunkline_store::usage::MonthCount;
use trunkline_workflow::AccountId;
use utoipa::ToSchema;

use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError};
use crate::api::json::Json;
use crate::api::state::ApiState;

const ID_BYTES: usize = 12;

#[derive(Serialize, ToSchema)]
#[schema(as = UsageHistory)]
#[serde(rename_all = "camelCase")]
pub struct MonthView {
    /// Always the same for this month of this account: 24 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    account_id: String,
    /// How many instances were started in the month, whatever started them.
    #[schema(example = 1200)]
    executed_workflow_count: i64,
    /// In UTC, 1 to 12.
    #[schema(minimum = 1, maximum = 12)]
    month: i16,
    year: i16,
}

impl MonthView {
    fn new(account: &AccountId, count: MonthCount) -> Self {
        Self {
            id: id(account, count.year, count.month),
            account_id: account.to_string(),
            executed_workflow_count: count.started,
            month: count.month,
            year: count.year,
        }
    }
}

/// Show usage by month
///
/// The current month and those of the twelve before it in which something was started, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/usage/history",
    operation_id = "get-usage-history",
    tag = "Usage",
    params(Account),
    responses(
        (status = 200, description = "A count for each month.", body = Vec<MonthView>),
        AccountErrors,
    )
)]
pub async fn history(
    State(state): State<ApiState>,
    Account(account): Account,
) -> Result<Json<Vec<MonthView>>, ApiError> {
    let months = state.store.usage_history(&account).await?;
    Ok(Json(months.into_iter().map(|month| MonthView::new(&account, month)).collect()))
}

/// There is no row that could have an id, so it is made from what makes the month unique.
fn id(account: &AccountId, year: i16, month: i16) -> String {
    let digest = Sha256::digest(format!("usage {year}-{month} {account}"));
    digest[..ID_BYTES].iter().fold(String::new(), |mut id, byte| {
        write!(id, "{byte:02x}").expect("writing to a string cannot end in an error");
        id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_one_account_and_month_and_stays() {
        let (a, b) = (AccountId::new("a"), AccountId::new("b"));
        assert_eq!(id(&a, 2026, 2), "ad448785883398239f52181b");
        let ids = [id(&a, 2026, 2), id(&b, 2026, 2), id(&a, 2026, 12), id(&a, 2027, 2)];
        assert!(ids.iter().all(|id| id.len() == 24));
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    }
}
