//! What is done to many instances: written down whole when it is asked for, carried out by workers, watched and
//! stopped by people.
//!
//! ```text
//!  create ──► running ──────────────► done
//!               │  ▲      every item decided
//!         pause │  │ resume
//!               ▼  │
//!             paused ──── abort ────► aborted        (from running as well)
//! ```
//!
//! Who pauses or aborts takes a lock that every item under way shares: when the answer is there, no item is decided
//! any more.

mod carry_out;
mod select;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use trunkline_workflow::control::Command;
use trunkline_workflow::rerun::Choice;
use trunkline_workflow::{AccountId, InstanceId};
use uuid::Uuid;

use crate::audit::{self, By};
use crate::page::Page;
use crate::search::InstanceSearch;
use crate::starts::{self, IdempotencyKey};
use crate::waits::read_id;
use crate::{PgConnection, Store, StoreError};

use select::Selected;

pub use carry_out::{Marks, RunningBatch, Slot};
pub use select::{DryRun, ErrorCount, StepCount, VersionCount};

/// Instances in one batch.
pub const LARGEST: usize = 100_000;

/// Batches of an account that have not ended.
pub const MOST_UNDER_WAY: i64 = 10;

#[derive(Debug, Clone, PartialEq)]
pub enum BatchAction {
    Rerun(Choice),
    Command(Command),
}

impl BatchAction {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Rerun(_) => "rerun",
            Self::Command(command) => command.as_str(),
        }
    }

    fn choice(&self) -> Option<Value> {
        match self {
            Self::Rerun(choice) => Some(choice.to_value()),
            Self::Command(_) => None,
        }
    }

    fn read(action: &str, choice: Option<&str>) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(format!("batch action `{action}`"));
        let Some(choice) = choice else {
            return Command::parse(action).map(Self::Command).ok_or_else(damaged);
        };
        let choice: Value = serde_json::from_str(choice).map_err(|_| damaged())?;
        let choice = choice.as_object().and_then(|choice| Choice::read(choice).ok());
        choice.map(Self::Rerun).ok_or_else(damaged)
    }
}

/// Which instances.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// What a search of these conditions finds.
    Filter(Box<InstanceSearch>),
    /// Each counts once.
    Instances(Vec<InstanceId>),
}

#[derive(Debug, Clone)]
pub struct NewBatch {
    pub action: BatchAction,
    pub selection: Selection,
    /// The filter in its caller's words.
    pub filter: Option<Value>,
    /// Refused when it would have more instances.
    pub at_most: Option<usize>,
    /// Instances that were run again before are run again, too.
    pub again: bool,
    /// Items a second.
    pub rate: i32,
    /// Items at the same time.
    pub concurrency: i32,
}

#[derive(Debug, Clone)]
pub enum Created {
    Batch(Box<Batch>),
    /// There is no such definition.
    NoDefinition,
    /// It would have no instance.
    Empty,
    /// It would have more than [`LARGEST`].
    TooLarge,
    /// It would have so many, more than [`NewBatch::at_most`].
    MoreThanAsked(usize),
    /// The account has [`MOST_UNDER_WAY`] that have not ended.
    TooManyUnderWay,
    /// Its instances were not found in time.
    TooSlow,
    /// The idempotency key was used with another request.
    KeyReused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    Running,
    Paused,
    Aborted,
    Done,
}

impl BatchState {
    const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Aborted, Self::Done];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Aborted => "aborted",
            Self::Done => "done",
        }
    }
}

impl TryFrom<String> for BatchState {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| StoreError::Damaged(format!("batch state `{text}`")))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchCommand {
    Pause,
    Resume,
    Abort,
}

