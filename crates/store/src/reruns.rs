//! Running an ended instance again: a new instance, linked to its origin.
//!
//! The origin is only read: what has ended does not change any more, so nothing of it needs a lock. Who runs it again
//! takes turns with others who do, so that a batch that skips what was run again before sees it.

mod of_dispatch;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use trunkline_workflow::graph::Step;
use trunkline_workflow::rerun::{
    Beginning, BeginningPlace, Choice, Logged, OnVersion, Origin, Refusal, StartAt, Target, has_written,
    rerun,
};
use trunkline_workflow::{AccountId, DefinitionId, Graph, InstanceId, InstanceStatus, StepStatus, Version};
use uuid::Uuid;

use crate::audit::{self, By};
use crate::definitions::{STEPS, VersionId};
use crate::dispatches;
use crate::sealing::Unlocked;
use crate::starts::{self, IdempotencyKey, StartedOnce, trace_of_start};
use crate::transitions::as_int;
use crate::waits::{Resume, read_id};
use crate::{PgConnection, Store, StoreError, usage};
use of_dispatch::Successor;

/// What became of the wish to run an instance again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rerun {
    /// Or the same request started it before.
    Started {
        instance: InstanceId,
        definition: DefinitionId,
        /// The workflow of the Workflows API that it is.
        dispatch: Option<Uuid>,
    },
    NotFound,
    Refused(Refusal),
    /// The account has started what it may in this month.
    QuotaUsedUp,
    /// The idempotency key was used with another request.
    KeyReused,
}

/// Stands in `instances.started_data` of those that were started before it was kept.
const UNKNOWN: &str = "";

impl Store {
    /// Starts a new instance that does what `origin` did not, or all of it again.
    pub async fn rerun(
        &self,
        account: &AccountId,
        origin: InstanceId,
        choice: &Choice,
        key: Option<&IdempotencyKey>,
        by: &By,
    ) -> Result<Rerun, StoreError> {
        let unlocked = self.keys().await?;
        let new = starts::new_id();
        let mut transaction = self.begin().await?;
        lock_origin(&mut transaction, origin).await?;
        if let Some(key) = key {
            match starts::answer_or_note(&mut transaction, key, &[new]).await? {
                None => {}
                Some(StartedOnce::Mismatch) => return Ok(Rerun::KeyReused),
                Some(StartedOnce::Started(ids) | StartedOnce::Repeated(ids)) => {
                    return find_started(&mut transaction, account, &ids).await;
                }
            }
        }
        let wish = Wish { account, origin, new, choice, by, batch: None };
        let answer = rerun_within(&mut transaction, unlocked, &wish).await?;
        if matches!(answer, Rerun::Started { .. }) {
            transaction.commit().await?;
            self.wake.hint();
        }
        Ok(answer)
    }
}

/// Who wants which instance to be run again, and how.
pub(crate) struct Wish<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) origin: InstanceId,
    /// The id of the new instance.
    pub(crate) new: InstanceId,
    pub(crate) choice: &'a Choice,
    pub(crate) by: &'a By,
    /// The batch that this is a part of.
    pub(crate) batch: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct OriginRow {
    definition_id: DefinitionId,
    version: Version,
    status: String,
    completed_at: Option<DateTime<Utc>>,
    data: String,
    started_data: Option<String>,
    /// Of a re-run: its paths that began behind bodies.
    behind: Option<Vec<i32>>,
    steps: String,
    draining: bool,
}

