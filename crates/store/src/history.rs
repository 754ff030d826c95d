//! Everything that happened to one instance, in the order in which it was written down: what came in, what its steps
//! tried, what became of what they sent, and what people did to it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use trunkline_workflow::step::StepType;
use trunkline_workflow::{AccountId, DefinitionId, Graph, InstanceId, JobId, Version};
use uuid::Uuid;

use crate::audit::AuditEntry;
use crate::connect::BEGIN_SNAPSHOT;
use crate::definitions::{STEPS, VersionId};
use crate::explain::UsedEvent;
use crate::{PgConnection, Store, StoreError};

/// A part of the history.
#[derive(Debug)]
pub struct HistoryPage {
    pub entries: Vec<HistoryEntry>,
    /// `None`: there is no more, yet.
    pub next: Option<HistoryMark>,
}

/// The place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryMark {
    pub at: DateTime<Utc>,
    pub kind: i16,
    pub id: i64,
}

#[derive(Debug)]
pub struct HistoryEntry {
    /// When it was over.
    pub at: DateTime<Utc>,
    pub what: Happened,
}

#[derive(Debug)]
pub enum Happened {
    /// Started the instance, or ended a wait of it.
    Event(UsedEvent),
    Attempt(PastAttempt),
    /// Of which no attempt tells: it went well, and reached nobody.
    Step(PastStep),
    Receipt(PastReceipt),
    Action(AuditEntry),
}

#[derive(Debug)]
pub struct PastAttempt {
    /// Of the job: every attempt of it has the same.
    pub job: Uuid,
    /// `None` where the definition cannot be read any more.
    pub step: Option<(String, StepType)>,
    pub attempt: i32,
    pub worker: Option<String>,
    pub outcome: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub error: Option<String>,
    pub message_id: Option<String>,
    /// JSON.
    pub detail: Option<String>,
}