impl BatchCommand {
    pub const ALL: [Self; 3] = [Self::Pause, Self::Resume, Self::Abort];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == text)
    }

    /// As in `cannot be paused`.
    pub fn participle(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Abort => "aborted",
        }
    }

    /// `None` where it is refused.
    fn follows(self, state: BatchState) -> Option<BatchState> {
        match (state, self) {
            (BatchState::Running, Self::Pause) => Some(BatchState::Paused),
            (BatchState::Paused, Self::Resume) => Some(BatchState::Running),
            (BatchState::Running | BatchState::Paused, Self::Abort) => Some(BatchState::Aborted),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchControlled {
    Done,
    NotFound,
    Refused(BatchState),
}

/// A batch and how far it is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Batch {
    pub id: Uuid,
    /// As it was written, maybe by a newer program.
    pub action: String,
    /// How instances are run again, as JSON.
    pub choice: Option<String>,
    /// JSON; `None`: ids were given.
    pub filter: Option<String>,
    #[sqlx(try_from = "String")]
    pub state: BatchState,
    pub again: bool,
    pub rate: i32,
    pub concurrency: i32,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub actor_name: Option<String>,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub total: i32,
    pub done: i32,
    pub skipped: i32,
    pub failed: i32,
    /// Items that were decided in the last ten seconds.
    pub lately: i32,
}

impl Batch {
    pub fn pending(&self) -> i32 {
        self.total - self.done - self.skipped - self.failed
    }
}

/// One instance of a batch.
#[derive(Debug, Clone)]
pub struct BatchItem {
    pub n: i32,
    pub instance: InstanceId,
    /// `pending`, `done`, `skipped` or `failed`.
    pub state: String,
    /// Why it was skipped or failed.
    pub reason: Option<String>,
    /// The new instance.
    pub rerun: Option<InstanceId>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// States of items.
pub const ITEM_STATES: [&str; 4] = ["pending", "done", "skipped", "failed"];

impl Store {
    /// Finds the instances and writes them down with the batch; or answers with the one that the same request made
    /// before.
    pub async fn create_batch(
        &self,
        account: &AccountId,
        new: &NewBatch,
        key: Option<&IdempotencyKey>,
        by: &By,
    ) -> Result<Created, StoreError> {
        if let Some(key) = key
            && let Some(made) = find_made(&mut *self.begin().await?, key).await?
        {
            return Ok(made);
        }
        let instances = match self.select(account, &new.selection).await? {
            Selected::Instances(instances) => instances,
            Selected::Refused(refused) => return Ok(refused),
        };
        if new.at_most.is_some_and(|most| instances.len() > most) {
            return Ok(Created::MoreThanAsked(instances.len()));
        }
        let id = Uuid::new_v4();
        let mut transaction = self.begin().await?;
        if let Some(key) = key
            && !starts::note_key(&mut transaction, key, &[], Some(id)).await?
        {
            let made = find_made(&mut transaction, key).await?;
            // It was there a moment ago: upkeep removed it, and a repetition starts anew.
            return made.ok_or_else(|| StoreError::Conflict(sqlx::Error::RowNotFound));
        }
        if count_under_way(&mut transaction, account).await? >= MOST_UNDER_WAY {
            return Ok(Created::TooManyUnderWay);
        }
        write(&mut transaction, account, (id, new), &instances, by).await?;
        let batch = find(&mut transaction, account, id).await?;
        transaction.commit().await?;
        let batch = batch.ok_or_else(|| StoreError::Damaged(format!("batch {id} is gone")))?;
        Ok(Created::Batch(Box::new(batch)))
    }

    pub async fn get_batch(&self, account: &AccountId, id: Uuid) -> Result<Option<Batch>, StoreError> {
        find(&mut *self.begin().await?, account, id).await
    }

    /// Newest first.
    pub async fn list_batches(&self, account: &AccountId, page: Page) -> Result<Vec<Batch>, StoreError> {
        let query = batches_where(
            "b.id in (
                 select id
                 from batches
                 where account_id = $1
                 order by created_at desc, id
                 limit $2 offset $3
             )",
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(account.as_str())
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.pool)
            .await?)
    }

    /// In their order, those behind the number `after`; `None`: there is no such batch.
    pub async fn list_batch_items(
        &self,
        account: &AccountId,
        id: Uuid,
        state: Option<&str>,
        after: i32,
        limit: i64,
    ) -> Result<Option<Vec<BatchItem>>, StoreError> {
        type Item = (i32, Vec<u8>, String, Option<String>, Option<Vec<u8>>, Option<DateTime<Utc>>);
        let is_there: bool =
            sqlx::query_scalar("select exists (select from batches where id = $1 and account_id = $2)")
                .bind(id)
                .bind(account.as_str())
                .fetch_one(&self.pool)
                .await?;
        if !is_there {
            return Ok(None);
        }
        let rows: Vec<Item> = sqlx::query_as(
            "select n, instance_id, state, reason, rerun, decided_at
             from batch_items
             where batch_id = $1 and ($2::text is null or state = $2) and n > $3
             order by n
             limit $4",
        )
        .bind(id)
        .bind(state)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let item = |(n, instance, state, reason, rerun, decided_at): Item| {
            let rerun = rerun.map(|id| read_id(&id)).transpose()?;
            Ok(BatchItem { n, instance: read_id(&instance)?, state, reason, rerun, decided_at })
        };
        rows.into_iter().map(item).collect::<Result<_, StoreError>>().map(Some)
    }

    /// When it is paused or aborted no item is decided any more.
    pub async fn control_batch(
        &self,
        account: &AccountId,
        id: Uuid,
        command: BatchCommand,
        by: &By,
    ) -> Result<BatchControlled, StoreError> {
        let mut transaction = self.begin().await?;
        lock_alone(&mut transaction, id).await?;
        let state: Option<String> =
            sqlx::query_scalar("select state from batches where id = $1 and account_id = $2 for update")
                .bind(id)
                .bind(account.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        let Some(state) = state else { return Ok(BatchControlled::NotFound) };
        let state = BatchState::try_from(state)?;
        let Some(next) = command.follows(state) else { return Ok(BatchControlled::Refused(state)) };
        set_state(&mut transaction, id, next).await?;
        let action = format!("batch.{}", command.as_str());
        audit::note(&mut transaction, account, by, &action, &id.to_string(), None).await?;
        transaction.commit().await?;
        Ok(BatchControlled::Done)
    }

    /// Removes batches that ended so long ago, with their items.
    pub(crate) async fn prune_batches(&self, micros: i64, rows: i64) -> Result<(), StoreError> {
        loop {
            let items = sqlx::query(
                "delete from batch_items
                 where ctid = any (array(
                     select i.ctid
                     from batches b
                     join batch_items i on i.batch_id = b.id
                     where b.ended_at < now() - $1 * interval '1 microsecond'
                     limit $2
                 ))",
            )
            .bind(micros)
            .bind(rows)
            .execute(&self.pool)
            .await?;
            if items.rows_affected() < rows.unsigned_abs() {
                break;
            }
        }
        sqlx::query("delete from batches where ended_at < now() - $1 * interval '1 microsecond'")
            .bind(micros)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// Of two who count at the same time the second waits for the end of the first one's transaction.
async fn count_under_way(connection: &mut PgConnection, account: &AccountId) -> Result<i64, StoreError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('batches of ' || $1, 0))")
        .bind(account.as_str())
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_scalar("select count(*) from batches where account_id = $1 and ended_at is null")
        .bind(account.as_str())
        .fetch_one(connection)
        .await?)
}

