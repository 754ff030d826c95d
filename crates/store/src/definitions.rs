//! Definitions and their versions: saved, listed, found, deleted.
//!
//! A row of `definitions` counts the versions and is what writers lock, so that two updates at once make
//! two versions. Versions with `deleted_at` are gone for everybody but the workers that still run them.
//!
//! Steps and extras may hold secrets, so they are stored sealed (U-65). Those of older releases are plain,
//! until they are resealed.

pub(crate) mod find_newest;
mod list;

pub use find_newest::FIND_NEWEST;
pub use list::{Readable, VersionKey};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgExecutor;
use trunkline_telemetry::{counter, declared};
use trunkline_workflow::definition::{DefinitionInput, Extras};
use trunkline_workflow::{AccountId, DefinitionId, Trigger, Version};

use crate::audit::{self, By};
use crate::sealing::{Place, Sealer};
use crate::{PgConnection, Store, StoreError, schedules};

/// One saved version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub account: AccountId,
    pub id: DefinitionId,
    pub version: Version,
    pub name: String,
    pub subaccount: Option<String>,
    pub trigger: Trigger,
    pub enabled: bool,
    /// JSON text, as submitted.
    pub steps: String,
    /// Members of the request that we do not know.
    pub extras: Extras,
    /// Of the definition, equal in all its versions (U-76).
    pub created_at: DateTime<Utc>,
}

/// What starting an instance needs to know of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub version: Version,
    pub subaccount: Option<String>,
    /// Nothing is started of it any more.
    pub draining: bool,
}

/// A newest version that a trigger starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggered {
    pub definition: DefinitionId,
    pub version: Version,
    pub subaccount: Option<String>,
}

pub(crate) const STEPS: &str = "definition_versions.steps";
pub(crate) const EXTRAS: &str = "definition_versions.extras";

/// The row that a version's texts are sealed for.
pub(crate) struct VersionId<'a> {
    account: &'a AccountId,
    row: String,
}

impl<'a> VersionId<'a> {
    pub(crate) fn new(account: &'a AccountId, definition: DefinitionId, version: Version) -> Self {
        Self { account, row: format!("{definition}/{version}") }
    }

    pub(crate) fn place(&self, column: &'static str) -> Place<'_> {
        Place { column, account: self.account, row: &self.row }
    }
}

impl Store {
    /// Saves version 1 under the given id; the account must exist.
    pub async fn create_definition(
        &self,
        account: &AccountId,
        id: DefinitionId,
        input: DefinitionInput,
        by: &By,
    ) -> Result<Definition, StoreError> {
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let created_at: DateTime<Utc> = sqlx::query_scalar(
            "insert into definitions (account_id, id, last_version, newest_version)
             values ($1, $2, 1, 1)
             returning created_at",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_one(&mut *transaction)
        .await?;
        let schedule = input.schedule.clone();
        let definition = assemble(account, id, 1, created_at, input);
        insert_version(&mut *transaction, sealer, &definition).await?;
        schedules::save(&mut transaction, account, id, 1, schedule.as_ref()).await?;
        note_version(&mut transaction, by, "definition.create", &definition).await?;
        transaction.commit().await?;
        Ok(definition)
    }

    /// Saves the next version, which becomes the newest; `None`: there is no such definition.
    pub async fn update_definition(
        &self,
        account: &AccountId,
        id: DefinitionId,
        input: DefinitionInput,
        by: &By,
    ) -> Result<Option<Definition>, StoreError> {
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let counted: Option<(Version, DateTime<Utc>)> = sqlx::query_as(
            "update definitions
             set last_version = last_version + 1, newest_version = last_version + 1
             where account_id = $1 and id = $2 and newest_version is not null
             returning last_version, created_at",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((version, created_at)) = counted else { return Ok(None) };
        sqlx::query(
            "update definition_versions
             set newest = false
             where account_id = $1 and definition_id = $2 and newest",
        )
        .bind(account.as_str())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        let schedule = input.schedule.clone();
        let definition = assemble(account, id, version, created_at, input);
        insert_version(&mut *transaction, sealer, &definition).await?;
        schedules::save(&mut transaction, account, id, version, schedule.as_ref()).await?;
        note_version(&mut transaction, by, "definition.update", &definition).await?;
        transaction.commit().await?;
        Ok(Some(definition))
    }

    /// Deletes one version, or all of them; the highest that is left becomes the newest. `false`: there
    /// was nothing to delete. What belongs to the versions is upkeep's to remove.
    pub async fn delete_definition(
        &self,
        account: &AccountId,
        id: DefinitionId,
        version: Option<Version>,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let locked = sqlx::query(
            "select from definitions
             where account_id = $1 and id = $2 and newest_version is not null
             for update",
        )
        .bind(account.as_str())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        if locked.rows_affected() == 0 {
            return Ok(false);
        }
        let deleted = sqlx::query(
            "update definition_versions
             set deleted_at = now(), newest = false
             where account_id = $1 and definition_id = $2 and deleted_at is null
               and ($3::int is null or version = $3)",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(version)
        .execute(&mut *transaction)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "with remaining as (
                 select max(version) as version
                 from definition_versions
                 where account_id = $1 and definition_id = $2 and deleted_at is null
             ), moved as (
                 update definition_versions v
                 set newest = true
                 from remaining r
                 where v.account_id = $1 and v.definition_id = $2 and v.version = r.version and not v.newest
             )
             update definitions
             set newest_version = (select version from remaining)
             where account_id = $1 and id = $2",
        )
        .bind(account.as_str())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        schedules::follow_newest(&mut transaction, account, id).await?;
        let detail = json!({ "version": version });
        audit::note(&mut transaction, account, by, "definition.delete", &id.to_string(), Some(&detail))
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Whether a definition of this id has a version left.
    pub async fn definition_exists(&self, account: &AccountId, id: DefinitionId) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "select exists (
                 select from definitions
                 where account_id = $1 and id = $2 and newest_version is not null
             )",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_one(&self.pool)
        .await?)
    }

