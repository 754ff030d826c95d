//! Starting instances: durable when the call returns. Concurrent starts share a commit ([`crate::grouped`]).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Map, Value};
use sqlx::PgExecutor;
use trunkline_telemetry::traces::{Span, SpanKind, TraceContext};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, Version};
use uuid::Uuid;

use crate::clock;
use crate::connect::Kept;
use crate::grouped::Grouped;
use crate::wake::Wake;
use crate::{PgConnection, PgPool, Store, StoreError};

/// For a group of starts.
const WRITE_LIMIT: Duration = Duration::from_secs(15);

/// Of contexts that are written with others'. PostgreSQL compresses them, ten milliseconds and more for a mebibyte, and
/// whoever is in the group of a large one would wait for it.
const SMALL_BYTES: usize = 32 << 10;

#[derive(Debug, Clone)]
pub struct NewInstance {
    pub account: AccountId,
    pub definition: DefinitionId,
    pub version: Version,
    pub data: StartContext,
}

/// The context that instances start with, as JSON text: one event may start hundreds with the same.
#[derive(Debug, Clone)]
pub struct StartContext(Arc<str>);

impl From<Map<String, Value>> for StartContext {
    fn from(data: Map<String, Value>) -> Self {
        Self(Value::Object(data).to_string().into())
    }
}

impl StartContext {
    /// Of the text.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A request that may be repeated: its client's key, and what it asked for.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub account: AccountId,
    pub key: String,
    /// SHA-256 over method, path and body.
    pub request: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartedOnce {
    Started(Vec<InstanceId>),
    /// The same request came before, within 24 hours.
    Repeated(Vec<InstanceId>),
    /// The key was used with another request.
    Mismatch,
}

impl Store {
    /// Starts all of them or none.
    pub async fn start(&self, instances: Vec<NewInstance>) -> Result<Vec<InstanceId>, StoreError> {
        if instances.is_empty() {
            return Ok(Vec::new());
        }
        self.starter.ask(Rows::new(instances)).await
    }

    /// Starts it if its version is the newest one of a definition that is not being drained. `None`: it is not, and
    /// nothing was started. With [`Store::last_found`] a start is one round trip instead of two.
    pub async fn start_if_newest(&self, instance: NewInstance) -> Result<Option<InstanceId>, StoreError> {
        let mut rows = Rows::new(vec![instance]);
        rows.only_newest.fill(true);
        Ok(self.starter.ask(rows).await?.pop())
    }

    /// Starts them unless the same request was answered before.
    pub async fn start_once(
        &self,
        key: IdempotencyKey,
        instances: Vec<NewInstance>,
    ) -> Result<StartedOnce, StoreError> {
        let rows = Rows::new(instances);
        let mut transaction = self.begin().await?;
        if let Some(answered) = answer_or_note(&mut transaction, &key, &rows.ids).await? {
            return Ok(answered);
        }
        write(&mut *transaction, &rows).await?;
        transaction.commit().await?;
        self.wake.hint();
        Ok(StartedOnce::Started(rows.ids))
    }

