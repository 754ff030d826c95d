//! Upkeep of those who wait: where there is room, the first of a queue are told to ask again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_workflow::limits::Log;
use trunkline_workflow::{AccountId, DefinitionId, InstanceId};

use super::ask_leave::{SOON, count_effects, read_logs, read_settings};
use super::queue::{self, For, MOST_LET_THROUGH};
use crate::waits::{Ending, read_id, resume};
use crate::workers::micros;
use crate::{PgConnection, Store, StoreError};

/// Queues looked at in one round.
const MOST_QUEUES: i64 = 1_000;

/// After which every worker knows that a definition is paused no more.
const NOTICED: Duration = Duration::from_millis(1_500);

/// Where a round ended that did not come to the end: account and queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueMark(Option<(String, String)>);

/// What a round found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetThrough {
    /// Nobody waits for anybody.
    Nobody,
    /// There are queues, and so many were told to go on.
    Some(usize),
}

#[derive(sqlx::FromRow)]
struct Waiting {
    instance_id: Vec<u8>,
    path: i32,
    n: i32,
    is_parked: bool,
    is_gone: bool,
}

/// Of somebody who was told to wait until a time, under the limits of before.
#[derive(sqlx::FromRow)]
struct OldLeave {
    instance_id: Vec<u8>,
    path: i32,
    n: i32,
    is_parked: bool,
    is_leased: bool,
}

impl OldLeave {
    fn waiting(&self) -> Waiting {
        let Self { path, n, is_parked, .. } = *self;
        Waiting { instance_id: self.instance_id.clone(), path, n, is_parked, is_gone: false }
    }
}

