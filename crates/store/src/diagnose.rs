//! What somebody wants to know of a database before, or while, it does not do what it should: for `trunkline doctor`.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};

use crate::partitions::Week;
use crate::{Store, StoreError, migrations};

/// What stands between a connection and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionMode {
    Direct,
    /// Each connection has a server's for itself, which others had before.
    SessionPooler,
    /// Each transaction has one.
    TransactionPooler,
}

/// Migrations by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// This program has them, the database has not.
    pub pending: Vec<i64>,
    /// The database has them, this program has not.
    pub unknown: Vec<i64>,
}

/// PostgreSQL's own state.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ServerState {
    pub version: String,
    /// The database's time.
    pub now: DateTime<Utc>,
    /// Of all databases; without the role `pg_read_all_stats` they are seen all the same.
    pub connections: i64,
    pub max_connections: i64,
    /// Settings that are off and without which what was promised may be lost, by their names.
    pub unsafe_settings: Vec<String>,
    pub autovacuum: bool,
}

/// Opens three connections of its own.
pub async fn connection_mode(url: &str) -> Result<ConnectionMode, StoreError> {
    // A wish of the driver's own that poolers do not know.
    let options = PgConnectOptions::from_str(url)?.application_name("trunkline").extra_float_digits(None);
    // Whatever is between us has a connection to hand out again after this one.
    let before = Backend::look(&mut options.connect().await?).await?;
    let mut first = options.connect().await?;
    let one = Backend::look(&mut first).await?;
    if one.started_at > before.now {
        first.close().await?;
        return Ok(ConnectionMode::Direct);
    }
    let mut second = options.connect().await?;
    let other = Backend::look(&mut second).await?;
    first.close().await?;
    second.close().await?;
    Ok(if one.pid == other.pid { ConnectionMode::TransactionPooler } else { ConnectionMode::SessionPooler })
}

impl Store {
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let is_there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(&self.pool)
            .await?;
        let applied: Vec<i64> = if is_there {
            sqlx::query_scalar("select version from _sqlx_migrations where success order by version")
                .fetch_all(&self.pool)
                .await?
        } else {
            Vec::new()
        };
        let known: BTreeSet<i64> = migrations::versions().collect();
        let applied: BTreeSet<i64> = applied.into_iter().collect();
        Ok(SchemaState {
            pending: known.difference(&applied).copied().collect(),
            unknown: applied.difference(&known).copied().collect(),
        })
    }

    pub async fn server_state(&self) -> Result<ServerState, StoreError> {
        Ok(sqlx::query_as(
            "select current_setting('server_version') as version, clock_timestamp() as now,
                 (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
                 current_setting('max_connections')::bigint as max_connections,
                 array(
                     select name::text
                     from pg_settings
                     where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
                     order by name
                 ) as unsafe_settings,
                 current_setting('autovacuum')::bool as autovacuum",
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Weeks after this one that the history has partitions for without a gap.
    pub async fn weeks_ahead(&self) -> Result<usize, StoreError> {
        let rows: Vec<(DateTime<Utc>, Option<String>)> = sqlx::query_as(
            "select now(), c.relname::text
             from (select) as always
             left join pg_inherits h on h.inhparent = 'instances'::regclass
             left join pg_class c on c.oid = h.inhrelid",
        )
        .fetch_all(&self.pool)
        .await?;
        let there: BTreeSet<Week> =
            rows.iter().filter_map(|(_, name)| Week::of_table(name.as_deref()?)).collect();
        let this = rows.first().map_or_else(|| Week::of(DateTime::UNIX_EPOCH), |(now, _)| Week::of(*now));
        let mut week = this.next();
        let mut count = 0;
        while there.contains(&week) {
            week = week.next();
            count += 1;
        }
        Ok(count)
    }
}

/// Statements are sent as they are: a pooler may know nothing of prepared ones.
struct Backend {
    pid: i32,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Backend {
    async fn look(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let row = sqlx::raw_sql(
            "select pid, backend_start, clock_timestamp() from pg_stat_activity where pid = pg_backend_pid()",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self { pid: row.try_get(0)?, started_at: row.try_get(1)?, now: row.try_get(2)? })
    }
}
