//! The texts of definitions.

use trunkline_workflow::{AccountId, DefinitionId, Version};

use super::rows::{Progress, SealedRow, Text};
use crate::definitions::{EXTRAS, STEPS, VersionId};
use crate::sealing::MasterKeys;
use crate::{PgPool, StoreError};

#[derive(sqlx::FromRow)]
pub(super) struct VersionRow {
    account_id: String,
    definition_id: DefinitionId,
    version: Version,
    steps: String,
    extras: String,
}

impl SealedRow for VersionRow {
    type Key = (String, DefinitionId, Version);

    fn key(&self) -> Self::Key {
        (self.account_id.clone(), self.definition_id, self.version)
    }

    async fn read(
        pool: &PgPool,
        after: &Self::Key,
        prefix: &str,
        limit: i64,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(sqlx::query_as(
            "select account_id, definition_id, version, steps, extras
             from definition_versions
             where (account_id, definition_id, version) > ($1, $2, $3)
               and (left(steps, length($4)) <> $4 or left(extras, length($4)) <> $4)
             order by account_id, definition_id, version
             limit $5",
        )
        .bind(&after.0)
        .bind(after.1)
        .bind(after.2)
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
        let (mut accounts, mut definitions, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut all_steps, mut all_extras) = (Vec::new(), Vec::new());
        for row in rows {
            let owner = AccountId::new(&row.account_id);
            let id = VersionId::new(&owner, row.definition_id, row.version);
            let steps = Text::reseal(keys, id.place(STEPS), row.steps, progress);
            let extras = Text::reseal(keys, id.place(EXTRAS), row.extras, progress);
            if steps.is_changed() || extras.is_changed() {
                accounts.push(row.account_id);
                definitions.push(row.definition_id);
                versions.push(row.version);
                all_steps.push(steps.fresh);
                all_extras.push(extras.fresh);
            }
        }
        // The texts of a version never change otherwise.
        let updated = sqlx::query(
            "update definition_versions v
             set steps = n.steps, extras = n.extras
             from unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::text[])
                 as n (account_id, definition_id, version, steps, extras)
             where v.account_id = n.account_id and v.definition_id = n.definition_id
               and v.version = n.version",
        )
        .bind(accounts)
        .bind(definitions)
        .bind(versions)
        .bind(all_steps)
        .bind(all_extras)
        .execute(pool)
        .await?;
        Ok(updated.rows_affected())
    }
}
