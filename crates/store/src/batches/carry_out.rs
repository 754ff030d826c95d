//! Carrying batches out: an item is decided in one transaction together with what is done to its instance, so a worker
//! or a database that dies in between has done nothing, and the item is still to be decided.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;
use trunkline_workflow::{AccountId, InstanceId};
use uuid::Uuid;

use super::{BatchAction, BatchState, lock_alone, set_state};
use crate::audit::By;
use crate::control::{Controlled, Target, control_within};
use crate::reruns::{Rerun, Wish, lock_origin, rerun_within};
use crate::waits::read_id;
use crate::{PgConnection, Store, StoreError, starts};

/// What is needed to decide an item.
#[derive(Debug, Clone)]
pub struct RunningBatch {
    pub id: Uuid,
    pub account: AccountId,
    pub action: BatchAction,
    pub by: By,
    pub concurrency: usize,
    /// Instances that were run again before are run again, too.
    pub again: bool,
}

/// Items that may be decided now; none: the batch has nothing left.
#[derive(Debug)]
pub struct Slot {
    pub id: Uuid,
    /// Or that this program cannot read it.
    pub batch: Result<RunningBatch, StoreError>,
    pub items: Vec<i32>,
}

/// The numbers of the last items that were handed out, by batch. What they leave behind is looked for at the end: so
/// nobody reads past the items that were decided before.
pub type Marks = HashMap<Uuid, i32>;

/// Slots in a second: long enough for a round trip or two, short enough not to be felt as a burst.
const SLOTS: i32 = 10;

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    account_id: String,
    action: String,
    choice: Option<String>,
    rate: i32,
    concurrency: i32,
    again: bool,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn read(self) -> Result<RunningBatch, StoreError> {
        Ok(RunningBatch {
            id: self.id,
            account: AccountId::new(self.account_id),
            action: BatchAction::read(&self.action, self.choice.as_deref())?,
            by: By::read(&self.actor_kind, self.actor_id, self.actor_name, self.reason)?,
            concurrency: usize::try_from(self.concurrency).unwrap_or(1).max(1),
            again: self.again,
        })
    }
}

/// What became of an item.
enum Decision {
    Done { rerun: Option<InstanceId>, goes_on: bool },
    Skipped(String),
    Failed(String),
}

impl Store {
    /// How many items of all batches this process may decide at the same moment: a quarter of the connections, so that
    /// starts and steps keep theirs.
    pub fn batch_connections(&self) -> usize {
        let connections = self.pool.options().get_max_connections() / 4;
        usize::try_from(connections).unwrap_or(usize::MAX).max(1)
    }

    /// How long until items of another batch than the `busy` ones may be decided; `None`: no other is running.
    pub async fn next_batch_in(&self, busy: &HashSet<Uuid>) -> Result<Option<Duration>, StoreError> {
        let micros: Option<i64> = sqlx::query_scalar(
            "select (extract(epoch from min(next_at) - clock_timestamp()) * 1000000)::bigint
             from batches
             where state = 'running' and id <> all ($1)",
        )
        .bind(busy.iter().copied().collect::<Vec<_>>())
        .fetch_one(&self.pool)
        .await?;
        Ok(micros.map(|micros| Duration::from_micros(micros.max(0).unsigned_abs())))
    }

