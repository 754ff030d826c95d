//! The state of the whole installation in numbers: for gauges, and for whoever decides how many workers there are.

use std::time::{Duration, Instant};

use sqlx::FromRow;

use crate::{Store, StoreError};

/// Where counting stops: beyond it the number says "very many", and looking would cost more than it tells.
const MOST: i64 = 100_000;
/// A look that takes longer is given up: it must not add to what it finds.
const LIMIT: &str = "set local statement_timeout = '2s'";

/// Ages are in seconds; 0 where there is nothing that could have one.
#[derive(Debug, Clone)]
pub struct Measured {
    pub queue: Queue,
    pub fleet: Fleet,
    pub tables: Vec<Table>,
}

#[derive(Debug, Clone, Copy, Default, FromRow)]
pub struct Queue {
    pub ready: i64,
    pub leased: i64,
    /// Of suspended instances.
    pub held: i64,
    /// Behind another step of their instance.
    pub behind: i64,
    pub oldest_ready: f64,
    /// Timers and deadlines that are due and no jobs yet; up to 100,000.
    pub due_waits: i64,
    pub oldest_due_wait: f64,
    /// Calls to customers; up to 100,000.
    pub callbacks: i64,
    pub oldest_callback: f64,
    /// Of those that keep dead rows from being removed. Without the role `pg_read_all_stats` only the sessions of
    /// the same user are seen.
    pub oldest_transaction: f64,
}

#[derive(Debug, Clone, Copy, Default, FromRow)]
pub struct Fleet {
    pub live: i64,
    pub draining: i64,
    /// Whose lease has passed.
    pub silent: i64,
    /// Of the live ones, like `busy`.
    pub slots: i64,
    pub busy: i64,
}

/// A table whose rows change all day. The rows are PostgreSQL's estimates.
#[derive(Debug, Clone, FromRow)]
pub struct Table {
    pub name: String,
    pub live: i64,
    pub dead: i64,
    pub bytes: i64,
}

/// The connections of this process's pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    pub limit: u32,
    pub idle: u32,
    pub in_use: u32,
}

impl Store {
    /// Looks. Costs some milliseconds, more where jobs are many: answers are to be kept for a while.
    pub async fn measure(&self) -> Result<Measured, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::raw_sql(LIMIT).execute(&mut *transaction).await?;
        let queue = sqlx::query_as(
            "with j as (
                 select count(*) filter (where worker is null and not queued and not held) as ready,
                     count(*) filter (where worker is not null) as leased,
                     count(*) filter (where worker is null and held) as held,
                     count(*) filter (where worker is null and queued and not held) as behind,
                     min(ready_at) filter (where worker is null and not queued and not held) as oldest
                 from jobs
             ), w as (
                 select count(*) as due, min(due_at) as oldest
                 from (
                     select due_at from waits where due_at <= now() order by due_at limit $1
                 ) as due
             ), c as (
                 select count(*) as pending, min(created_at) as oldest
                 from (select created_at from callbacks where due_at is not null limit $1) as pending
             ), t as (
                 select min(xact_start) as oldest
                 from pg_stat_activity
                 where datname = current_database() and backend_type = 'client backend'
                     and pid <> pg_backend_pid() and (backend_xmin is not null or backend_xid is not null)
             )
             select j.ready, j.leased, j.held, j.behind, w.due as due_waits, c.pending as callbacks,
                 coalesce(greatest(extract(epoch from now() - j.oldest), 0), 0)::float8 as oldest_ready,
                 coalesce(greatest(extract(epoch from now() - w.oldest), 0), 0)::float8 as oldest_due_wait,
                 coalesce(greatest(extract(epoch from now() - c.oldest), 0), 0)::float8 as oldest_callback,
                 coalesce(greatest(extract(epoch from now() - t.oldest), 0), 0)::float8 as oldest_transaction
             from j, w, c, t",
        )
        .bind(MOST)
        .fetch_one(&mut *transaction)
        .await?;
        let fleet = sqlx::query_as(
            "select count(*) filter (where alive and not draining) as live,
                 count(*) filter (where alive and draining) as draining,
                 count(*) filter (where not alive) as silent,
                 coalesce(sum(slots) filter (where alive and not draining), 0)::bigint as slots,
                 coalesce(sum(busy) filter (where alive and not draining), 0)::bigint as busy
             from (
                 select w.slots, w.draining, w.leased_until >= now() as alive,
                     (select count(*) from jobs j where j.worker = w.id) as busy
                 from workers w
                 where w.lost_at is null
             ) as there",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let tables = sqlx::query_as(
            "select relname::text as name, n_live_tup as live, n_dead_tup as dead,
                 pg_total_relation_size(relid) as bytes
             from pg_stat_user_tables
             where schemaname = current_schema() and relname in ('jobs', 'waits', 'callbacks')
             order by relname",
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Measured { queue, fleet, tables })
    }

    /// How long a connection of the pool is waited for now.
    pub async fn wait_for_connection(&self) -> Result<Duration, StoreError> {
        let begun = Instant::now();
        drop(self.pool.driver().await?.acquire().await?);
        Ok(begun.elapsed())
    }

    pub fn pool_use(&self) -> PoolUse {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        let limit = self.pool.options().get_max_connections();
        PoolUse { limit, idle, in_use: self.pool.size().saturating_sub(idle) }
    }
}
