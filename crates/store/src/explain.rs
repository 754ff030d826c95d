//! One instance as those who are asked about it see it: what every step did, and what keeps each unfinished one.
//!
//! Everything is read in one snapshot, so that a step which ends meanwhile is neither lost nor seen twice.

mod blocked_on;

use chrono::{DateTime, Utc};
use trunkline_workflow::step::StepType;
use trunkline_workflow::{AccountId, DefinitionId, Graph, InstanceId, InstanceStatus, JobId, Version};
use uuid::Uuid;

use crate::connect::BEGIN_SNAPSHOT;
use crate::definitions::{STEPS, VersionId};
use crate::waits::read_id;
use crate::{PgConnection, Store, StoreError};

pub use blocked_on::{BlockedOn, SuspendedBy};
use blocked_on::{JobRow, WaitRow, of_job, of_wait};

/// An instance and its steps.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub id: InstanceId,
    pub definition: DefinitionId,
    pub definition_name: String,
    pub version: Version,
    pub status: InstanceStatus,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    /// The context, as JSON text.
    pub data: String,
    pub events: Vec<UsedEvent>,
    /// In the order of execution; what was not started yet comes last.
    pub steps: Vec<ExplainedStep>,
    /// Workflows of the Workflows API that its steps started, or that it is.
    pub dispatches: Vec<Uuid>,
    /// The instance that it runs again.
    pub origin: Option<RerunLink>,
    /// Instances that run it again, the oldest first.
    pub reruns: Vec<RerunLink>,
}

/// The other end of a re-run.
#[derive(Debug, Clone)]
pub struct RerunLink {
    pub instance: InstanceId,
    /// The workflow of the Workflows API that it is.
    pub dispatch: Option<Uuid>,
    /// From where and on which version, as JSON text.
    pub choice: String,
    pub at: DateTime<Utc>,
}

/// What came in from outside and started the instance, or ended a wait of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UsedEvent {
    pub id: i64,
    pub trigger: Option<String>,
    pub state: Option<String>,
    pub received_at: DateTime<Utc>,
    pub started: bool,
}

/// One execution of one step.
#[derive(Debug, Clone)]
pub struct ExplainedStep {
    /// Of every attempt: also the idempotency key of what it sends.
    pub id: Uuid,
    pub step: String,
    /// `None` where the definition cannot be read any more.
    pub step_type: Option<StepType>,
    /// In the log's words.
    pub status: String,
    /// Tries so far.
    pub attempts: i32,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    /// What the activity returned, as JSON text.
    pub result: Option<String>,
    pub error: Option<String>,
    pub messages: Vec<SentMessage>,
    /// Of an unfinished step why it is unfinished.
    pub blocked_on: Option<BlockedOn>,
}

/// A message or call of a step, and what became of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SentMessage {
    n: i32,
    #[sqlx(rename = "umid")]
    pub id: String,
    pub channel: Option<String>,
    pub state: String,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub changed_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct InstanceRow {
    definition_id: DefinitionId,
    name: String,
    version: Version,
    status: String,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    data: String,
    steps: String,
}

#[derive(sqlx::FromRow)]
struct FinishedRow {
    n: i32,
    name: String,
    status: String,
    attempt: i32,
    started_at: Option<DateTime<Utc>>,
    completed_at: DateTime<Utc>,
    result: Option<String>,
    error: Option<String>,
}