    /// What [`Store::find_definition`] found the last time, if an instance could be started of it; whether it still can,
    /// [`Store::start_if_newest`] sees.
    pub fn last_found(&self, account: &AccountId, id: DefinitionId) -> Option<Found> {
        self.finder.last_found(account, id)
    }

    /// The version to start an instance of: the newest one unless another is named.
    pub async fn find_definition(
        &self,
        account: &AccountId,
        id: DefinitionId,
        version: Option<Version>,
    ) -> Result<Option<Found>, StoreError> {
        let Some(version) = version else {
            return self.finder.find(account, id).await;
        };
        let found: Option<(Version, Option<String>, bool)> = sqlx::query_as(
            "select version, subaccount_id, exists (
                 select from definition_states s
                 where s.account_id = $1 and s.definition_id = $2 and s.state = 'draining'
             )
             from definition_versions
             where account_id = $1 and definition_id = $2 and version = $3 and deleted_at is null",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(version)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.map(|(version, subaccount, draining)| Found { version, subaccount, draining }))
    }

    /// The steps' JSON text, for those who run them: also of a version that was deleted meanwhile.
    pub async fn load_version(
        &self,
        account: &AccountId,
        id: DefinitionId,
        version: Version,
    ) -> Result<Option<String>, StoreError> {
        let stored: Option<String> = sqlx::query_scalar(
            "select steps
             from definition_versions
             where account_id = $1 and definition_id = $2 and version = $3",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(version)
        .fetch_optional(&self.pool)
        .await?;
        match stored {
            Some(steps) => {
                let id = VersionId::new(account, id, version);
                self.keys().await?.unseal_or_plain(id.place(STEPS), &steps).map(Some)
            }
            None => Ok(None),
        }
    }

    /// See [`triggered_by`].
    pub async fn definitions_triggered_by(
        &self,
        account: &AccountId,
        trigger: Trigger,
        subaccount: Option<&str>,
    ) -> Result<Vec<Triggered>, StoreError> {
        triggered_by(&self.pool, account, trigger, subaccount).await
    }
}

/// The definitions that an event starts (spec 6.2, 6.4): enabled in their newest version, and bound to no
/// subaccount or to the event's own. An event without subaccount starts the unbound ones. Those that are drained
/// are not started, which is counted and said in the log.
pub(crate) async fn triggered_by(
    executor: impl PgExecutor<'_>,
    account: &AccountId,
    trigger: Trigger,
    subaccount: Option<&str>,
) -> Result<Vec<Triggered>, StoreError> {
    let rows: Vec<(DefinitionId, Version, Option<String>, bool)> = sqlx::query_as(
        "select v.definition_id, v.version, v.subaccount_id, exists (
             select from definition_states s
             where s.account_id = $1 and s.definition_id = v.definition_id and s.state = 'draining'
         )
         from definition_versions v
         where v.account_id = $1 and v.trigger = $2 and v.newest and v.enabled
           and (v.subaccount_id is null or v.subaccount_id = $3)
         order by v.definition_id",
    )
    .bind(account.as_str())
    .bind(trigger.as_str())
    .bind(subaccount)
    .fetch_all(executor)
    .await?;
    let (drained, triggered): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(.., draining)| *draining);
    for (definition, ..) in drained {
        report_drained(account, definition, trigger);
    }
    Ok(triggered
        .into_iter()
        .map(|(definition, version, subaccount, _)| Triggered { definition, version, subaccount })
        .collect())
}

/// Something would have started it.
pub(crate) fn report_drained(account: &AccountId, definition: DefinitionId, trigger: Trigger) {
    counter(&declared::DRAINED, [trigger.as_str()]).increment(1);
    tracing::info!(account.id = %account, definition.id = %definition, "a drained definition was not started");
}

fn assemble(
    account: &AccountId,
    id: DefinitionId,
    version: Version,
    created_at: DateTime<Utc>,
    input: DefinitionInput,
) -> Definition {
    Definition {
        account: account.clone(),
        id,
        version,
        name: input.name,
        subaccount: input.subaccount,
        trigger: input.trigger,
        enabled: input.enabled,
        steps: input.steps,
        extras: input.extras,
        created_at,
    }
}

async fn note_version(
    connection: &mut PgConnection,
    by: &By,
    action: &str,
    definition: &Definition,
) -> Result<(), StoreError> {
    let Definition { account, id, version, name, enabled, .. } = definition;
    let detail = json!({"version": version, "name": name, "enabled": enabled});
    audit::note(connection, account, by, action, &id.to_string(), Some(&detail)).await
}

async fn insert_version(
    executor: impl PgExecutor<'_>,
    sealer: Sealer<'_>,
    definition: &Definition,
) -> Result<(), StoreError> {
    let id = VersionId::new(&definition.account, definition.id, definition.version);
    let extras = serde_json::to_string(&definition.extras).expect("JSON values are JSON");
    sqlx::query(
        "insert into definition_versions
             (account_id, definition_id, version, name, subaccount_id, trigger, enabled, steps, extras, newest)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, true)",
    )
    .bind(definition.account.as_str())
    .bind(definition.id)
    .bind(definition.version)
    .bind(&definition.name)
    .bind(&definition.subaccount)
    .bind(definition.trigger.as_str())
    .bind(definition.enabled)
    .bind(sealer.seal(id.place(STEPS), &definition.steps))
    .bind(sealer.seal(id.place(EXTRAS), &extras))
    .execute(executor)
    .await?;
    Ok(())
}
