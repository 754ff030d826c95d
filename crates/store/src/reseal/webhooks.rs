//! The secrets of webhooks, and those before them.

use trunkline_workflow::AccountId;

use super::rows::{Progress, SealedRow, Text};
use crate::sealing::MasterKeys;
use crate::{PgPool, StoreError, webhook_settings};

#[derive(sqlx::FromRow)]
pub(super) struct WebhookRow {
    account_id: String,
    secret: String,
    previous_secret: Option<String>,
}

impl SealedRow for WebhookRow {
    type Key = String;

    fn key(&self) -> Self::Key {
        self.account_id.clone()
    }

    async fn read(
        pool: &PgPool,
        after: &Self::Key,
        prefix: &str,
        limit: i64,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(sqlx::query_as(
            "select account_id, secret, previous_secret
             from webhook_settings
             where account_id > $1
               and (left(secret, length($2)) <> $2 or left(previous_secret, length($2)) <> $2)
             order by account_id
             limit $3",
        )
        .bind(after)
        .bind(prefix)
        .bind(limit)
        .fetch_all(pool)
        .await?)
    }

    async fn write(
        pool: &PgPool,
        keys: &MasterKeys,
        rows: Vec<Self>,
        progress: &mut Progress,
    ) -> Result<u64, StoreError> {
        let mut accounts = Vec::new();
        let (mut stale, mut fresh) = (Vec::new(), Vec::new());
        let (mut stale_previous, mut fresh_previous) = (Vec::new(), Vec::new());
        for row in rows {
            let owner = AccountId::new(&row.account_id);
            let place = webhook_settings::place(&owner);
            let secret = Text::reseal(keys, place, row.secret, progress);
            let previous = row.previous_secret.map(|previous| Text::reseal(keys, place, previous, progress));
            if secret.is_changed() || previous.as_ref().is_some_and(Text::is_changed) {
                accounts.push(row.account_id);
                stale.push(secret.stale);
                fresh.push(secret.fresh);
                let (old, new) = previous.map(|text| (text.stale, text.fresh)).unzip();
                stale_previous.push(old);
                fresh_previous.push(new);
            }
        }
        let updated = sqlx::query(
            "update webhook_settings w
             set secret = n.fresh, previous_secret = n.fresh_previous
             from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                 as n (account_id, stale, fresh, stale_previous, fresh_previous)
             where w.account_id = n.account_id and w.secret = n.stale
               and w.previous_secret is not distinct from n.stale_previous",
        )
        .bind(accounts)
        .bind(stale)
        .bind(fresh)
        .bind(stale_previous)
        .bind(fresh_previous)
        .execute(pool)
        .await?;
        Ok(updated.rows_affected())
    }
}