impl Store {
    /// Makes the first of each queue ready, as many as there is room for. Safe to run twice: who is ready asks, and
    /// only then counts.
    pub async fn let_through(&self, mark: &mut QueueMark) -> Result<LetThrough, StoreError> {
        let (account, queue) = mark.0.take().unwrap_or_default();
        let queues: Vec<(String, String)> = sqlx::query_as(
            "with recursive queues as (
                 (
                     select account_id, queue
                     from leaves
                     where not by_time and queue is not null and (account_id, queue) > ($2, $3)
                     order by account_id, queue
                     limit 1
                 )
                 union all
                 select n.account_id, n.queue
                 from queues q
                 cross join lateral (
                     select l.account_id, l.queue
                     from leaves l
                     where not l.by_time and l.queue is not null
                         and (l.account_id, l.queue) > (q.account_id, q.queue)
                     order by l.account_id, l.queue
                     limit 1
                 ) as n
             )
             select account_id, queue
             from queues
             limit $1",
        )
        .bind(MOST_QUEUES)
        .bind(account)
        .bind(queue)
        .fetch_all(&self.pool)
        .await?;
        if i64::try_from(queues.len()).is_ok_and(|length| length == MOST_QUEUES) {
            mark.0 = queues.last().cloned();
        }
        let mut count = self.look_over().await?;
        if queues.is_empty() && count == 0 {
            return Ok(LetThrough::Nobody);
        }
        let mut accounts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (account, queue) in queues {
            accounts.entry(account).or_default().push(queue);
        }
        for (account, queues) in accounts {
            match self.let_through_of(&AccountId::new(account), &queues).await {
                Ok(number) => count += number,
                // Of a newer release, or a foreign hand's; `changed_limits` says so. The others go on.
                Err(StoreError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if count > 0 {
            self.wake.hint();
        }
        Ok(LetThrough::Some(count))
    }

    async fn let_through_of(&self, account: &AccountId, queues: &[String]) -> Result<usize, StoreError> {
        let mut transaction = self.begin().await?;
        let rooms = read_rooms(&mut transaction, account, queues).await?;
        transaction.rollback().await?;
        let mut count = 0;
        for (queue, (room, for_what)) in queues.iter().zip(rooms) {
            if room == 0 {
                continue;
            }
            let waiting = self.first_of(account, queue, room).await?;
            let (gone, there): (Vec<Waiting>, Vec<Waiting>) =
                waiting.into_iter().partition(|one| one.is_gone);
            // A place in the queue of a definition is nothing to come back to.
            let leaves = matches!(for_what, For::Definition(_) | For::Nothing);
            let parked: Vec<Waiting> = there.into_iter().filter(|one| one.is_parked).collect();
            self.forget(&gone).await?;
            count += self.make_ready(&parked, leaves.then_some(queue)).await?.len();
        }
        Ok(count)
    }

    async fn first_of(
        &self,
        account: &AccountId,
        queue: &str,
        room: u64,
    ) -> Result<Vec<Waiting>, StoreError> {
        Ok(sqlx::query_as(
            "select l.instance_id, l.path, l.n, w.instance_id is not null as is_parked,
                 w.instance_id is null and j.instance_id is null as is_gone
             from leaves l
             left join waits w on w.instance_id = l.instance_id and w.path::smallint = l.path::smallint
                 and w.n = l.n
             left join jobs j on j.instance_id = l.instance_id and j.path = l.path and j.n = l.n
             where not l.by_time and l.account_id = $1 and l.queue = $2
                 and not coalesce(j.held, false) and not coalesce(j.queued, false)
             order by l.asked_at, l.instance_id, l.n
             limit $3",
        )
        .bind(account.as_str())
        .bind(queue)
        .bind(i64::try_from(room.min(MOST_LET_THROUGH)).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Of instances that ended.
    async fn forget(&self, gone: &[Waiting]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "delete from leaves l
             using unnest($1::bytea[], $2::int[]) as t (instance_id, n)
             where l.instance_id = t.instance_id and l.n = t.n
                 and not exists (select from waits w where w.instance_id = l.instance_id and w.n = l.n)
                 and not exists (select from jobs j where j.instance_id = l.instance_id and j.n = l.n)",
        )
        .bind(gone.iter().map(|one| one.instance_id.as_slice()).collect::<Vec<_>>())
        .bind(gone.iter().map(|one| one.n).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Those whose instances nobody is at work on; the others another time. `left`: the queue in which they wait no
    /// more, for nothing else.
    async fn make_ready(
        &self,
        parked: &[Waiting],
        left: Option<&String>,
    ) -> Result<Vec<InstanceId>, StoreError> {
        if parked.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let locked: Vec<Vec<u8>> = sqlx::query_scalar(
            "select id
             from instances
             where id = any($1)
             order by id
             for update skip locked",
        )
        .bind(parked.iter().map(|one| one.instance_id.as_slice()).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
        let ours: Vec<&Waiting> = parked.iter().filter(|one| locked.contains(&one.instance_id)).collect();
        let endings = ours.iter().map(|one| {
            Ok(Ending { instance: read_id(&one.instance_id)?, path: one.path, n: one.n, resume: None })
        });
        let endings: Vec<Ending> = endings.collect::<Result<_, StoreError>>()?;
        let resumed = resume(&mut transaction, &endings).await?;
        if let Some(queue) = left {
            // Whoever was parked no more may be about to wait for something else.
            let resumed: HashSet<&[u8]> = resumed.iter().map(|id| &id.as_bytes()[..]).collect();
            let left: Vec<&Waiting> =
                ours.into_iter().filter(|one| resumed.contains(one.instance_id.as_slice())).collect();
            stop_waiting(&mut transaction, &left, queue).await?;
        }
        step_aside(&mut transaction, &resumed).await?;
        transaction.commit().await?;
        Ok(resumed)
    }

    /// After limits were changed, those who wait until a time: they ask again what it is now.
    async fn look_over(&self) -> Result<usize, StoreError> {
        let accounts: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
            "select account_id, changed_at from limits where not looked_over order by 1 limit 100",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut count = 0;
        for (account, changed_at) in accounts {
            let old: Vec<OldLeave> = sqlx::query_as(
                "select l.instance_id, l.path, l.n,
                     exists (
                         select from waits w
                         where w.instance_id = l.instance_id and w.path::smallint = l.path::smallint
                             and w.n = l.n
                         offset 0
                     ) as is_parked,
                     exists (
                         select from jobs j
                         where j.instance_id = l.instance_id and j.path = l.path and j.n = l.n
                             and j.worker is not null
                         offset 0
                     ) as is_leased
                 from leaves l
                 where l.by_time and l.account_id = $1 and l.queue is not null and l.looked_at < $2
                 limit $3",
            )
            .bind(&account)
            .bind(changed_at)
            .bind(i64::try_from(MOST_LET_THROUGH).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
            if old.is_empty() {
                sqlx::query("update limits set looked_over = true where account_id = $1 and changed_at = $2")
                    .bind(&account)
                    .bind(changed_at)
                    .execute(&self.pool)
                    .await?;
                continue;
            }
            let parked: Vec<Waiting> =
                old.iter().filter(|one| one.is_parked).map(OldLeave::waiting).collect();
            let resumed = self.make_ready(&parked, None).await?;
            count += resumed.len();
            let resumed: HashSet<&[u8]> = resumed.iter().map(|id| &id.as_bytes()[..]).collect();
            // Who is in a worker's hands may be about to be parked for what it was told before, and at whose instance
            // somebody is at work was left where it is: they are looked at again.
            let is_done = |one: &&OldLeave| {
                !one.is_leased && (!one.is_parked || resumed.contains(one.instance_id.as_slice()))
            };
            let (ids, numbers): (Vec<&[u8]>, Vec<i32>) =
                old.iter().filter(is_done).map(|one| (one.instance_id.as_slice(), one.n)).unzip();
            sqlx::query(
                "update leaves l
                 set looked_at = clock_timestamp()
                 from unnest($1::bytea[], $2::int[]) as t (instance_id, n)
                 where l.instance_id = t.instance_id and l.n = t.n",
            )
            .bind(ids)
            .bind(numbers)
            .execute(&self.pool)
            .await?;
        }
        Ok(count)
    }
}

/// Who is suspended waits for somebody to resume it, and then asks again at its age. Until then nobody looks past it.
pub(crate) async fn step_aside(
    connection: &mut PgConnection,
    resumed: &[InstanceId],
) -> Result<(), StoreError> {
    if resumed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update leaves l
         set queue = null, reason = null
         from jobs j
         where j.instance_id = any($1) and j.held
             and l.instance_id = j.instance_id and l.n = j.n and l.queue is not null",
    )
    .bind(resumed.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn stop_waiting(
    connection: &mut PgConnection,
    waiting: &[&Waiting],
    queue: &str,
) -> Result<(), StoreError> {
    let (ids, numbers): (Vec<&[u8]>, Vec<i32>) =
        waiting.iter().map(|one| (one.instance_id.as_slice(), one.n)).unzip();
    for statement in [
        "delete from leaves l
         using unnest($1::bytea[], $2::int[]) as t (instance_id, n)
         where l.instance_id = t.instance_id and l.n = t.n and l.queue = $3 and l.given_at is null",
        "update leaves l
         set queue = null, reason = null
         from unnest($1::bytea[], $2::int[]) as t (instance_id, n)
         where l.instance_id = t.instance_id and l.n = t.n and l.queue = $3 and l.given_at is not null",
    ] {
        sqlx::query(statement).bind(&ids).bind(&numbers).bind(queue).execute(&mut *connection).await?;
    }
    Ok(())
}

/// How many may go on of each queue.
async fn read_rooms(
    connection: &mut PgConnection,
    account: &AccountId,
    queues: &[String],
) -> Result<Vec<(u64, For)>, StoreError> {
    let (settings, now) = read_settings(&mut *connection, account).await?;
    let whats: Vec<For> = queues.iter().map(|name| queue::read(account, name, &settings)).collect();
    let rates = queues.iter().zip(&whats).filter(|(_, what)| matches!(what, For::Rate(_)));
    let names: Vec<&str> = rates.map(|(name, _)| name.as_str()).collect();
    let logs = read_logs(&mut *connection, account, &names).await?;
    let crowds = |what: &For| matches!(what, For::Concurrency(_) | For::ConcurrencyOf(..));
    let effects = if whats.iter().any(crowds) {
        count_effects(&mut *connection, account).await?
    } else {
        HashMap::new()
    };
    let mut rooms = Vec::with_capacity(queues.len());
    for (name, what) in queues.iter().zip(whats) {
        let room = match what {
            For::Rate(rate) => {
                let log = logs.get(name);
                log.map_or(rate.messages.into(), |log: &Log| log.room(now + SOON, rate))
            }
            For::Concurrency(most) => u64::from(most).saturating_sub(effects.values().sum()),
            For::ConcurrencyOf(definition, most) => {
                u64::from(most).saturating_sub(effects.get(&definition).copied().unwrap_or_default())
            }
            For::Definition(definition) if is_paused(&mut *connection, account, definition).await? => 0,
            For::Definition(_) | For::Nothing => MOST_LET_THROUGH,
        };
        rooms.push((room, what));
    }
    Ok(rooms)
}

/// Or was a moment ago: workers that do not know yet would only park it again.
async fn is_paused(
    connection: &mut PgConnection,
    account: &AccountId,
    definition: DefinitionId,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "select exists (
             select from definition_states
             where account_id = $1 and definition_id = $2
                 and (state = 'paused' or changed_at > now() - $3 * interval '1 microsecond')
         )",
    )
    .bind(account.as_str())
    .bind(definition)
    .bind(micros(NOTICED))
    .fetch_one(connection)
    .await?)
}
