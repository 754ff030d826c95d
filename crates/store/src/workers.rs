//! Worker processes: their lives, leases and the rescue of what the dead held.
//!
//! One *incarnation* is one life of one worker. It holds a lease that it renews; the jobs it claims carry
//! its id. When the lease has passed (database time) the incarnation is declared lost and its jobs are
//! freed, in one transaction; from then on nothing it says is believed, and its id is never used again.
//!
//! ```text
//! register ──► alive ──renew──► alive ──► retire
//!                │ lease passes, somebody runs rescue_jobs
//!                ▼
//!              lost: renew answers false; completions find no row that is still theirs
//! ```

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use trunkline_workflow::step::StepType;

use crate::attempts::AttemptOutcome;
use crate::clock;
use crate::connect::BEGIN_HOT;
use crate::pools::{Accounts, Steps};
use crate::waits::Resume;
use crate::{PgConnection, Store, StoreError};

/// The fence: grows with every life of every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(pub i64);

/// A row of the list of workers.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Worker {
    pub id: i64,
    pub name: String,
    pub slots: i32,
    /// Jobs that it holds; one takes one slot.
    pub busy: i64,
    pub version: String,
    pub draining: bool,
    /// Whose jobs it takes; `None`: those of all but `except_accounts`.
    pub accounts: Option<Vec<String>>,
    pub except_accounts: Option<Vec<String>>,
    /// The types of the steps that it executes; `None`: all but `except_steps`.
    pub steps: Option<Vec<String>>,
    pub except_steps: Option<Vec<String>>,
    pub started_at: DateTime<Utc>,
    /// When it last gave a sign of life; `None`: not since it was registered.
    pub renewed_at: Option<DateTime<Utc>>,
    pub leased_until: DateTime<Utc>,
    pub lost_at: Option<DateTime<Utc>>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    Live,
    /// It takes nothing more, and finishes what it holds.
    Draining,
    /// Its lease has passed, and nobody has said yet that it is lost.
    Silent,
    /// It fell silent and what it held was given to others.
    Lost,
    /// It ended in good order.
    Stopped,
}

impl WorkerState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Draining => "draining",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::Stopped => "stopped",
        }
    }
}

impl Worker {
    pub fn state(&self) -> WorkerState {
        match self.lost_at {
            // Who is declared lost has a lease that had passed; who retires has one that holds.
            Some(at) if at < self.leased_until => WorkerState::Stopped,
            Some(_) => WorkerState::Lost,
            None if self.leased_until < self.now => WorkerState::Silent,
            None if self.draining => WorkerState::Draining,
            None => WorkerState::Live,
        }
    }

    /// Whether it executes steps of this type, of its accounts.
    pub fn takes(&self, step_type: StepType) -> bool {
        let is_in = |types: &Vec<String>| types.iter().any(|name| name == step_type.name());
        self.steps.as_ref().is_none_or(is_in) && !self.except_steps.as_ref().is_some_and(is_in)
    }

    /// Since it last gave a sign of life.
    pub fn lease_age(&self) -> Duration {
        let since = self.renewed_at.unwrap_or(self.started_at);
        (self.lost_at.unwrap_or(self.now) - since).to_std().unwrap_or_default()
    }
}

/// What a worker learns when it renews its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Renewed {
        /// Somebody wants it to take nothing more.
        draining: bool,
    },
    /// This incarnation was declared lost.
    Lost,
}

/// Begins a life of one that takes all jobs. `draining`: it was told so in the life before.
pub async fn register(
    connection: &mut PgConnection,
    name: &str,
    slots: usize,
    version: &str,
    lease: Duration,
    draining: bool,
) -> Result<Incarnation, StoreError> {
    register_in_pool(connection, (name, slots, version), lease, draining, (&Accounts::All, &Steps::All)).await
}

/// Begins a life of one that takes the jobs of these accounts whose steps are of these types.
pub async fn register_in_pool(
    connection: &mut PgConnection,
    (name, slots, version): (&str, usize, &str),
    lease: Duration,
    draining: bool,
    (accounts, steps): (&Accounts, &Steps),
) -> Result<Incarnation, StoreError> {
    let (only, except) = accounts.columns();
    let (only_steps, except_steps) = steps.columns();
    let id = sqlx::query_scalar(
        "insert into workers (name, slots, version, leased_until, draining, accounts, except_accounts,
             steps, except_steps)
         values ($1, $2, $3, now() + $4 * interval '1 microsecond', $5, $6, $7, $8, $9)
         returning id",
    )
    .bind(name)
    .bind(i32::try_from(slots).unwrap_or(i32::MAX))
    .bind(version)
    .bind(micros(lease))
    .bind(draining)
    .bind(only)
    .bind(except)
    .bind(only_steps)
    .bind(except_steps)
    .fetch_one(connection)
    .await?;
    Ok(Incarnation(id))
}