#[derive(Debug)]
pub struct PastStep {
    pub job: Uuid,
    pub step: String,
    pub step_type: Option<StepType>,
    /// In the log's words.
    pub status: String,
    pub attempts: i32,
    pub started_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// A state that was told of a message or call.
#[derive(Debug)]
pub struct PastReceipt {
    /// That sent it.
    pub job: Uuid,
    pub message_id: String,
    pub channel: Option<String>,
    pub state: String,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    /// As the provider says.
    pub changed_at: DateTime<Utc>,
}

const EVENT: i16 = 1;
const ATTEMPT: i16 = 2;
const STEP: i16 = 3;
const RECEIPT: i16 = 4;
const ACTION: i16 = 5;

impl Store {
    /// What stands behind `after`, the oldest first; `None`: the account has no such instance. What is added meanwhile
    /// is added at the end.
    pub async fn history(
        &self,
        account: &AccountId,
        id: InstanceId,
        after: Option<HistoryMark>,
        limit: i64,
    ) -> Result<Option<HistoryPage>, StoreError> {
        let unlocked = self.keys().await?;
        let mut snapshot = self.begin_with(BEGIN_SNAPSHOT).await?;
        let row: Option<(DefinitionId, Version, String)> = sqlx::query_as(
            "select i.definition_id, i.version, v.steps
             from instances i
             join definition_versions v on v.account_id = i.account_id and v.definition_id = i.definition_id
                 and v.version = i.version and v.deleted_at is null
             where i.id = $1 and i.account_id = $2",
        )
        .bind(id.as_bytes().as_slice())
        .bind(account.as_str())
        .fetch_optional(&mut *snapshot)
        .await?;
        let Some((definition, version, steps)) = row else { return Ok(None) };
        let version = VersionId::new(account, definition, version);
        let steps = unlocked.unseal_or_plain(version.place(STEPS), &steps).ok();
        let steps = steps.and_then(|steps| serde_json::from_str(&steps).ok()).unwrap_or_default();
        let graph = Graph::new(&steps);

        // One more, to know whether there is a next page.
        let mut marks = read_marks(&mut snapshot, account, id, after, limit + 1).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = marks.len() <= page;
        marks.truncate(page);
        let of = |kind: i16| -> Vec<i64> {
            marks.iter().filter(|mark| mark.kind == kind).map(|mark| mark.id).collect()
        };
        let mut found: HashMap<(i16, i64), Happened> = HashMap::with_capacity(marks.len());
        for event in read_events(&mut snapshot, id, &of(EVENT)).await? {
            found.insert((EVENT, event.id), Happened::Event(event));
        }
        for row in read_attempts(&mut snapshot, id, &of(ATTEMPT)).await? {
            found.insert((ATTEMPT, row.id), Happened::Attempt(row.attempt(id, &graph)));
        }
        for row in read_steps(&mut snapshot, id, &of(STEP)).await? {
            found.insert((STEP, row.n.into()), Happened::Step(row.step(id, &graph)));
        }
        for row in read_receipts(&mut snapshot, account, id, &of(RECEIPT)).await? {
            found.insert((RECEIPT, row.id), Happened::Receipt(row.receipt(id)));
        }
        for entry in read_actions(&mut snapshot, account, &of(ACTION)).await? {
            found.insert((ACTION, entry.id), Happened::Action(entry));
        }
        snapshot.rollback().await?;
        let next = if is_last { None } else { marks.last().copied() };
        let entry = |mark: HistoryMark| {
            Some(HistoryEntry { at: mark.at, what: found.remove(&(mark.kind, mark.id))? })
        };
        Ok(Some(HistoryPage { entries: marks.into_iter().filter_map(entry).collect(), next }))
    }
}

/// The places of what there is. A job whose last attempt tells how it ended has no entry of its own.
async fn read_marks(
    connection: &mut PgConnection,
    account: &AccountId,
    id: InstanceId,
    after: Option<HistoryMark>,
    limit: i64,
) -> Result<Vec<HistoryMark>, StoreError> {
    let after = after.unwrap_or(HistoryMark { at: DateTime::UNIX_EPOCH, kind: 0, id: 0 });
    let marks: Vec<(DateTime<Utc>, i16, i64)> = sqlx::query_as(
        "select at, kind, id
         from (
             select e.received_at as at, 1::smallint as kind, e.id
             from event_uses u
             join events e on e.id = u.event_id
             where u.instance_id = $1
             union all
             select ended_at, 2::smallint, id
             from attempts
             where instance_id = $1
             union all
             select s.completed_at, 3::smallint, s.n::bigint
             from steps s
             where s.instance_id = $1
                 and s.n not in (
                     select a.n from attempts a
                     where a.instance_id = $1 and a.outcome in ('completed', 'failed')
                 )
             union all
             select t.received_at, 4::smallint, t.id
             from messages m
             join message_states t on t.account_id = m.account_id and t.umid = m.umid
             where m.instance_id = $1 and m.account_id = $2
             union all
             select at, 5::smallint, id
             from audit
             where account_id = $2 and object = $3
         ) as history
         where (at, kind, id) > ($4, $5, $6)
         order by at, kind, id
         limit $7",
    )
    .bind(id.as_bytes().as_slice())
    .bind(account.as_str())
    .bind(id.to_string())
    .bind(after.at)
    .bind(after.kind)
    .bind(after.id)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(marks.into_iter().map(|(at, kind, id)| HistoryMark { at, kind, id }).collect())
}

async fn read_events(
    connection: &mut PgConnection,
    id: InstanceId,
    ids: &[i64],
) -> Result<Vec<UsedEvent>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.trigger, e.state, e.received_at, u.started
         from event_uses u
         join events e on e.id = u.event_id
         where u.instance_id = $1 and e.id = any($2)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(ids)
    .fetch_all(connection)
    .await?)
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    id: i64,
    n: i32,
    attempt: i32,
    step: i32,
    worker: Option<String>,
    outcome: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    error: Option<String>,
    message_id: Option<String>,
    detail: Option<String>,
}