impl Store {
    /// `None`: the account has no such instance.
    pub async fn explain(
        &self,
        account: &AccountId,
        id: InstanceId,
    ) -> Result<Option<Explanation>, StoreError> {
        let unlocked = self.keys().await?;
        let mut snapshot = self.begin_with(BEGIN_SNAPSHOT).await?;
        let Some(row) = read_instance(&mut snapshot, account, id).await? else { return Ok(None) };
        let version = VersionId::new(account, row.definition_id, row.version);
        // Whoever asks wants to know all the more when the definition cannot be read.
        let steps = unlocked.unseal_or_plain(version.place(STEPS), &row.steps).ok();
        let steps = steps.and_then(|steps| serde_json::from_str(&steps).ok()).unwrap_or_default();
        let graph = Graph::new(&steps);
        let mut messages = read_messages(&mut snapshot, account, id).await?;
        let mut explained: Vec<(i32, ExplainedStep)> = Vec::new();
        for row in read_finished(&mut snapshot, id).await? {
            explained.push((row.n, finished(id, row, &graph)));
        }
        let (instance, definition) = (id.to_string(), row.definition_id.to_string());
        let suspended = SuspendedBy::read(&mut snapshot, account, "instance.suspend", &instance).await?;
        for row in JobRow::read(&mut snapshot, id, &graph).await? {
            explained.push((row.n, of_job(id, &row, &graph, suspended.as_ref())));
        }
        let paused = SuspendedBy::read(&mut snapshot, account, "definition.pause", &definition).await?;
        for row in WaitRow::read(&mut snapshot, id).await? {
            explained.push((row.n, of_wait(id, &row, &graph, paused.as_ref())));
        }
        // Not started yet comes last.
        explained.sort_by_key(|(n, step)| (step.started_at.is_none(), step.started_at, *n));
        for (n, step) in &mut explained {
            let (own, others) = messages.into_iter().partition(|message: &SentMessage| message.n == *n);
            (step.messages, messages) = (own, others);
        }
        let explanation = Explanation {
            id,
            definition: row.definition_id,
            definition_name: row.name,
            version: row.version,
            status: InstanceStatus::parse(&row.status)
                .ok_or_else(|| StoreError::Damaged(row.status.clone()))?,
            started_at: row.started_at,
            completed_at: row.completed_at,
            data: row.data,
            events: read_events(&mut snapshot, id).await?,
            steps: explained.into_iter().map(|(_, step)| step).collect(),
            dispatches: read_dispatches(&mut snapshot, id).await?,
            origin: read_links(&mut snapshot, "origin", "instance_id", id).await?.pop(),
            reruns: read_links(&mut snapshot, "instance_id", "origin", id).await?,
        };
        snapshot.rollback().await?;
        Ok(Some(explanation))
    }
}

fn finished(id: InstanceId, row: FinishedRow, graph: &Graph) -> ExplainedStep {
    let step_type = graph.steps.iter().find(|step| step.id == row.name).map(|step| step.step_type);
    ExplainedStep {
        id: JobId::new(id, row.n).as_uuid(),
        step: row.name,
        step_type,
        status: row.status,
        attempts: row.attempt.max(1),
        started_at: row.started_at,
        completed_at: Some(row.completed_at),
        result: row.result,
        error: row.error,
        messages: Vec::new(),
        blocked_on: None,
    }
}

async fn read_instance(
    connection: &mut PgConnection,
    account: &AccountId,
    id: InstanceId,
) -> Result<Option<InstanceRow>, StoreError> {
    Ok(sqlx::query_as(
        "select i.definition_id, v.name, i.version, i.status, i.started_at, i.completed_at, i.data, v.steps
         from instances i
         join definition_versions v on v.account_id = i.account_id and v.definition_id = i.definition_id
             and v.version = i.version and v.deleted_at is null
         where i.id = $1 and i.account_id = $2",
    )
    .bind(id.as_bytes().as_slice())
    .bind(account.as_str())
    .fetch_optional(connection)
    .await?)
}

async fn read_finished(
    connection: &mut PgConnection,
    id: InstanceId,
) -> Result<Vec<FinishedRow>, StoreError> {
    Ok(sqlx::query_as(
        "select n, name, status, attempt, started_at, completed_at, result, error
         from steps
         where instance_id = $1",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?)
}

async fn read_messages(
    connection: &mut PgConnection,
    account: &AccountId,
    id: InstanceId,
) -> Result<Vec<SentMessage>, StoreError> {
    Ok(sqlx::query_as(
        "select n, umid, channel, state, error_code, error_message, changed_at
         from messages
         where instance_id = $1 and account_id = $2
         order by n, umid",
    )
    .bind(id.as_bytes().as_slice())
    .bind(account.as_str())
    .fetch_all(connection)
    .await?)
}

async fn read_events(connection: &mut PgConnection, id: InstanceId) -> Result<Vec<UsedEvent>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.trigger, e.state, e.received_at, u.started
         from event_uses u
         join events e on e.id = u.event_id
         where u.instance_id = $1
         order by e.id",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?)
}

async fn read_dispatches(connection: &mut PgConnection, id: InstanceId) -> Result<Vec<Uuid>, StoreError> {
    Ok(sqlx::query_scalar(
        "select id
         from dispatches
         where parent = $1 or instance_id = $1
         order by created_at, id",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?)
}

/// The column `other` of the links whose column `this` is the instance.
pub(crate) async fn read_links(
    connection: &mut PgConnection,
    other: &str,
    this: &str,
    id: InstanceId,
) -> Result<Vec<RerunLink>, StoreError> {
    type Link = (Vec<u8>, Option<Uuid>, String, DateTime<Utc>);
    let rows: Vec<Link> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select r.{other}, d.id, r.choice, r.created_at
         from reruns r
         left join dispatches d on d.instance_id = r.{other}
         where r.{this} = $1
         order by r.created_at, r.instance_id"
    )))
    .bind(id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    let link =
        |(id, dispatch, choice, at): Link| Ok(RerunLink { instance: read_id(&id)?, dispatch, choice, at });
    rows.into_iter().map(link).collect()
}