/// Lengthens the lease. A lease that passed without anybody noticing may still be renewed: nothing of it was
/// given away.
pub async fn renew(
    connection: &mut PgConnection,
    worker: Incarnation,
    lease: Duration,
) -> Result<Renewal, StoreError> {
    let asked = Instant::now();
    let renewed: Option<(bool, i64)> = sqlx::query_as(
        "update workers
         set leased_until = now() + $2 * interval '1 microsecond', renewed_at = now()
         where id = $1 and lost_at is null
         returning draining, (extract(epoch from clock_timestamp()) * 1000000)::bigint",
    )
    .bind(worker.0)
    .bind(micros(lease))
    .fetch_optional(connection)
    .await?;
    let Some((draining, time)) = renewed else { return Ok(Renewal::Lost) };
    clock::hear(time, asked);
    Ok(Renewal::Renewed { draining })
}

/// Ends a life in good order; what it still holds goes back to the queue. The row stays for a while, so that
/// a claim that was on its way is noticed.
pub async fn retire(connection: &mut PgConnection, worker: Incarnation) -> Result<u64, StoreError> {
    let freed = crate::jobs::release_all(connection, worker).await?;
    sqlx::query("update workers set lost_at = now() where id = $1")
        .bind(worker.0)
        .execute(connection)
        .await?;
    Ok(freed)
}

/// Only the jobs of those who are lost are looked at, by the index of leased jobs: the others may be many, and have left
/// many more that are dead. A test pins the plan.
pub const RESCUE: &str = "
with lost as (
    update workers
    set lost_at = now()
    where id in (
        select id from workers
        where lost_at is null and leased_until < now()
        order by id
        for update skip locked
    )
    returning id
), gone as (
    select id from lost
    union all
    select id from workers where lost_at > coalesce(now() - $3 * interval '1 microsecond', '-infinity')
), held as materialized (
    select j.*
    from gone g
    cross join lateral (
        select instance_id, path, worker, ready_at
        from jobs
        where worker = g.id
        offset 0
    ) j
), freed as (
    update jobs j
    set worker = null, ready_at = now(), resume = coalesce(j.resume, $1)
    from held h
    where j.instance_id = any (array[h.instance_id]) and j.path = h.path and coalesce(j.worker, 0) = h.worker
    returning j.instance_id, j.n, j.attempt, j.step, h.worker, h.ready_at, j.started_at
), told as (
    insert into attempts (instance_id, n, attempt, step, worker, outcome, started_at)
    select f.instance_id, f.n, f.attempt, f.step, w.name, $2, greatest(f.ready_at, f.started_at)
    from freed f
    left join workers w on w.id = f.worker
)
select array(select id from lost), (select count(*) from freed)";

impl Store {
    /// Declares incarnations lost whose lease has passed, and frees the jobs of those who were lost within this
    /// time, or of all: a claim may have been on its way while its worker was declared lost. The jobs know from then on
    /// that they may have been done in part ([`Resume::Interrupted`](crate::waits::Resume)), and so does their history.
    /// Answers how many.
    pub async fn rescue_jobs(&self, lost_within: Option<Duration>) -> Result<u64, StoreError> {
        let mut transaction = self.begin_with(BEGIN_HOT).await?;
        let (lost, freed): (Vec<i64>, i64) = sqlx::query_as(RESCUE)
            .bind(Resume::Interrupted.to_text())
            .bind(AttemptOutcome::Interrupted.as_str())
            .bind(lost_within.map(micros))
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if !lost.is_empty() {
            tracing::warn!(workers = ?lost, "declared workers lost");
        }
        if freed > 0 {
            tracing::warn!(jobs = freed, "freed the jobs of lost workers");
            self.wake.hint();
        }
        Ok(freed.unsigned_abs())
    }

    /// Those that are there, and those that left at most `gone_for` ago; by name, then by age.
    pub async fn list_workers(&self, gone_for: Duration) -> Result<Vec<Worker>, StoreError> {
        let workers = sqlx::query_as(
            "select w.id, w.name, w.slots, (select count(*) from jobs j where j.worker = w.id) as busy,
                 w.version, w.draining, w.accounts, w.except_accounts, w.steps, w.except_steps, w.started_at,
                 w.renewed_at, w.leased_until, w.lost_at, now() as now
             from workers w
             where w.lost_at is null or w.lost_at > now() - $1 * interval '1 microsecond'
             order by w.name, w.id",
        )
        .bind(micros(gone_for))
        .fetch_all(&self.pool)
        .await?;
        Ok(workers)
    }

    /// Tells the workers of that name to take nothing more, or to go on. What they claim is nothing from now on;
    /// that they are to give paths up they learn when they renew their lease. Answers how many there are.
    pub async fn drain_workers(&self, name: &str, draining: bool) -> Result<u64, StoreError> {
        let told = sqlx::query(
            "update workers
             set draining = $2
             where name = $1 and lost_at is null",
        )
        .bind(name)
        .bind(draining)
        .execute(&self.pool)
        .await?;
        if told.rows_affected() > 0 && !draining {
            self.wake.hint();
        }
        Ok(told.rows_affected())
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
