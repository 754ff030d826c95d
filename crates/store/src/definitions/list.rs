//! Definitions in lists: which, and how large they are; then they themselves, as many as are wanted at a time.

use chrono::{DateTime, Utc};
use trunkline_workflow::{AccountId, DefinitionId, Trigger, Version};

use super::{Definition, EXTRAS, STEPS, VersionId};
use crate::page::{Listed, Page};
use crate::sealing::Unlocked;
use crate::{Store, StoreError};

/// By what a version is asked for.
pub type VersionKey = (DefinitionId, Version);

#[derive(sqlx::FromRow)]
struct Row {
    definition_id: DefinitionId,
    version: Version,
    name: String,
    subaccount_id: Option<String>,
    trigger: String,
    enabled: bool,
    steps: String,
    extras: String,
    created_at: DateTime<Utc>,
}

impl Row {
    fn read(self, unlocked: Unlocked<'_>, account: &AccountId) -> Result<Definition, StoreError> {
        let id = VersionId::new(account, self.definition_id, self.version);
        let steps = unlocked.unseal_or_plain(id.place(STEPS), &self.steps)?;
        let extras = unlocked.unseal_or_plain(id.place(EXTRAS), &self.extras)?;
        Ok(Definition {
            account: account.clone(),
            id: self.definition_id,
            version: self.version,
            name: self.name,
            subaccount: self.subaccount_id,
            trigger: Trigger::parse(&self.trigger)
                .ok_or_else(|| StoreError::Damaged(format!("unknown trigger `{}`", self.trigger)))?,
            enabled: self.enabled,
            steps,
            extras: serde_json::from_str(&extras)
                .map_err(|error| StoreError::Damaged(format!("extras: {error}")))?,
            created_at: self.created_at,
        })
    }
}

/// What can be read of a list. A version that cannot is left out, and in the log, so that it does not take the others
/// with it.
#[derive(Debug)]
pub struct Readable {
    pub definitions: Vec<Definition>,
    /// Why one was left out. When none can be read that is an error, as an empty list would be a lie.
    pub left_out: Option<StoreError>,
}

impl Store {
    /// The newest version of each definition, newest definition first. `enabled` keeps those alone.
    pub async fn list_definitions(
        &self,
        account: &AccountId,
        enabled: Option<bool>,
        page: Page,
    ) -> Result<Vec<Listed<VersionKey>>, StoreError> {
        let rows: Vec<(DefinitionId, Version, i64)> = sqlx::query_as(
            "select v.definition_id, v.version, octet_length(v.steps)::bigint + octet_length(v.extras)
             from definitions d
             join definition_versions v on v.account_id = d.account_id and v.definition_id = d.id and v.newest
             where d.account_id = $1 and d.newest_version is not null
                 and ($2::bool is null or v.enabled = $2)
             order by d.created_at desc, d.id
             limit $3 offset $4",
        )
        .bind(account.as_str())
        .bind(enabled)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        Ok(listed(rows))
    }

    /// A definition's versions, the newest first; empty when there is no such definition.
    pub async fn definition_history(
        &self,
        account: &AccountId,
        id: DefinitionId,
        page: Page,
    ) -> Result<Vec<Listed<VersionKey>>, StoreError> {
        let rows: Vec<(DefinitionId, Version, i64)> = sqlx::query_as(
            "select definition_id, version, octet_length(steps)::bigint + octet_length(extras)
             from definition_versions
             where account_id = $1 and definition_id = $2 and deleted_at is null
             order by version desc
             limit $3 offset $4",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        Ok(listed(rows))
    }

    /// Those of the versions that there are, in the order of both lists.
    pub async fn get_versions(
        &self,
        account: &AccountId,
        keys: &[VersionKey],
    ) -> Result<Readable, StoreError> {
        let unlocked = self.keys().await?;
        let (ids, versions): (Vec<DefinitionId>, Vec<Version>) = keys.iter().copied().unzip();
        let rows: Vec<Row> = sqlx::query_as(
            "select v.definition_id, v.version, v.name, v.subaccount_id, v.trigger, v.enabled, v.steps, v.extras,
                 d.created_at
             from unnest($2::uuid[], $3::int[]) as k (id, version)
             join definition_versions v
                 on v.account_id = $1 and v.definition_id = k.id and v.version = k.version
                 and v.deleted_at is null
             join definitions d on d.account_id = v.account_id and d.id = v.definition_id
             order by d.created_at desc, d.id, v.version desc",
        )
        .bind(account.as_str())
        .bind(ids)
        .bind(versions)
        .fetch_all(&self.pool)
        .await?;
        let mut readable = Readable { definitions: Vec::with_capacity(rows.len()), left_out: None };
        for row in rows {
            let (id, version) = (row.definition_id, row.version);
            match row.read(unlocked, account) {
                Ok(definition) => readable.definitions.push(definition),
                Err(error) => {
                    tracing::error!(
                        account.id = %account,
                        definition.id = %id,
                        definition.version = version,
                        error = %error,
                        "a definition cannot be read and is left out of a list"
                    );
                    readable.left_out = Some(error);
                }
            }
        }
        Ok(readable)
    }
}

fn listed(rows: Vec<(DefinitionId, Version, i64)>) -> Vec<Listed<VersionKey>> {
    rows.into_iter().map(|(id, version, bytes)| Listed { key: (id, version), bytes }).collect()
}