    /// What the same request started before, if it came before: never `Started`.
    pub async fn started_before(&self, key: &IdempotencyKey) -> Result<Option<StartedOnce>, StoreError> {
        find_answer(&self.pool, key).await
    }
}

/// What the same request started before; or else, with the transaction, it is noted that it starts these.
pub(crate) async fn answer_or_note(
    connection: &mut PgConnection,
    key: &IdempotencyKey,
    ids: &[InstanceId],
) -> Result<Option<StartedOnce>, StoreError> {
    if note_key(&mut *connection, key, ids, None).await? {
        return Ok(None);
    }
    // It was there a moment ago: upkeep removed it, and a repetition starts anew.
    let answered = find_answer(connection, key).await?;
    answered.map(Some).ok_or_else(|| StoreError::Conflict(sqlx::Error::RowNotFound))
}

/// That the request of the key makes this; `false`: one with the same key came before.
pub(crate) async fn note_key(
    connection: &mut PgConnection,
    key: &IdempotencyKey,
    instances: &[InstanceId],
    batch: Option<Uuid>,
) -> Result<bool, StoreError> {
    sqlx::query(
        "delete from idempotency_keys
         where account_id = $1 and key = $2 and created_at < now() - interval '24 hours'",
    )
    .bind(key.account.as_str())
    .bind(&key.key)
    .execute(&mut *connection)
    .await?;
    let inserted = sqlx::query(
        "insert into idempotency_keys (account_id, key, request, instances, batch)
         values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(key.account.as_str())
    .bind(&key.key)
    .bind(&key.request[..])
    .bind(instances.iter().map(|id| id.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(batch)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn find_answer(
    executor: impl PgExecutor<'_>,
    key: &IdempotencyKey,
) -> Result<Option<StartedOnce>, StoreError> {
    let answered: Option<(Vec<u8>, Vec<Vec<u8>>)> = sqlx::query_as(
        "select request, instances
         from idempotency_keys
         where account_id = $1 and key = $2 and created_at >= now() - interval '24 hours'",
    )
    .bind(key.account.as_str())
    .bind(&key.key)
    .fetch_optional(executor)
    .await?;
    let Some((request, instances)) = answered else { return Ok(None) };
    if request != key.request {
        return Ok(Some(StartedOnce::Mismatch));
    }
    let ids = instances.iter().map(|id| InstanceId::from_bytes(id)).collect::<Result<_, _>>();
    Ok(Some(StartedOnce::Repeated(ids.map_err(|e| StoreError::Damaged(e.to_string()))?)))
}

/// Writes instances in groups, and says which they are.
#[derive(Debug, Clone)]
pub(crate) struct Starter {
    small: Grouped<Rows, Vec<InstanceId>>,
    large: Grouped<Rows, Vec<InstanceId>>,
}

impl Starter {
    pub(crate) fn new(pool: &PgPool, kept: &Kept, wake: &Wake) -> Self {
        let grouped = || {
            let (pool, kept, wake) = (pool.clone(), kept.clone(), wake.clone());
            let write = move |group| write_group(pool.clone(), kept.clone(), wake.clone(), group);
            Grouped::new(WRITE_LIMIT, |rows: &Rows| rows.bytes, write)
        };
        Self { small: grouped(), large: grouped() }
    }

    async fn ask(&self, rows: Rows) -> Result<Vec<InstanceId>, StoreError> {
        if rows.bytes > SMALL_BYTES { self.large.ask(rows).await } else { self.small.ask(rows).await }
    }
}

async fn write_group(
    pool: PgPool,
    kept: Kept,
    wake: Wake,
    mut group: Vec<Rows>,
) -> Result<Vec<Vec<InstanceId>>, StoreError> {
    let mut rows = Rows::default();
    for one in &mut group {
        rows.append(one);
    }
    let written = match kept.take().await {
        Some(mut connection) => {
            let written = write(&mut *connection, &rows).await;
            match &written {
                Ok(_) => kept.give_back(connection),
                Err(error) if error.is_refusal() => {}
                Err(_) => kept.give_up(),
            }
            written
        }
        None => write(&pool, &rows).await,
    };
    wake.hint();
    let written: HashSet<InstanceId> = written?.into_iter().collect();
    let are_started = |one: &Rows| one.ids.iter().all(|id| written.contains(id));
    Ok(group.into_iter().map(|one| if are_started(&one) { one.ids } else { Vec::new() }).collect())
}

/// Columns of new instances.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) ids: Vec<InstanceId>,
    accounts: Vec<String>,
    definitions: Vec<DefinitionId>,
    versions: Vec<Version>,
    data: Vec<StartContext>,
    traces: Vec<Option<String>>,
    /// Whether it is started only while its version is the newest one, of a definition that is not being drained.
    only_newest: Vec<bool>,
    bytes: usize,
}

impl Rows {
    pub(crate) fn new(instances: Vec<NewInstance>) -> Self {
        let mut rows = Self::default();
        for instance in instances {
            rows.traces.push(trace_of_start());
            rows.ids.push(new_id());
            rows.accounts.push(instance.account.as_str().to_owned());
            rows.definitions.push(instance.definition);
            rows.versions.push(instance.version);
            rows.bytes += instance.data.bytes();
            rows.data.push(instance.data);
            rows.only_newest.push(false);
        }
        rows
    }

    /// Each context once, in their order, and for each row which one it has, from 1.
    fn contexts(&self) -> (Vec<&str>, Vec<i32>) {
        let mut contexts: Vec<&StartContext> = Vec::with_capacity(self.data.len());
        let mut which = Vec::with_capacity(self.data.len());
        for data in &self.data {
            if !contexts.last().is_some_and(|last| Arc::ptr_eq(&last.0, &data.0)) {
                contexts.push(data);
            }
            which.push(i32::try_from(contexts.len()).expect("as many rows as a statement has"));
        }
        (contexts.into_iter().map(|context| &*context.0).collect(), which)
    }

    /// Moves everything over but the ids, which the request's answer needs.
    fn append(&mut self, other: &mut Self) {
        self.ids.extend(&other.ids);
        self.accounts.append(&mut other.accounts);
        self.definitions.append(&mut other.definitions);
        self.versions.append(&mut other.versions);
        self.data.append(&mut other.data);
        self.traces.append(&mut other.traces);
        self.only_newest.append(&mut other.only_newest);
        self.bytes += other.bytes;
    }
}

/// What an instance that this task starts is traced under; what nobody traced begins a trace of its own.
pub(crate) fn trace_of_start() -> Option<String> {
    let begun = || Span::begin(SpanKind::Producer, "start", None).context().cloned();
    TraceContext::current().or_else(begun).map(|trace| trace.to_string())
}

/// One statement, one commit: the instances, the jobs of their first steps, and the accounts' counts of this
/// month (spec 5.7), so that whatever starts an instance counts it, once, and a rollback counts nothing.
///
/// The counts' rows are the only ones here that somebody else may hold; a shard per connection makes that
/// rare. Nobody waits in a circle for them: a statement takes them in the order of the accounts, and they
/// are the last thing that a transaction waits for. A transaction that starts instances must therefore call
/// this once and lock nothing afterwards.
///
/// Answers which were started: all but those of versions that should have been the newest and are not.
pub(crate) async fn write(executor: impl PgExecutor<'_>, rows: &Rows) -> Result<Vec<InstanceId>, StoreError> {
    if rows.ids.is_empty() {
        return Ok(Vec::new());
    }
    let (contexts, which) = rows.contexts();
    let are_shared = contexts.len() < rows.ids.len();
    let started: Vec<Vec<u8>> = sqlx::query_scalar(START)
        .bind(rows.ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
        .bind(&rows.accounts)
        .bind(&rows.definitions)
        .bind(&rows.versions)
        .bind(contexts)
        .bind(rows.traces.iter().any(Option::is_some).then_some(&rows.traces))
        .bind(rows.only_newest.contains(&true).then_some(&rows.only_newest))
        .bind(are_shared.then_some(which))
        .fetch_all(executor)
        .await?;
    let ids = started.iter().map(|id| InstanceId::from_bytes(id)).collect::<Result<_, _>>();
    ids.map_err(|e| StoreError::Damaged(e.to_string()))
}

/// What [`write()`] says, of columns of new instances; where some share a context, each context is there once, and `which`
/// says whose it is. A version is looked up by itself, whatever the tables held when the plan was made, which a test pins.
pub const START: &str = "
with new as (
    select *
    from unnest($1::bytea[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::bool[], $8::int[])
        as t (id, account_id, definition_id, version, data, trace, only_newest, which)
    where only_newest is not true or version = (
        select case when not exists (
            select from definition_states s
            where s.account_id = v.account_id and s.definition_id = v.definition_id
                and s.state = 'draining'
        ) then v.version end
        from definition_versions v
        where v.account_id = t.account_id and v.definition_id = t.definition_id and newest
    )
), started as (
    insert into instances (id, account_id, definition_id, version, status, data, trace)
    select id, account_id, definition_id, version, 'Runnable', coalesce(($5::text[])[which], data), trace
    from new
), counted as (
    insert into usage_counts as counts (account_id, year, month, shard, started)
    select account_id, extract(year from now() at time zone 'UTC'),
        extract(month from now() at time zone 'UTC'), pg_backend_pid() % 32, count(*)
    from new
    group by account_id
    order by account_id
    on conflict (account_id, year, month, shard)
    do update set started = counts.started + excluded.started
)
insert into jobs (instance_id, path, account_id, n, step, issued, alone)
select id, 1, account_id, 1, 0, 1, true
from new
returning instance_id";

/// Counts an instance that another statement starts. As there: nothing is locked afterwards.
pub(crate) async fn count_one(executor: impl PgExecutor<'_>, account: &AccountId) -> Result<(), StoreError> {
    sqlx::query(
        "insert into usage_counts as counts (account_id, year, month, shard, started)
         values ($1, extract(year from now() at time zone 'UTC'),
             extract(month from now() at time zone 'UTC'), pg_backend_pid() % 32, 1)
         on conflict (account_id, year, month, shard)
         do update set started = counts.started + excluded.started",
    )
    .bind(account.as_str())
    .execute(executor)
    .await?;
    Ok(())
}

/// U-12. Ids sort roughly by time, whoever makes them.
pub(crate) fn new_id() -> InstanceId {
    static PROCESS: LazyLock<[u8; 5]> = LazyLock::new(rand::random);
    static COUNT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::random()));
    let seconds = u32::try_from(clock::now().timestamp()).unwrap_or(u32::MAX);
    InstanceId::from_parts(seconds, *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}
