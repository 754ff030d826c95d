//! Statements of the upkeep tasks. Each takes no input but settings and is safe to run twice.

use std::time::Duration;

use trunkline_workflow::{DefinitionId, Version};

use crate::partitions::LOCK_TIMEOUT;
use crate::workers::{Incarnation, micros};
use crate::{Store, StoreError};

/// Rows removed in one statement: short enough not to hold anybody up.
const BATCH: i64 = 2_000;

/// The queue's table by PostgreSQL's statistics, which are a second old.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueueTable {
    /// Rows written since somebody began to count.
    pub writes: i64,
    pub dead: i64,
    pub bytes: i64,
    pub is_ours: bool,
    pub is_being_vacuumed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacuum {
    Clear,
    /// It gives pages at its end back, too. Waits for up to five seconds for a moment in which nobody uses the table, and
    /// nobody else can vacuum it meanwhile: for when it is quiet.
    Shorten,
}

impl Store {
    /// Whether this worker runs `task` for the next `lease`: the one that has it keeps it while it lives.
    pub async fn elect(&self, task: &str, worker: Incarnation, lease: Duration) -> Result<bool, StoreError> {
        let elected: Option<(i64,)> = sqlx::query_as(
            "insert into upkeep as u (task, worker, leased_until)
             values ($1, $2, now() + $3 * interval '1 microsecond')
             on conflict (task) do update
             set worker = excluded.worker, leased_until = excluded.leased_until
             where u.worker = excluded.worker or u.leased_until < now()
             returning worker",
        )
        .bind(task)
        .bind(worker.0)
        .bind(micros(lease))
        .fetch_optional(&self.pool)
        .await?;
        Ok(elected.is_some())
    }

    /// What vacuums of the queue go by.
    pub async fn look_at_queue(&self) -> Result<QueueTable, StoreError> {
        let table = sqlx::query_as(
            "select pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)
                     + pg_stat_get_tuples_deleted(oid) as writes,
                 pg_stat_get_dead_tuples(oid) as dead, pg_relation_size(oid) as bytes,
                 pg_has_role(relowner, 'usage') as is_ours,
                 exists (
                     select from pg_locks l
                     where l.relation = c.oid and l.mode = 'ShareUpdateExclusiveLock'
                         and l.database = (select oid from pg_database where datname = current_database())
                 ) as is_being_vacuumed
             from pg_class c
             where oid = 'jobs'::regclass",
        );
        Ok(table.fetch_one(&self.pool).await?)
    }

    /// Makes room in the queue where jobs have left it, and only where nobody else does. In no transaction; one process,
    /// because the cores are needed. The pages of dead rows are few where rows are many, and the indexes are cleared all the
    /// same.
    pub async fn vacuum_queue(&self, vacuum: Vacuum) -> Result<(), StoreError> {
        let vacuum = match vacuum {
            Vacuum::Clear => "vacuum (skip_locked, parallel 0, index_cleanup on, truncate off) jobs",
            Vacuum::Shorten => "vacuum (skip_locked, parallel 0, index_cleanup on, truncate on) jobs",
        };
        sqlx::raw_sql(vacuum).execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets what the retention no longer asks for. Whole weeks leave as tables; in a week that still has
    /// a live instance the ended ones leave row by row. Answers the number of partitions dropped.
    pub async fn prune_history(&self, retention: Duration) -> Result<usize, StoreError> {
        // First, so that no workflow is left whose instance is gone.
        self.prune_small(retention).await?;
        let weeks: Vec<(String,)> = sqlx::query_as(
            "select c.relname::text
             from pg_inherits h
             join pg_class c on c.oid = h.inhrelid
             where h.inhparent = 'instances'::regclass and c.relname ~ '^instances_[0-9]{4}w[0-9]{2}$'
                 and to_timestamp(substring(c.relname from '[0-9]{4}w[0-9]{2}$'), 'IYYY\"w\"IW')
                     + interval '7 days' < now() - $1 * interval '1 microsecond'
             order by 1",
        )
        .bind(micros(retention))
        .fetch_all(&self.pool)
        .await?;
        let mut dropped = 0;
        for (instances,) in weeks {
            match self.drop_week(&instances, retention).await {
                Ok(true) => dropped += 1,
                Ok(false) => self.prune_rows(&instances, retention).await?,
                // Somebody reads; the week leaves another time.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        self.prune_rows("instances_rest", retention).await?;
        self.prune_terms_of_the_rest().await?;
        self.prune_reruns(retention).await?;
        self.prune_batches(micros(retention), BATCH).await?;
        self.prune_effects().await?;
        Ok(dropped)
    }

    /// Of accounts whose concurrency nobody limits any more, so that nobody counts.
    async fn prune_effects(&self) -> Result<(), StoreError> {
        sqlx::query(
            "delete from effects e
             where not exists (select from jobs j where j.instance_id = e.instance_id and j.n = e.n)",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn drop_week(&self, instances: &str, retention: Duration) -> Result<bool, StoreError> {
        let others = [
            "steps",
            "attempts",
            "failures",
            "search_terms",
            "search_groups",
            "search_values",
            "search_buckets",
        ]
        .map(|table| instances.replacen("instances", table, 1))
        .join(", ");
        let mut transaction = self.begin().await?;
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *transaction).await?;
        let needed: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "select exists (
                 select from {instances}
                 where completed_at is null or completed_at > now() - $1 * interval '1 microsecond'
             )"
        )))
        .bind(micros(retention))
        .fetch_one(&mut *transaction)
        .await?;
        if needed {
            return Ok(false);
        }
        let drop = format!("drop table {instances}; drop table if exists {others}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut *transaction).await?;
        transaction.commit().await?;
        tracing::info!(partition = instances, "dropped a week of history");
        Ok(true)
    }

