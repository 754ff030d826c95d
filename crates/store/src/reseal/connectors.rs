//! The secrets of connectors, and those that their providers sign with.

use trunkline_workflow::AccountId;

use super::rows::{Progress, SealedRow, Text};
use crate::connectors::{self, ConnectorKind};
use crate::sealing::{MasterKeys, Place};
use crate::{PgPool, StoreError};

#[derive(sqlx::FromRow)]
pub(super) struct ConnectorRow {
    account_id: String,
    kind: String,
    subaccount_id: String,
    settings: String,
    secret: Option<String>,
    signature_secret: Option<String>,
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
            "select account_id, kind, subaccount_id, settings, secret, signature_secret
             from connectors
             where (account_id, kind, subaccount_id) > ($1, $2, $3)
               and (left(secret, length($4)) <> $4 or left(signature_secret, length($4)) <> $4)
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
        let (mut stale_signatures, mut fresh_signatures) = (Vec::new(), Vec::new());
        for row in rows {
            let owner = AccountId::new(&row.account_id);
            let Some(known) = ConnectorKind::parse(&row.kind) else { continue };
            let name = connectors::row_name(known, &row.subaccount_id, &row.settings);
            let place = Place { column: connectors::SECRET, account: &owner, row: &name };
            let secret = row.secret.map(|secret| Text::reseal(keys, place, secret, progress));
            let name = connectors::signature_row_name(known, &row.subaccount_id);
            let place = Place { column: connectors::SIGNATURE_SECRET, account: &owner, row: &name };
            let signature = row.signature_secret.map(|secret| Text::reseal(keys, place, secret, progress));
            if [&secret, &signature].into_iter().flatten().any(Text::is_changed) {
                accounts.push(row.account_id);
                kinds.push(row.kind);
                subaccounts.push(row.subaccount_id);
                let (old, new) = secret.map(|text| (text.stale, text.fresh)).unzip();
                stale.push(old);
                fresh.push(new);
                let (old, new) = signature.map(|text| (text.stale, text.fresh)).unzip();
                stale_signatures.push(old);
                fresh_signatures.push(new);
            }
        }
        let updated = sqlx::query(
            "update connectors c
             set secret = n.fresh, signature_secret = n.fresh_signature
             from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
                 as n (account_id, kind, subaccount_id, stale, fresh, stale_signature, fresh_signature)
             where c.account_id = n.account_id and c.kind = n.kind and c.subaccount_id = n.subaccount_id
               and c.secret is not distinct from n.stale
               and c.signature_secret is not distinct from n.stale_signature",
        )
        .bind(accounts)
        .bind(kinds)
        .bind(subaccounts)
        .bind(stale)
        .bind(fresh)
        .bind(stale_signatures)
        .bind(fresh_signatures)
        .execute(pool)
        .await?;
        Ok(updated.rows_affected())
    }
}