/// The batch with its items.
async fn write(
    connection: &mut PgConnection,
    account: &AccountId,
    (id, new): (Uuid, &NewBatch),
    instances: &[InstanceId],
    by: &By,
) -> Result<(), StoreError> {
    let (kind, actor_id, name) = by.columns();
    sqlx::query(
        "insert into batches (id, account_id, action, choice, filter, rate, concurrency, actor_kind, actor_id,
             actor_name, reason, total, again)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id)
    .bind(account.as_str())
    .bind(new.action.as_str())
    .bind(new.action.choice().map(|choice| choice.to_string()))
    .bind(new.filter.as_ref().map(Value::to_string))
    .bind(new.rate)
    .bind(new.concurrency)
    .bind(kind)
    .bind(actor_id)
    .bind(name)
    .bind(&by.reason)
    .bind(i32::try_from(instances.len()).unwrap_or(i32::MAX))
    .bind(new.again)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into batch_items (batch_id, n, instance_id)
         select $1, n, id
         from unnest($2::bytea[]) with ordinality as t (id, n)",
    )
    .bind(id)
    .bind(instances.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let detail = json!({
        "action": new.action.as_str(), "rerun": new.action.choice().map(Choice::outline), "filter": new.filter,
        "total": instances.len(), "rate": new.rate, "concurrency": new.concurrency,
        "again": new.again,
    });
    audit::note(connection, account, by, "batch.create", &id.to_string(), Some(&detail)).await
}