impl AttemptRow {
    fn attempt(self, id: InstanceId, graph: &Graph) -> PastAttempt {
        let step = usize::try_from(self.step).ok().and_then(|step| graph.steps.get(step));
        PastAttempt {
            job: JobId::new(id, self.n).as_uuid(),
            step: step.map(|step| (step.id.clone(), step.step_type)),
            attempt: self.attempt,
            worker: self.worker,
            outcome: self.outcome,
            started_at: self.started_at,
            ended_at: self.ended_at,
            error: self.error,
            message_id: self.message_id,
            detail: self.detail,
        }
    }
}

async fn read_attempts(
    connection: &mut PgConnection,
    id: InstanceId,
    ids: &[i64],
) -> Result<Vec<AttemptRow>, StoreError> {
    Ok(sqlx::query_as(
        "select id, n, attempt, step, worker, outcome, started_at, ended_at, error, message_id, detail
         from attempts
         where instance_id = $1 and id = any($2)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(ids)
    .fetch_all(connection)
    .await?)
}

#[derive(sqlx::FromRow)]
struct StepRow {
    n: i32,
    name: String,
    status: String,
    attempt: i32,
    started_at: Option<DateTime<Utc>>,
    error: Option<String>,
}

impl StepRow {
    fn step(self, id: InstanceId, graph: &Graph) -> PastStep {
        let step_type = graph.steps.iter().find(|step| step.id == self.name).map(|step| step.step_type);
        PastStep {
            job: JobId::new(id, self.n).as_uuid(),
            step: self.name,
            step_type,
            status: self.status,
            attempts: self.attempt.max(1),
            started_at: self.started_at,
            error: self.error,
        }
    }
}

async fn read_steps(
    connection: &mut PgConnection,
    id: InstanceId,
    ids: &[i64],
) -> Result<Vec<StepRow>, StoreError> {
    Ok(sqlx::query_as(
        "select n, name, status, attempt, started_at, error
         from steps
         where instance_id = $1 and n = any($2::bigint[]::int[])",
    )
    .bind(id.as_bytes().as_slice())
    .bind(ids)
    .fetch_all(connection)
    .await?)
}

#[derive(sqlx::FromRow)]
struct ReceiptRow {
    id: i64,
    n: i32,
    umid: String,
    channel: Option<String>,
    state: String,
    error_code: Option<i32>,
    error_message: Option<String>,
    changed_at: DateTime<Utc>,
}

impl ReceiptRow {
    fn receipt(self, id: InstanceId) -> PastReceipt {
        PastReceipt {
            job: JobId::new(id, self.n).as_uuid(),
            message_id: self.umid,
            channel: self.channel,
            state: self.state,
            error_code: self.error_code,
            error_message: self.error_message,
            changed_at: self.changed_at,
        }
    }
}

async fn read_receipts(
    connection: &mut PgConnection,
    account: &AccountId,
    id: InstanceId,
    ids: &[i64],
) -> Result<Vec<ReceiptRow>, StoreError> {
    Ok(sqlx::query_as(
        "select t.id, m.n, m.umid, m.channel, t.state, t.error_code, t.error_message, t.changed_at
         from messages m
         join message_states t on t.account_id = m.account_id and t.umid = m.umid
         where m.instance_id = $1 and m.account_id = $2 and t.id = any($3)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(account.as_str())
    .bind(ids)
    .fetch_all(connection)
    .await?)
}

async fn read_actions(
    connection: &mut PgConnection,
    account: &AccountId,
    ids: &[i64],
) -> Result<Vec<AuditEntry>, StoreError> {
    Ok(sqlx::query_as(
        "select id, at, actor_kind, actor_id, actor_name, action, object, reason, detail
         from audit
         where account_id = $1 and id = any($2)",
    )
    .bind(account.as_str())
    .bind(ids)
    .fetch_all(connection)
    .await?)
}
