//! The secrets that callbacks are signed with.

use trunkline_workflow::AccountId;

use super::rows::{Progress, SealedRow, Text};
use crate::sealing::MasterKeys;
use crate::{PgPool, StoreError, nexmo_accounts};

#[derive(sqlx::FromRow)]
pub(super) struct SignatureRow {
    account_id: String,
    signature_secret: String,
}

impl SealedRow for SignatureRow {
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
            "select account_id, signature_secret
             from nexmo_accounts
             where account_id > $1
               and left(signature_secret, length($2)) <> $2
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
        for row in rows {
            let owner = AccountId::new(&row.account_id);
            let place = nexmo_accounts::place(&owner);
            let text = Text::reseal(keys, place, row.signature_secret, progress);
            if text.is_changed() {
                accounts.push(row.account_id);
                stale.push(text.stale);
                fresh.push(text.fresh);
            }
        }
        let updated = sqlx::query(
            "update nexmo_accounts a
             set signature_secret = n.fresh
             from unnest($1::text[], $2::text[], $3::text[]) as n (account_id, stale, fresh)
             where a.account_id = n.account_id and a.signature_secret = n.stale",
        )
        .bind(accounts)
        .bind(stale)
        .bind(fresh)
        .execute(pool)
        .await?;
        Ok(updated.rows_affected())
    }
}
