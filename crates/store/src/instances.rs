//! Instances as people look at them: lists, one with its log, its errors.
//!
//! Writing an instance is not done here but by `transitions`. Instances of deleted versions are gone for
//! every reader, before upkeep has removed them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use trunkline_workflow::graph::Step;
use trunkline_workflow::step::StepType;
use trunkline_workflow::{
    AccountId, DefinitionId, Graph, InstanceId, InstanceStatus, JobId, StepStatus, Version,
};
use uuid::Uuid;

use crate::page::{Listed, Page};
use crate::waits::read_id;
use crate::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    pub account: AccountId,
    pub definition: DefinitionId,
    pub version: Version,
    pub status: InstanceStatus,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    /// The context, as JSON text.
    pub data: String,
}

/// Which instances a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// The newest version when `None`.
    pub version: Option<Version>,
    pub status: Option<InstanceStatus>,
    /// Inclusive.
    pub started_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub started_before: Option<DateTime<Utc>>,
}

/// One execution of one step (spec 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub id: Uuid,
    pub step: String,
    pub status: StepStatus,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
}

/// Why an instance was terminated by itself (spec 5.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceError {
    pub step: String,
    pub message: String,
    pub at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Vec<u8>,
    version: Version,
    status: String,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    data: String,
}

impl Row {
    fn read(self, account: &AccountId, definition: DefinitionId) -> Result<Instance, StoreError> {
        Ok(Instance {
            id: read_id(&self.id)?,
            account: account.clone(),
            definition,
            version: self.version,
            status: InstanceStatus::parse(&self.status)
                .ok_or_else(|| StoreError::Damaged(format!("unknown instance status `{}`", self.status)))?,
            started_at: self.started_at,
            completed_at: self.completed_at,
            data: self.data,
        })
    }
}

/// A row of the log, finished or not: unfinished ones know their step by its position.
#[derive(sqlx::FromRow)]
struct LogRow {
    n: i32,
    name: Option<String>,
    step: Option<i32>,
    status: String,
    /// Its wait has ended, and the instance was suspended before anything came of it.
    held_after_wait: bool,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

/// A failed step; all null for an instance without one.
#[derive(sqlx::FromRow)]
struct ErrorRow {
    name: Option<String>,
    error: Option<String>,
    completed_at: Option<DateTime<Utc>>,
}

/// Newest first, by the index `instances_of_version`: $1 account, $2 definition, $3 version, $4 status, $5 from, $6 before,
/// $7 limit, $8 offset. A test pins the plan.
pub const LIST: &str = "
select i.id, octet_length(i.data)::bigint
from instances i
where uuid_hash_extended(i.definition_id, i.version) = uuid_hash_extended($2, $3)
  and i.account_id = $1 and i.definition_id = $2 and i.version = $3
  and ($4::text is null or i.status = $4)
  and ($5::timestamptz is null or i.started_at >= $5)
  and ($6::timestamptz is null or i.started_at < $6)
  and exists (
      select from definition_versions v
      where v.account_id = $1 and v.definition_id = $2 and v.version = $3 and v.deleted_at is null
  )
order by i.started_at desc, i.id desc
limit $7 offset $8";

impl Store {
    /// Newest first; `None`: there is no such definition.
    pub async fn list_instances(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        filter: InstanceFilter,
        page: Page,
    ) -> Result<Option<Vec<Listed<InstanceId>>>, StoreError> {
        let newest: Option<Version> = sqlx::query_scalar(
            "select newest_version
             from definitions
             where account_id = $1 and id = $2 and newest_version is not null",
        )
        .bind(account.as_str())
        .bind(definition)
        .fetch_optional(&self.pool)
        .await?;
        let Some(newest) = newest else { return Ok(None) };
        let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(LIST)
            .bind(account.as_str())
            .bind(definition)
            .bind(filter.version.unwrap_or(newest))
            .bind(filter.status.map(InstanceStatus::as_str))
            .bind(filter.started_from)
            .bind(filter.started_before)
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?;
        let listed = rows.into_iter().map(|(id, bytes)| Ok(Listed { key: read_id(&id)?, bytes }));
        listed.collect::<Result<_, StoreError>>().map(Some)
    }

    /// Those of the ids that there are under this definition, in the order of the list.
    pub async fn get_instances(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        ids: &[InstanceId],
    ) -> Result<Vec<Instance>, StoreError> {
        let bound = |id: Option<&InstanceId>| id.map(|id| id.as_bytes().to_vec());
        let rows: Vec<Row> = sqlx::query_as(
            "select i.id, i.version, i.status, i.started_at, i.completed_at, i.data
             from instances i
             join definition_versions v
                 on v.account_id = i.account_id and v.definition_id = i.definition_id and v.version = i.version
             where i.id = any($1) and i.id >= $2 and i.id <= $3
                 and i.account_id = $4 and i.definition_id = $5 and v.deleted_at is null
             order by i.started_at desc, i.id desc",
        )
        .bind(ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
        .bind(bound(ids.iter().min()))
        .bind(bound(ids.iter().max()))
        .bind(account.as_str())
        .bind(definition)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.read(account, definition)).collect()
    }

