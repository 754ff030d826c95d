//! The secrets of connectors.

use sqlx::PgPool;
use trunkline_workflow::AccountId;

use super::rows::{Progress, SealedRow, Text};
use crate::StoreError;
use crate::connectors::{self, ConnectorKind};
use crate::sealing::{MasterKeys, Place};

#[derive(sqlx::FromRow)]
pub(super) struct ConnectorRow {
    account_id: String,
    kind: String,
    subaccount_id: String,
    settings: String,
    secret: String,
}

impl SealedRow for ConnectorRow {
    type Key = (String, String, String);

    fn key(&self) -> Self::Key {
        (self.account_id.clone(), self.kind.clone(), self.subaccount_id.clone())
    }

    async fn read(
        pool: &PgPool,
        after: &Self::Key,
        prefix: &str,
        limit: i64,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(sqlx::query_as(
            "select account_id, kind, subaccount_id, settings, secret
             from connectors
             where (account_id, kind, subaccount_id) > ($1, $2, $3)
               and left(secret, length($4)) <> $4
             order by account_id, kind, subaccount_id
             limit $5",
        )
        .bind(&after.0)
        .bind(&after.1)
        .bind(&after.2)
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
        let (mut accounts, mut kinds, mut subaccounts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut stale, mut fresh) = (Vec::new(), Vec::new());
        for row in rows {
            let owner = AccountId::new(&row.account_id);
            let Some(known) = ConnectorKind::parse(&row.kind) else { continue };
            let name = connectors::row_name(known, &row.subaccount_id, &row.settings);
            let place = Place { column: connectors::SECRET, account: &owner, row: &name };
            let text = Text::reseal(keys, place, row.secret, progress);
            if text.is_changed() {
                accounts.push(row.account_id);
                kinds.push(row.kind);
                subaccounts.push(row.subaccount_id);
                stale.push(text.stale);
                fresh.push(text.fresh);
            }
        }
        let updated = sqlx::query(
            "update connectors c
             set secret = n.fresh
             from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                 as n (account_id, kind, subaccount_id, stale, fresh)
             where c.account_id = n.account_id and c.kind = n.kind and c.subaccount_id = n.subaccount_id
               and c.secret = n.stale",
        )
        .bind(accounts)
        .bind(kinds)
        .bind(subaccounts)
        .bind(stale)
        .bind(fresh)
        .execute(pool)
        .await?;
        Ok(updated.rows_affected())
    }
}
