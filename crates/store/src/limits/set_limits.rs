//! The limits of an account, as its people set and see them.

use serde_json::json;
use trunkline_workflow::AccountId;
use trunkline_workflow::limits::Settings;

use super::ask_leave::{parse, read_settings};
use super::queue;
use crate::audit::{self, By};
use crate::{Store, StoreError};

impl Store {
    /// Those of an account that has none are empty.
    pub async fn find_limits(&self, account: &AccountId) -> Result<Settings, StoreError> {
        let settings: Option<String> =
            sqlx::query_scalar("select settings from limits where account_id = $1")
                .bind(account.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(settings.as_deref().map(parse).transpose()?.unwrap_or_default())
    }

    /// Replaces all of them. What was let through before counts for the new ones. The account must exist.
    pub async fn set_limits(
        &self,
        account: &AccountId,
        settings: &Settings,
        by: &By,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        queue::lock_account(&mut transaction, account).await?;
        let (before, _) = read_settings(&mut transaction, account).await?;
        sqlx::query(
            "insert into limits (account_id, settings)
             values ($1, $2)
             on conflict (account_id) do update
             set settings = excluded.settings, changed_at = clock_timestamp(), looked_over = false",
        )
        .bind(account.as_str())
        .bind(serde_json::to_string(settings).expect("plain data is JSON"))
        .execute(&mut *transaction)
        .await?;
        let detail = json!({"before": before, "after": settings});
        audit::note(&mut transaction, account, by, "limits.set", account.as_str(), Some(&detail)).await?;
        transaction.commit().await?;
        Ok(())
    }
}