    async fn prune_rows(&self, instances: &str, retention: Duration) -> Result<(), StoreError> {
        loop {
            let removed = sqlx::query(sqlx::AssertSqlSafe(format!(
                "with ended as (
                     delete from {instances}
                     where id in (
                         select id from {instances}
                         where completed_at < now() - $1 * interval '1 microsecond'
                         limit $2
                     )
                     returning id
                 ), failed as (
                     delete from failures
                     where instance_id in (select id from ended)
                 ), tried as (
                     delete from attempts
                     where instance_id in (select id from ended)
                 )
                 delete from steps
                 where instance_id in (select id from ended)"
            )))
            .bind(micros(retention))
            .bind(BATCH)
            .execute(&self.pool)
            .await?;
            if removed.rows_affected() == 0 {
                return Ok(());
            }
        }
    }

    /// Terms of instances that are gone find nothing and leave with their week; only the rest never leaves.
    async fn prune_terms_of_the_rest(&self) -> Result<(), StoreError> {
        sqlx::query(
            "delete from search_terms_rest t
             where not exists (select from instances i where i.id = t.instance_id)",
        )
        .execute(&self.pool)
        .await?;
        // The id, put together again.
        sqlx::query(
            "delete from search_values_rest v
             where not exists (
                 select
                 from instances i
                 where i.id = int4send(v.at # (-2147483648)) || int8send(v.rest # (-9223372036854775808))
             )",
        )
        .execute(&self.pool)
        .await?;
        // Of its seconds, as ids begin with them, no instance is left.
        sqlx::query(
            "delete from search_buckets_rest b
             where not exists (
                 select
                 from instances i
                 where i.id >= int4send(b.least # (-2147483648))
                     and i.id <= int4send(b.greatest # (-2147483648)) || '\\xffffffffffffffff'
             )",
        )
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "delete from search_groups_rest g
             where not exists (
                 select
                 from generate_series(1, octet_length(g.ids), 12) as nth
                 join instances i on i.id = substring(g.ids from nth for 12)
             )",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Events are remembered for 7 days (U-42), answers to repeated requests for one.
    async fn prune_small(&self, retention: Duration) -> Result<(), StoreError> {
        let week = Duration::from_secs(7 * 86_400);
        let day = Duration::from_secs(86_400);
        let hour = Duration::from_secs(3_600);
        // A workflow may live longer than ended ones are kept, and is reported with its messages when it ends.
        let unless_alive = "and not exists (
                 select from instances i
                 where i.id = old.instance_id and i.completed_at is null
             )";
        let unless_kept = "and not exists (
                 select from messages m
                 where m.account_id = old.account_id and m.umid = old.umid
             )";
        for (table, key, column, age, unless) in [
            ("events", "id", "received_at", week, ""),
            ("messages", "ctid", "received_at", retention, unless_alive),
            ("message_states", "ctid", "received_at", retention, unless_kept),
            ("dispatches", "id", "created_at", retention, unless_alive),
            ("idempotency_keys", "ctid", "created_at", day, ""),
            // Of those that are older none is still to be made.
            ("callbacks", "id", "created_at", retention.max(week), ""),
            ("workers", "id", "lost_at", week, ""),
            ("leaves", "ctid", "asked_at", week, unless_alive),
            ("rates", "ctid", "over_at", hour, ""),
        ] {
            loop {
                let removed = sqlx::query(sqlx::AssertSqlSafe(format!(
                    "delete from {table}
                     where {key} in (
                         select {key} from {table} as old
                         where {column} < now() - $1 * interval '1 microsecond' {unless}
                         limit $2
                     )"
                )))
                .bind(micros(age))
                .bind(BATCH)
                .execute(&self.pool)
                .await?;
                if removed.rows_affected() < BATCH.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A link is of use as long as the re-run is there, which may live for longer than its origin.
    async fn prune_reruns(&self, retention: Duration) -> Result<(), StoreError> {
        loop {
            let removed = sqlx::query(
                "delete from reruns
                 where instance_id in (
                     select r.instance_id
                     from reruns r
                     where r.created_at < now() - $1 * interval '1 microsecond'
                         and not exists (select from instances i where i.id = r.instance_id)
                     limit $2
                 )",
            )
            .bind(micros(retention))
            .bind(BATCH)
            .execute(&self.pool)
            .await?;
            if removed.rows_affected() < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Finishes deletions (spec 2.6): removes the instances of deleted versions with everything that belongs to
    /// them, running or not; a minute later the versions too, when no start that found them before is still
    /// on its way. Answers how many versions were looked at.
    pub async fn remove_deleted_versions(&self) -> Result<usize, StoreError> {
        let versions: Vec<(String, DefinitionId, Version)> = sqlx::query_as(
            "select account_id, definition_id, version
             from definition_versions v
             where deleted_at is not null
                 and (deleted_at < now() - interval '1 minute'
                     or exists (
                         select from instances i
                         where uuid_hash_extended(i.definition_id, i.version)
                                 = uuid_hash_extended(v.definition_id, v.version)
                             and i.account_id = v.account_id and i.definition_id = v.definition_id
                             and i.version = v.version
                     ))
             order by deleted_at
             limit 100",
        )
        .fetch_all(&self.pool)
        .await?;
        let count = versions.len();
        for (account, definition, version) in versions {
            self.remove_version(&account, definition, version).await?;
        }
        Ok(count)
    }

    async fn remove_version(
        &self,
        account: &str,
        definition: DefinitionId,
        version: Version,
    ) -> Result<(), StoreError> {
        loop {
            let mut transaction = self.begin().await?;
            let ids: Vec<Vec<u8>> = sqlx::query_scalar(
                "select id from instances
                 where uuid_hash_extended(definition_id, version) = uuid_hash_extended($2, $3)
                     and account_id = $1 and definition_id = $2 and version = $3
                 limit 200",
            )
            .bind(account)
            .bind(definition)
            .bind(version)
            .fetch_all(&mut *transaction)
            .await?;
            if ids.is_empty() {
                break;
            }
            // In the order in which everybody locks: jobs, instances, waits.
            for statement in [
                "select from jobs where instance_id = any($1) order by instance_id, path for update",
                "select from instances where id = any($1) order by id for update",
                "delete from jobs where instance_id = any($1)",
                "delete from waits where instance_id = any($1)",
                "delete from steps where instance_id = any($1)",
                "delete from attempts where instance_id = any($1)",
                "delete from event_uses where instance_id = any($1)",
                "delete from failures where instance_id = any($1)",
                "delete from reruns where instance_id = any($1)",
                "delete from leaves where instance_id = any($1)",
                "delete from effects where instance_id = any($1)",
                "update dispatches
                 set fate = case when instance_id = any($1) then 'error' else 'cancelled' end
                 where (instance_id = any($1) or parent = any($1)) and outcome is null and fate is null",
                "delete from instances where id = any($1)",
            ] {
                sqlx::query(statement).bind(&ids).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
        let mut transaction = self.begin().await?;
        sqlx::query(
            "delete from definition_versions
             where account_id = $1 and definition_id = $2 and version = $3
                 and deleted_at < now() - interval '1 minute'",
        )
        .bind(account)
        .bind(definition)
        .bind(version)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "delete from definitions d
             where d.account_id = $1 and d.id = $2 and d.newest_version is null
                 and not exists (
                     select from definition_versions v
                     where v.account_id = d.account_id and v.definition_id = d.id
                 )",
        )
        .bind(account)
        .bind(definition)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