    /// Hands out of each running batch but the `busy` ones what its rate allows. The time is taken from the batch before
    /// anything is done: whoever dies with a slot makes it slower, never faster.
    pub async fn reserve_slots(
        &self,
        busy: &HashSet<Uuid>,
        marks: &mut Marks,
    ) -> Result<Vec<Slot>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "update batches
             set next_at = now() + (greatest(rate / $1, 1)::float8 / rate) * interval '1 second'
             where state = 'running' and next_at <= now() and id <> all ($2)
             returning id, account_id, action, choice, rate, concurrency, again, actor_kind, actor_id, actor_name,
                 reason",
        )
        .bind(SLOTS)
        .bind(busy.iter().copied().collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let mut slots = Vec::with_capacity(rows.len());
        for row in rows {
            let count = i64::from((row.rate / SLOTS).max(1));
            let mark = marks.get(&row.id).copied().unwrap_or(0);
            let mut items = self.pending_items(row.id, mark, count).await?;
            if items.is_empty() && mark > 0 {
                items = self.pending_items(row.id, 0, count).await?;
            }
            match items.last() {
                Some(last) => marks.insert(row.id, *last),
                None => marks.remove(&row.id),
            };
            slots.push(Slot { id: row.id, batch: row.read(), items });
        }
        Ok(slots)
    }

    /// Decides an item, unless somebody does or did, or the batch does not run any more.
    pub async fn decide_item(&self, batch: &RunningBatch, n: i32) -> Result<(), StoreError> {
        match self.try_decide(batch, n).await {
            Err(error) if is_of_item(&error) => {
                tracing::error!(batch.id = %batch.id, n, error = %error, "an item of a batch cannot be decided");
                let failed = Decision::Failed(match error {
                    StoreError::UnknownMasterKey(key) => {
                        format!("Its steps are sealed with master key `{key}`, which is not configured.")
                    }
                    _ => "What is stored of it cannot be read.".to_owned(),
                });
                let mut transaction = self.begin().await?;
                if find_item(&mut transaction, batch.id, n).await?.is_some() {
                    settle(&mut transaction, batch.id, n, &failed).await?;
                    transaction.commit().await?;
                }
                Ok(())
            }
            // Somebody else was at the instance; the item's turn comes again.
            Err(error) if error.is_conflict() => Ok(()),
            decided => decided,
        }
    }

    async fn try_decide(&self, batch: &RunningBatch, n: i32) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let Some(instance) = find_item(&mut transaction, batch.id, n).await? else { return Ok(()) };
        let decision = self.act(&mut transaction, batch, instance).await?;
        settle(&mut transaction, batch.id, n, &decision).await?;
        transaction.commit().await?;
        if matches!(decision, Decision::Done { goes_on: true, .. }) {
            self.wake.hint();
        }
        Ok(())
    }

    async fn act(
        &self,
        connection: &mut PgConnection,
        batch: &RunningBatch,
        instance: InstanceId,
    ) -> Result<Decision, StoreError> {
        let account = &batch.account;
        match &batch.action {
            BatchAction::Command(command) => {
                // Not having them is no reason to go on.
                let unlocked = self.keys().await.ok();
                let detail = json!({ "batch": batch.id });
                let target = Target { account, definition: None, instance };
                let controlled =
                    control_within(connection, unlocked, &target, *command, &batch.by, Some(&detail)).await?;
                Ok(match controlled {
                    Controlled::Done { goes_on } => Decision::Done { rerun: None, goes_on },
                    Controlled::NotFound => Decision::Skipped(NOT_FOUND.to_owned()),
                    Controlled::Refused(status) => Decision::Skipped(format!(
                        "It is {} and cannot be {}.",
                        status.as_str(),
                        command.participle()
                    )),
                })
            }
            BatchAction::Rerun(choice) => {
                lock_origin(&mut *connection, instance).await?;
                if !batch.again
                    && let Some(rerun) = find_rerun(&mut *connection, account, instance).await?
                {
                    return Ok(Decision::Skipped(format!("It was run again before, as {rerun}.")));
                }
                let new = starts::new_id();
                let wish =
                    Wish { account, origin: instance, new, choice, by: &batch.by, batch: Some(batch.id) };
                let rerun = rerun_within(connection, self.keys().await?, &wish).await?;
                Ok(match rerun {
                    Rerun::Started { instance, .. } => {
                        Decision::Done { rerun: Some(instance), goes_on: true }
                    }
                    Rerun::NotFound => Decision::Skipped(NOT_FOUND.to_owned()),
                    Rerun::Refused(refusal) if refusal.is_by_status() => {
                        Decision::Skipped(format!("It cannot be run again: {refusal}."))
                    }
                    Rerun::Refused(refusal) => {
                        Decision::Failed(format!("It cannot be run again: {refusal}."))
                    }
                    Rerun::QuotaUsedUp | Rerun::KeyReused => Decision::Failed(
                        "The account has started all the workflows that it may start this month.".to_owned(),
                    ),
                })
            }
        }
    }

    async fn pending_items(&self, batch: Uuid, after: i32, count: i64) -> Result<Vec<i32>, StoreError> {
        Ok(sqlx::query_scalar(
            "select n
             from batch_items
             where batch_id = $1 and state = 'pending' and n > $2
             order by n
             limit $3",
        )
        .bind(batch)
        .bind(after)
        .bind(count)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Unless there is something left.
    pub async fn end_batch(&self, batch: Uuid) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        lock_alone(&mut transaction, batch).await?;
        let is_over: Option<bool> = sqlx::query_scalar(
            "select not exists (select from batch_items where batch_id = $1 and state = 'pending')
             from batches
             where id = $1 and state = 'running'
             for update",
        )
        .bind(batch)
        .fetch_optional(&mut *transaction)
        .await?;
        if is_over == Some(true) {
            set_state(&mut transaction, batch, BatchState::Done).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// What an item waits for others' locks.
const PATIENCE: &str = "1s";

/// It will be the same whenever the item is tried again, and other items may do better.
fn is_of_item(error: &StoreError) -> bool {
    matches!(error, StoreError::UnknownMasterKey(_)) || !error.may_pass() && !error.lacks_master_key()
}

const NOT_FOUND: &str = "There is no such instance.";

/// Locks the item and keeps the batch running until the end of the transaction.
async fn find_item(
    connection: &mut PgConnection,
    batch: Uuid,
    n: i32,
) -> Result<Option<InstanceId>, StoreError> {
    // A statement of its own, so that the next one sees what was done under the lock before. Nobody waits for long:
    // who pauses the batch waits for this transaction, and its connection is one of few.
    sqlx::query(
        "select set_config('lock_timeout', $2, true),
             pg_advisory_xact_lock_shared(hashtextextended('batch:' || $1::text, 0))",
    )
    .bind(batch)
    .bind(PATIENCE)
    .execute(&mut *connection)
    .await?;
    let found: Option<Vec<u8>> = sqlx::query_scalar(
        "select i.instance_id
         from batch_items i
         join batches b on b.id = i.batch_id
         where i.batch_id = $1 and i.n = $2 and i.state = 'pending' and b.state = 'running'
         for update of i skip locked",
    )
    .bind(batch)
    .bind(n)
    .fetch_optional(connection)
    .await?;
    found.map(|id| read_id(&id)).transpose()
}

/// The first that runs this one again.
async fn find_rerun(
    connection: &mut PgConnection,
    account: &AccountId,
    origin: InstanceId,
) -> Result<Option<InstanceId>, StoreError> {
    let found: Option<Vec<u8>> = sqlx::query_scalar(
        "select instance_id
         from reruns
         where origin = $1 and account_id = $2
         order by created_at
         limit 1",
    )
    .bind(origin.as_bytes().as_slice())
    .bind(account.as_str())
    .fetch_optional(connection)
    .await?;
    found.map(|id| read_id(&id)).transpose()
}

async fn settle(
    connection: &mut PgConnection,
    batch: Uuid,
    n: i32,
    decision: &Decision,
) -> Result<(), StoreError> {
    let (state, reason, rerun) = match decision {
        Decision::Done { rerun, .. } => ("done", None, *rerun),
        Decision::Skipped(reason) => ("skipped", Some(reason), None),
        Decision::Failed(reason) => ("failed", Some(reason), None),
    };
    sqlx::query(
        "update batch_items
         set state = $3, reason = $4, rerun = $5, decided_at = clock_timestamp()
         where batch_id = $1 and n = $2",
    )
    .bind(batch)
    .bind(n)
    .bind(state)
    .bind(reason)
    .bind(rerun.map(|id| id.as_bytes().to_vec()))
    .execute(connection)
    .await?;
    Ok(())
}