    /// `None`: there is none of this id under this definition.
    pub async fn get_instance(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        id: InstanceId,
    ) -> Result<Option<Instance>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select i.id, i.version, i.status, i.started_at, i.completed_at, i.data
             from instances i
             join definition_versions v
               on v.account_id = i.account_id and v.definition_id = i.definition_id and v.version = i.version
             where i.id = $1 and i.account_id = $2 and i.definition_id = $3 and v.deleted_at is null",
        )
        .bind(id.as_bytes().as_slice())
        .bind(account.as_str())
        .bind(definition)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| row.read(account, definition)).transpose()
    }

    /// In the order of execution; what was not started yet comes last.
    pub async fn instance_logs(&self, instance: &Instance) -> Result<Vec<LogEntry>, StoreError> {
        let rows = log_rows(&self.pool, instance.id).await?;
        let graph =
            if rows.iter().any(|row| row.name.is_none()) { Some(self.graph(instance).await?) } else { None };
        rows.into_iter()
            .map(|row| {
                let position = row.step.and_then(|step| usize::try_from(step).ok());
                let step = position.and_then(|position| graph.as_ref()?.steps.get(position));
                let written = step.map(|step| step.id.clone());
                let held = row.held_after_wait.then(|| step.map(status_while_parked)).flatten();
                Ok(LogEntry {
                    id: JobId::new(instance.id, row.n).as_uuid(),
                    step: row.name.or(written).ok_or_else(|| {
                        StoreError::Damaged(format!("job {} of instance {} has no step", row.n, instance.id))
                    })?,
                    status: held.map_or_else(|| parse_step_status(&row.status), Ok)?,
                    started_at: row.started_at,
                    completed_at: row.completed_at,
                })
            })
            .collect()
    }

    /// In the order they happened; `None`: there is no such instance.
    pub async fn instance_errors(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        id: InstanceId,
    ) -> Result<Option<Vec<InstanceError>>, StoreError> {
        // The outer join keeps one row for an instance without errors.
        let rows: Vec<ErrorRow> = sqlx::query_as(
            "select s.name, s.error, s.completed_at
             from instances i
             join definition_versions v
               on v.account_id = i.account_id and v.definition_id = i.definition_id and v.version = i.version
             left join steps s on s.instance_id = i.id and s.error is not null
             where i.id = $1 and i.account_id = $2 and i.definition_id = $3 and v.deleted_at is null
             order by s.completed_at, s.n",
        )
        .bind(id.as_bytes().as_slice())
        .bind(account.as_str())
        .bind(definition)
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let errors = rows.into_iter().filter_map(|row| {
            Some(InstanceError { step: row.name?, message: row.error?, at: row.completed_at? })
        });
        Ok(Some(errors.collect()))
    }

    async fn graph(&self, instance: &Instance) -> Result<Graph, StoreError> {
        let steps = self.load_version(&instance.account, instance.definition, instance.version).await?;
        let steps =
            steps.ok_or_else(|| StoreError::Damaged("an instance's version is missing".to_owned()))?;
        let steps = serde_json::from_str(&steps).map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok(Graph::new(&steps))
    }
}

/// One statement, so that a job that finishes meanwhile is neither lost nor seen twice.
async fn log_rows(executor: impl PgExecutor<'_>, instance: InstanceId) -> Result<Vec<LogRow>, StoreError> {
    Ok(sqlx::query_as(
        "select n, name, null::int as step, status, false as held_after_wait, started_at, completed_at
         from steps
         where instance_id = $1
         union all
         select n, null, step,
                case when worker is null and started_at is null then 'Pending' else 'Running' end,
                worker is null and held and coalesce(resume, '\"interrupted\"') <> '\"interrupted\"',
                case when worker is null then started_at else coalesce(started_at, ready_at) end,
                null
         from jobs
         where instance_id = $1
         union all
         select n, null, step,
                case
                    when kind = 'timer' then 'Sleeping'
                    when key is not null then 'WaitingForEvent'
                    else 'Running'
                end,
                false,
                started_at,
                null
         from waits
         where instance_id = $1
         order by started_at nulls last, n",
    )
    .bind(instance.as_bytes().as_slice())
    .fetch_all(executor)
    .await?)
}

/// What the log showed of the step before its wait ended: in a suspended instance nothing has run since.
fn status_while_parked(step: &Step) -> StepStatus {
    match step.step_type {
        StepType::Wait => StepStatus::Sleeping,
        StepType::WaitForReply
        | StepType::WaitForDtmf
        | StepType::WaitForReceipt
        | StepType::WaitForStatus
        | StepType::Failover => StepStatus::WaitingForEvent,
        _ => StepStatus::Running,
    }
}

fn parse_step_status(text: &str) -> Result<StepStatus, StoreError> {
    use StepStatus::{Cancelled, Complete, Failed, Pending, Running, Sleeping, WaitingForEvent};
    [Pending, Running, Complete, Sleeping, WaitingForEvent, Failed, Cancelled]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| StoreError::Damaged(format!("unknown step status `{text}`")))
}