/// Until the end of the transaction nobody else runs it again: who comes second sees what the first did. A statement of
/// its own, so that the next one does.
pub(crate) async fn lock_origin(connection: &mut PgConnection, origin: InstanceId) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('rerun:' || $1::text, 0))")
        .bind(origin.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes nothing unless it answers `Started`; locks nothing that others want but the account's count, last.
pub(crate) async fn rerun_within(
    connection: &mut PgConnection,
    unlocked: Unlocked<'_>,
    wish: &Wish<'_>,
) -> Result<Rerun, StoreError> {
    let Some(row) = find_origin(&mut *connection, wish).await? else { return Ok(Rerun::NotFound) };
    let status = InstanceStatus::parse(&row.status).ok_or_else(|| StoreError::Damaged(row.status.clone()))?;
    let Some(ended_at) = row.completed_at else { return Ok(Rerun::Refused(Refusal::NotEnded(status))) };
    if row.draining {
        return Ok(Rerun::Refused(Refusal::Draining));
    }
    let plan = match plan(&mut *connection, unlocked, wish, &row, ended_at).await? {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Rerun::Refused(refusal)),
    };
    if usage::remaining(&mut *connection, wish.account).await?.is_some_and(|left| left <= 0) {
        return Ok(Rerun::QuotaUsedUp);
    }
    write(&mut *connection, wish, row.definition_id, &plan).await?;
    let mut detail = json!({
        "from": wish.choice.from.to_value(),
        "version": plan.version,
        "instance": wish.new.to_string(),
    });
    if let Some(batch) = wish.batch {
        detail["batch"] = json!(batch);
    }
    if let Some(dispatch) = &plan.dispatch {
        of_dispatch::write(&mut *connection, wish, dispatch).await?;
        detail["dispatch"] = json!(dispatch.link.id);
    }
    let origin = wish.origin.to_string();
    audit::note(&mut *connection, wish.account, wish.by, "instance.rerun", &origin, Some(&detail)).await?;
    starts::count_one(connection, wish.account).await?;
    let dispatch = plan.dispatch.map(|dispatch| dispatch.link.id);
    Ok(Rerun::Started { instance: wish.new, definition: row.definition_id, dispatch })
}

/// What is to be written.
struct Plan {
    version: Version,
    context: Contexts,
    beginnings: Vec<Beginning>,
    dispatch: Option<Successor>,
}

