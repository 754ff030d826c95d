//! Definitions in lists. Those that are too large to be there together are left to be asked for one by one.

use chrono::{DateTime, Utc};
use trunkline_workflow::{AccountId, DefinitionId, Trigger, Version};

use super::{Definition, EXTRAS, STEPS, VersionId};
use crate::page::{HERE, Listed, Page};
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
    created_at: DateTime<Utc>,
    /// Empty if it is left out.
    texts: Option<Vec<String>>,
}

impl Row {
    /// `None`: it is left out.
    fn read(self, unlocked: Unlocked<'_>, account: &AccountId) -> Result<Option<Definition>, StoreError> {
        let Some([steps, extras]) = self.texts.as_deref() else { return Ok(None) };
        let id = VersionId::new(account, self.definition_id, self.version);
        let extras = unlocked.unseal_or_plain(id.place(EXTRAS), extras)?;
        Ok(Some(Definition {
            account: account.clone(),
            id: self.definition_id,
            version: self.version,
            subaccount: self.subaccount_id,
            trigger: Trigger::parse(&self.trigger)
                .ok_or_else(|| StoreError::Damaged(format!("unknown trigger `{}`", self.trigger)))?,
            enabled: self.enabled,
            steps: unlocked.unseal_or_plain(id.place(STEPS), steps)?,
            extras: serde_json::from_str(&extras)
                .map_err(|error| StoreError::Damaged(format!("extras: {error}")))?,
            created_at: self.created_at,
            name: self.name,
        }))
    }
}

/// What can be read of a list. A version that cannot is left out, and in the log, so that it does not take the
/// others with it; when none can be read that is an error, as an empty list would be a lie.
fn read_all(
    rows: Vec<Row>,
    unlocked: Unlocked<'_>,
    account: &AccountId,
) -> Result<Listed<Definition, VersionKey>, StoreError> {
    let mut listed = Listed { here: Vec::with_capacity(rows.len()), left: Vec::new() };
    let mut unreadable = None;
    for row in rows {
        let key = (row.definition_id, row.version);
        match row.read(unlocked, account) {
            Ok(Some(definition)) => listed.here.push(definition),
            Ok(None) => listed.left.push(key),
            Err(error) => {
                tell(account, key, &error);
                unreadable = Some(error);
            }
        }
    }
    match unreadable {
        Some(error) if listed.here.is_empty() => Err(error),
        _ => Ok(listed),
    }
}

fn tell(account: &AccountId, (id, version): VersionKey, error: &StoreError) {
    tracing::error!(
        account.id = %account,
        definition.id = %id,
        definition.version = version,
        error = %error,
        "a definition cannot be read and is left out of a list"
    );
}

impl Store {
    /// The newest version of each definition, newest definition first. `enabled` keeps those alone.
    pub async fn list_definitions(
        &self,
        account: &AccountId,
        enabled: Option<bool>,
        page: Page,
    ) -> Result<Listed<Definition, VersionKey>, StoreError> {
        let unlocked = self.keys().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "select definition_id, version, name, subaccount_id, trigger, enabled, created_at,
                 case
                     when sum(octet_length(steps) + octet_length(extras))
                         over (order by created_at desc, definition_id) <= $5
                     then array[steps, extras]
                 end as texts
             from (
                 select v.definition_id, v.version, v.name, v.subaccount_id, v.trigger, v.enabled, v.steps,
                     v.extras, d.created_at
                 from definitions d
                 join definition_versions v
                     on v.account_id = d.account_id and v.definition_id = d.id and v.newest
                 where d.account_id = $1 and d.newest_version is not null
                     and ($2::bool is null or v.enabled = $2)
                 order by d.created_at desc, d.id
                 limit $3 offset $4
             ) page
             order by created_at desc, definition_id",
        )
        .bind(account.as_str())
        .bind(enabled)
        .bind(page.limit)
        .bind(page.offset)
        .bind(HERE)
        .fetch_all(&self.pool)
        .await?;
        read_all(rows, unlocked, account)
    }

    /// A definition's versions, the newest first; empty when there is no such definition.
    pub async fn definition_history(
        &self,
        account: &AccountId,
        id: DefinitionId,
        page: Page,
    ) -> Result<Listed<Definition, VersionKey>, StoreError> {
        let unlocked = self.keys().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "select definition_id, version, name, subaccount_id, trigger, enabled, created_at,
                 case
                     when sum(octet_length(steps) + octet_length(extras)) over (order by version desc) <= $5
                     then array[steps, extras]
                 end as texts
             from (
                 select v.definition_id, v.version, v.name, v.subaccount_id, v.trigger, v.enabled, v.steps,
                     v.extras, d.created_at
                 from definition_versions v
                 join definitions d on d.account_id = v.account_id and d.id = v.definition_id
                 where v.account_id = $1 and v.definition_id = $2 and v.deleted_at is null
                 order by v.version desc
                 limit $3 offset $4
             ) page
             order by version desc",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(page.limit)
        .bind(page.offset)
        .bind(HERE)
        .fetch_all(&self.pool)
        .await?;
        read_all(rows, unlocked, account)
    }

    /// One that a list left; `None` if it has been deleted meanwhile, or cannot be read.
    pub async fn listed_definition(
        &self,
        account: &AccountId,
        key: VersionKey,
    ) -> Result<Option<Definition>, StoreError> {
        let unlocked = self.keys().await?;
        let row: Option<Row> = sqlx::query_as(
            "select v.definition_id, v.version, v.name, v.subaccount_id, v.trigger, v.enabled, d.created_at,
                 array[v.steps, v.extras] as texts
             from definition_versions v
             join definitions d on d.account_id = v.account_id and d.id = v.definition_id
             where v.account_id = $1 and v.definition_id = $2 and v.version = $3 and v.deleted_at is null",
        )
        .bind(account.as_str())
        .bind(key.0)
        .bind(key.1)
        .fetch_optional(&self.pool)
        .await?;
        let read = row.map(|row| row.read(unlocked, account)).transpose();
        Ok(read.inspect_err(|error| tell(account, key, error)).ok().flatten().flatten())
    }
}
