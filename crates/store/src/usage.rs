//! What accounts may start in a month (U-36), and what they started (spec 2.15, 2.16, 5.7). Months are UTC.
//!
//! The counting itself is part of the statement that starts, [`crate::starts`]. A quota is compared with
//! what is committed: starts that are on their way at the same moment may go beyond it by their number, and
//! a call that starts several instances starts all of them when one is left.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgExecutor;
use trunkline_workflow::AccountId;

use crate::audit::{self, By};
use crate::{Store, StoreError};

/// Between two reports of the same account.
const BETWEEN_REPORTS: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// Instances a month; `None`: any number.
    pub allowed: Option<i64>,
    /// Whether more than that may be started.
    pub overage: bool,
    /// What each of those costs, in whatever the operator counts.
    pub overage_price: f64,
}

/// What to change of a quota; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuotaChange {
    pub allowed: Option<Option<i64>>,
    pub overage: Option<bool>,
    pub overage_price: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthCount {
    pub year: i16,
    /// 1 to 12.
    pub month: i16,
    pub started: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    pub quota: Quota,
    pub this_month: MonthCount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// No quota, or one that may be exceeded.
    Unlimited,
    /// At least one more.
    Left,
    UsedUp,
}

impl Store {
    /// `None`: there is no such account.
    pub async fn usage(&self, account: &AccountId) -> Result<Option<Usage>, StoreError> {
        let row: Option<(Option<i64>, bool, f64, i16, i16, i64)> = sqlx::query_as(
            "select a.allowed_workflow_count, a.allowed_overage, a.overage_price, t.year, t.month,
                 coalesce((
                     select sum(c.started)
                     from usage_counts c
                     where c.account_id = a.id and c.year = t.year and c.month = t.month
                 ), 0)::bigint
             from accounts a
             cross join lateral (
                 select extract(year from now() at time zone 'UTC')::smallint,
                     extract(month from now() at time zone 'UTC')::smallint
             ) as t (year, month)
             where a.id = $1",
        )
        .bind(account.as_str())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(allowed, overage, overage_price, year, month, started)| Usage {
            quota: Quota { allowed, overage, overage_price },
            this_month: MonthCount { year, month, started },
        }))
    }

    /// The current month, also when nothing was started yet, and before it those of the twelve months that
    /// something was started in; the newest first.
    pub async fn usage_history(&self, account: &AccountId) -> Result<Vec<MonthCount>, StoreError> {
        let rows: Vec<(i16, i16, i64)> = sqlx::query_as(
            "with this as (
                 select date_trunc('month', now() at time zone 'UTC') as month
             ), counts as (
                 select year, month, started
                 from usage_counts
                 where account_id = $1
                 union all
                 select extract(year from month)::smallint, extract(month from month)::smallint, 0
                 from this
             )
             select c.year, c.month, sum(c.started)::bigint
             from counts c, this
             where make_date(c.year, c.month, 1) between this.month - interval '12 months' and this.month
             group by c.year, c.month
             order by c.year desc, c.month desc",
        )
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(year, month, started)| MonthCount { year, month, started }).collect())
    }

    /// `false`: there is no such account. Servers hear of it within seconds.
    pub async fn change_quota(
        &self,
        account: &AccountId,
        change: QuotaChange,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let changed: Option<(Option<i64>, bool, f64)> = sqlx::query_as(
            "update accounts
             set allowed_workflow_count = case when $2 then $3 else allowed_workflow_count end,
                 allowed_overage = coalesce($4, allowed_overage),
                 overage_price = coalesce($5, overage_price)
             where id = $1
             returning allowed_workflow_count, allowed_overage, overage_price",
        )
        .bind(account.as_str())
        .bind(change.allowed.is_some())
        .bind(change.allowed.flatten())
        .bind(change.overage)
        .bind(change.overage_price)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((allowed, overage, overage_price)) = changed else { return Ok(false) };
        let detail = json!({"allowed": allowed, "overage": overage, "overagePrice": overage_price});
        let detail = Some(&detail);
        audit::note(&mut transaction, account, by, "account.quota", account.as_str(), detail).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// What the account may still start this month.
    pub async fn allowance(&self, account: &AccountId) -> Result<Allowance, StoreError> {
        Ok(match remaining(&self.pool, account).await? {
            None => Allowance::Unlimited,
            Some(left) if left > 0 => Allowance::Left,
            Some(_) => Allowance::UsedUp,
        })
    }
}

/// How many instances triggers may start now. That they may start none is reported in the log, now and then.
pub(crate) async fn starts_left(
    executor: impl PgExecutor<'_>,
    account: &AccountId,
) -> Result<usize, StoreError> {
    let Some(left) = remaining(executor, account).await? else { return Ok(usize::MAX) };
    if left <= 0 {
        report_used_up(account);
    }
    Ok(usize::try_from(left).unwrap_or(0))
}

/// `None`: any number. Without a quota this reads the account's row and nothing else.
pub(crate) async fn remaining(
    executor: impl PgExecutor<'_>,
    account: &AccountId,
) -> Result<Option<i64>, StoreError> {
    let left: Option<Option<i64>> = sqlx::query_scalar(
        "select case
             when a.allowed_workflow_count is null or a.allowed_overage then null
             else a.allowed_workflow_count - (
                 select coalesce(sum(c.started), 0)::bigint
                 from usage_counts c
                 where c.account_id = a.id
                     and c.year = extract(year from now() at time zone 'UTC')::smallint
                     and c.month = extract(month from now() at time zone 'UTC')::smallint
             )
         end
         from accounts a
         where a.id = $1",
    )
    .bind(account.as_str())
    .fetch_optional(executor)
    .await?;
    Ok(left.flatten())
}

/// Says in the log that triggers start nothing, at most once a minute and account.
pub fn report_used_up(account: &AccountId) {
    static REPORTED: Mutex<Option<HashMap<AccountId, Instant>>> = Mutex::new(None);
    let now = Instant::now();
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    let reported = reported.get_or_insert_default();
    if is_due(reported, account, now) {
        tracing::warn!(
            account.id = %account,
            "the account's quota of this month is used up: triggers start nothing for it"
        );
    }
}

/// Whether the account was not reported lately; notes that it is now.
fn is_due(reported: &mut HashMap<AccountId, Instant>, account: &AccountId, now: Instant) -> bool {
    reported.retain(|_, at| now.duration_since(*at) < BETWEEN_REPORTS);
    if reported.contains_key(account) {
        return false;
    }
    reported.insert(account.clone(), now);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_reported_once_a_minute() {
        let (acme, other) = (AccountId::new("acme"), AccountId::new("other"));
        let mut reported = HashMap::new();
        let start = Instant::now();
        let due = |account: &AccountId, seconds: u64, reported: &mut HashMap<AccountId, Instant>| {
            is_due(reported, account, start + Duration::from_secs(seconds))
        };
        assert!(due(&acme, 0, &mut reported));
        assert!(!due(&acme, 59, &mut reported));
        assert!(due(&other, 59, &mut reported));
        assert!(due(&acme, 60, &mut reported));
        assert!(!due(&other, 60, &mut reported));
        assert_eq!(reported.len(), 2);
    }
}