/// What a request with this key was answered in the last 24 hours.
async fn find_made(
    connection: &mut PgConnection,
    key: &IdempotencyKey,
) -> Result<Option<Created>, StoreError> {
    let found: Option<(bool, Option<Uuid>)> = sqlx::query_as(
        "select request = $3, batch
         from idempotency_keys
         where account_id = $1 and key = $2 and created_at >= now() - interval '24 hours'",
    )
    .bind(key.account.as_str())
    .bind(&key.key)
    .bind(&key.request[..])
    .fetch_optional(&mut *connection)
    .await?;
    match found {
        None => Ok(None),
        Some((true, Some(batch))) => {
            Ok(find(connection, &key.account, batch).await?.map(|batch| Created::Batch(Box::new(batch))))
        }
        Some(_) => Ok(Some(Created::KeyReused)),
    }
}

/// Batches with their counts: those of one that has ended are written down.
fn batches_where(condition: &str) -> String {
    format!(
        "select b.id, b.action, b.choice, b.filter, b.state, b.again, b.rate, b.concurrency, b.actor_kind, b.actor_id,
             b.actor_name, b.reason, b.created_at, b.ended_at, b.total, coalesce(b.done, c.done) as done,
             coalesce(b.skipped, c.skipped) as skipped, coalesce(b.failed, c.failed) as failed,
             coalesce(c.lately, 0) as lately
         from batches b
         left join lateral (
             select {COUNTS},
                 (count(*) filter (where i.decided_at > now() - interval '10 seconds'))::int as lately
             from batch_items i
             where i.batch_id = b.id
         ) c on b.ended_at is null
         where {condition}
         order by b.created_at desc, b.id"
    )
}

/// Of the items `i`.
const COUNTS: &str = "(count(*) filter (where i.state = 'done'))::int as done,
    (count(*) filter (where i.state = 'skipped'))::int as skipped,
    (count(*) filter (where i.state = 'failed'))::int as failed";

async fn find(
    connection: &mut PgConnection,
    account: &AccountId,
    id: Uuid,
) -> Result<Option<Batch>, StoreError> {
    let query = batches_where("b.id = $1 and b.account_id = $2");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(id)
        .bind(account.as_str())
        .fetch_optional(connection)
        .await?)
}

/// Waits for the items under way; no other begins before the end of the transaction.
async fn lock_alone(connection: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('batch:' || $1::text, 0))")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// With the counts, when it is the end. The caller holds [`lock_alone`].
async fn set_state(connection: &mut PgConnection, id: Uuid, state: BatchState) -> Result<(), StoreError> {
    if matches!(state, BatchState::Running | BatchState::Paused) {
        sqlx::query("update batches set state = $2 where id = $1")
            .bind(id)
            .bind(state.as_str())
            .execute(connection)
            .await?;
        return Ok(());
    }
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "update batches b
         set state = $2, ended_at = now(), done = c.done, skipped = c.skipped, failed = c.failed
         from (
             select {COUNTS}
             from batch_items i
             where i.batch_id = $1
         ) c
         where b.id = $1"
    )))
    .bind(id)
    .bind(state.as_str())
    .execute(connection)
    .await?;
    Ok(())
}