async fn plan(
    connection: &mut PgConnection,
    unlocked: Unlocked<'_>,
    wish: &Wish<'_>,
    row: &OriginRow,
    ended_at: DateTime<Utc>,
) -> Result<Result<Plan, Refusal>, StoreError> {
    let is_dispatch = row.definition_id == dispatches::DEFINITION;
    // Nobody checks what stands in the context of those: that was done when they were asked for.
    if dispatches::is_own(row.definition_id) && !wish.choice.context.is_empty() {
        return Ok(Err(Refusal::Unchecked));
    }
    if let Some(child) = dispatches::live_children(&mut *connection, wish.origin).await?.first() {
        return Ok(Err(Refusal::LiveChild(*child)));
    }
    let graph = read_graph(unlocked, wish.account, (row.definition_id, row.version), &row.steps)?;
    let other = match find_version(&mut *connection, unlocked, wish, row).await? {
        Ok(other) => other,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let may_have_written = row.started_data.is_none() && graph.steps.iter().any(Step::writes);
    let log = match wish.choice.from {
        StartAt::Start | StartAt::Step(_) | StartAt::Message(_) if !may_have_written => Vec::new(),
        _ => read_log(&mut *connection, wish.origin).await?,
    };
    let target = match &other {
        Some((version, graph)) => Target { graph, version: *version, is_same: false },
        None => Target { graph: &graph, version: row.version, is_same: true },
    };
    let (context, dispatch, from) = if is_dispatch {
        match of_dispatch::succeed(&mut *connection, wish, row, &log).await? {
            Ok((context, successor)) => (context, Some(successor), &StartAt::Start),
            Err(refusal) => return Ok(Err(refusal)),
        }
    } else {
        match context(row, &graph, &log, wish.choice)? {
            Ok(context) => (context, None, &wish.choice.from),
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
    let behind = row.behind.as_deref().unwrap_or_default();
    let origin = Origin { graph: &graph, log: &log, behind, ended_at };
    let version = target.version;
    Ok(rerun(&origin, row.version, &target, from).map(|beginnings| Plan {
        version,
        context,
        beginnings,
        dispatch,
    }))
}

/// What the same request started before. It may be gone by now, and was started all the same.
async fn find_started(
    connection: &mut PgConnection,
    account: &AccountId,
    ids: &[InstanceId],
) -> Result<Rerun, StoreError> {
    let found: Option<(Vec<u8>, DefinitionId, Option<Uuid>)> = sqlx::query_as(
        "select i.id, i.definition_id, d.id
         from instances i
         left join dispatches d on d.instance_id = i.id
         where i.id = any($1) and i.account_id = $2",
    )
    .bind(ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .bind(account.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(match found {
        Some((id, definition, dispatch)) => Rerun::Started { instance: read_id(&id)?, definition, dispatch },
        None => Rerun::NotFound,
    })
}

async fn find_origin(
    connection: &mut PgConnection,
    wish: &Wish<'_>,
) -> Result<Option<OriginRow>, StoreError> {
    Ok(sqlx::query_as(
        "select i.definition_id, i.version, i.status, i.completed_at, i.data, i.started_data, r.behind, v.steps,
             exists (
                 select from definition_states s
                 where s.account_id = i.account_id and s.definition_id = i.definition_id
                     and s.state = 'draining'
             ) as draining
         from instances i
         join definition_versions v on v.account_id = i.account_id and v.definition_id = i.definition_id
             and v.version = i.version and v.deleted_at is null
         left join reruns r on r.instance_id = i.id
         where i.id = $1 and i.account_id = $2",
    )
    .bind(wish.origin.as_bytes().as_slice())
    .bind(wish.account.as_str())
    .fetch_optional(connection)
    .await?)
}

/// The version to run on, if it is another one than the origin's.
async fn find_version(
    connection: &mut PgConnection,
    unlocked: Unlocked<'_>,
    wish: &Wish<'_>,
    row: &OriginRow,
) -> Result<Result<Option<(Version, Graph)>, Refusal>, StoreError> {
    let number = match wish.choice.version {
        OnVersion::Same => return Ok(Ok(None)),
        OnVersion::Number(number) if number == row.version => return Ok(Ok(None)),
        OnVersion::Number(number) => Some(number),
        OnVersion::Newest => None,
    };
    let found: Option<(Version, String)> = sqlx::query_as(
        "select version, steps
         from definition_versions
         where account_id = $1 and definition_id = $2 and deleted_at is null
             and case when $3::int is null then newest else version = $3 end",
    )
    .bind(wish.account.as_str())
    .bind(row.definition_id)
    .bind(number)
    .fetch_optional(connection)
    .await?;
    let Some((version, steps)) = found else {
        return Ok(Err(Refusal::NoSuchVersion(number.unwrap_or(row.version))));
    };
    if version == row.version {
        return Ok(Ok(None));
    }
    let graph = read_graph(unlocked, wish.account, (row.definition_id, version), &steps)?;
    Ok(Ok(Some((version, graph))))
}

fn read_graph(
    unlocked: Unlocked<'_>,
    account: &AccountId,
    (definition, version): (DefinitionId, Version),
    steps: &str,
) -> Result<Graph, StoreError> {
    let id = VersionId::new(account, definition, version);
    let steps = unlocked.unseal_or_plain(id.place(STEPS), steps)?;
    let steps = serde_json::from_str(&steps).map_err(|error| StoreError::Damaged(error.to_string()))?;
    Ok(Graph::new(&steps))
}

/// The contexts of the new instance as JSON texts: the one that it begins with, and if that is not the one that the
/// whole was started with, that one.
struct Contexts {
    data: String,
    started_data: Option<String>,
}

fn context(
    row: &OriginRow,
    graph: &Graph,
    log: &[Logged],
    choice: &Choice,
) -> Result<Result<Contexts, Refusal>, StoreError> {
    let started = match row.started_data.as_deref() {
        // A worker of before this column changed the context and kept nothing.
        None => (!has_written(graph, log)).then_some(&row.data),
        Some(UNKNOWN) => (!graph.steps.iter().any(Step::writes)).then_some(&row.data),
        Some(_) => row.started_data.as_ref(),
    };
    let (data, started_data) = match (&choice.from, started) {
        (StartAt::Start, None) => return Ok(Err(Refusal::StartUnknown)),
        (StartAt::Start, Some(started)) => (started, None),
        (_, Some(started)) => (&row.data, Some(started.clone())),
        (_, None) => (&row.data, Some(UNKNOWN.to_owned())),
    };
    let data = if choice.context.is_empty() {
        data.clone()
    } else {
        let read: Map<String, Value> =
            serde_json::from_str(data).map_err(|error| StoreError::Damaged(error.to_string()))?;
        match choice.edit(read) {
            Ok(edited) => Value::Object(edited).to_string(),
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
    let started_data = started_data.filter(|started| *started != data);
    Ok(Ok(Contexts { data, started_data }))
}

#[derive(sqlx::FromRow)]
struct LogRow {
    n: i32,
    name: String,
    status: String,
    is_started: bool,
    completed_at: DateTime<Utc>,
    error: Option<String>,
}

async fn read_log(connection: &mut PgConnection, id: InstanceId) -> Result<Vec<Logged>, StoreError> {
    let rows: Vec<LogRow> = sqlx::query_as(
        "select n, name, status, started_at is not null as is_started, completed_at, error
         from steps
         where instance_id = $1
         order by n",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    let logged = |row: LogRow| {
        let LogRow { n, name, status, is_started, completed_at, error } = row;
        let status = [StepStatus::Complete, StepStatus::Failed, StepStatus::Cancelled]
            .into_iter()
            .find(|known| known.as_str() == status)
            .ok_or(StoreError::Damaged(status))?;
        Ok(Logged { n, name, status, is_started, completed_at, error })
    };
    rows.into_iter().map(logged).collect()
}

/// The new instance, its paths, and whose place it takes.
async fn write(
    connection: &mut PgConnection,
    wish: &Wish<'_>,
    definition: DefinitionId,
    plan: &Plan,
) -> Result<(), StoreError> {
    let Plan { version, context, beginnings, .. } = plan;
    let choice = json!({"from": wish.choice.from.to_value(), "version": wish.choice.version.to_value()});
    let is_behind = |b: &Beginning| matches!(b.place, BeginningPlace::BehindBodies { .. });
    let behind: Vec<i32> = beginnings.iter().filter(|b| is_behind(b)).map(|b| b.path).collect();
    let is_queued = |b: &Beginning| {
        matches!(b.place, BeginningPlace::Queued | BeginningPlace::BehindBodies { queued: true })
    };
    sqlx::query(
        "with path as (
             select *
             from unnest($9::int[], $10::int[], $11::int[], $12::bool[], $13::bool[], $14::text[])
                 as t (path, step, scope, is_open, queued, resume)
         ), started as (
             insert into instances (id, account_id, definition_id, version, status, issued, data, started_data,
                 trace)
             values ($1, $2, $3, $4, 'Runnable', $5, $6, $7, $18)
         ), opened as (
             insert into waits (instance_id, path, account_id, n, step, scope, issued, attempt, kind,
                 started_at)
             select $1, path, $2, path, step, scope, $5, 1, 'body', now()
             from path
             where is_open
         ), linked as (
             insert into reruns (instance_id, account_id, origin, choice, batch_id, behind)
             values ($1, $2, $8, $15, $16, $17)
         )
         insert into jobs (instance_id, path, account_id, n, step, scope, issued, alone, queued, resume)
         select $1, path, $2, path, step, scope, $5, $5 = 1, queued, resume
         from path
         where not is_open",
    )
    .bind(wish.new.as_bytes().as_slice())
    .bind(wish.account.as_str())
    .bind(definition)
    .bind(version)
    .bind(as_int(beginnings.len()))
    .bind(&context.data)
    .bind(&context.started_data)
    .bind(wish.origin.as_bytes().as_slice())
    .bind(beginnings.iter().map(|b| b.path).collect::<Vec<_>>())
    .bind(beginnings.iter().map(|b| as_int(b.step)).collect::<Vec<_>>())
    .bind(beginnings.iter().map(|b| b.scope).collect::<Vec<_>>())
    .bind(beginnings.iter().map(|b| b.place == BeginningPlace::Open).collect::<Vec<_>>())
    .bind(beginnings.iter().map(is_queued).collect::<Vec<_>>())
    .bind(beginnings.iter().map(|b| is_behind(b).then(|| Resume::BodiesEnded.to_text())).collect::<Vec<_>>())
    .bind(choice.to_string())
    .bind(wish.batch)
    .bind((!behind.is_empty()).then_some(behind))
    .bind(trace_of_start())
    .execute(connection)
    .await?;
    Ok(())
}
