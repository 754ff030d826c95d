//! (b) The limit: the same rows in the same tables, moved by bare SQL that knows everything beforehand.
//!
//! The paths lie in `jobs` already leased, in the order of their ids. Two connections take half of them
//! each, 256 paths at a time as the engine does, and move each batch five turns: the path's row is rewritten
//! in place and the log gets its entry in the same statement, as the engine does it; the fifth turn removes
//! the row and ends the instance. There is no claim, no context, no decision, nothing is told back but how
//! many rows moved, and as all rows of a batch stand at the same step, what the engine sends in arrays is
//! one parameter here. The statements are prepared once, and each is a transaction.
//!
//! Tried and no faster on two cores: a join with `unnest` in the place of `any`, the log's partition named
//! directly, answers without `now()`, three or four connections; batches of 64 are slower (145,000 against
//! 175,000 steps/s), and so are those of 128 (165,000).

use std::time::Instant;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use trunkline_store::HotConnection;
use trunkline_store::cluster::Cluster;

use crate::database::Prepared;
use crate::engine::{INSTANCES, STEPS};
use crate::processor_time::ProcessorTime;
use crate::summary::Throughput;

const CONNECTIONS: usize = 2;
const BATCH: usize = 256;

/// Whoever it is that holds the paths.
const LEASE: &str = "
with holder as (
    insert into workers (name, slots, version, leased_until)
    values ('bare SQL', 20000, '', now() + interval '1 hour')
    returning id
)
update jobs
set worker = holder.id, attempt = 1, started_at = now()
from holder";

const GO_ON: &str = "
with moved as (
    update jobs
    set n = $2 + 1, step = $2, issued = $2 + 1, resume = null, attempt = 1, started_at = now()
    where instance_id = any($1) and path = 1 and worker is not null and n = $2
    returning instance_id
), logged as (
    insert into steps (instance_id, n, name, status, attempt, started_at)
    select instance_id, $2, $3, 'Complete', 1, $4
    from moved
)
select count(*), now() from moved";

const END: &str = "
with removed as (
    delete from jobs
    where instance_id = any($1) and path = 1 and worker is not null and n = $2
    returning instance_id
), logged as (
    insert into steps (instance_id, n, name, status, attempt, started_at)
    select instance_id, $2, $3, 'Complete', 1, $4
    from removed
), ended as (
    update instances
    set status = 'Complete', completed_at = now()
    where id = any($1)
)
select count(*), now() from removed";

pub async fn measure(cluster: &Cluster) -> anyhow::Result<Throughput> {
    let database = Prepared::new(cluster, "bare_sql", STEPS).await?;
    database.start_instances(INSTANCES).await?;
    sqlx::raw_sql(LEASE).execute(database.store.pool()).await?;
    sqlx::raw_sql("vacuum (analyze) jobs").execute(database.store.pool()).await?;
    let ids: Vec<Vec<u8>> = sqlx::query_scalar("select instance_id from jobs order by instance_id")
        .fetch_all(database.store.pool())
        .await?;
    let leased_at: DateTime<Utc> =
        sqlx::query_scalar("select max(started_at) from jobs").fetch_one(database.store.pool()).await?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(database.store.hot_connection().await?);
    }

    let processor_time = ProcessorTime::begin(cluster);
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for (connection, ids) in connections.into_iter().zip(ids.chunks(INSTANCES.div_ceil(CONNECTIONS))) {
        working.spawn(work(connection, ids.to_vec(), leased_at));
    }
    // Kept until the processor time is read: a server process that has just ended is counted nowhere.
    let mut idle = Vec::new();
    while let Some(ended) = working.join_next().await {
        idle.push(ended??);
    }
    let throughput = Throughput::new(INSTANCES * STEPS, begun.elapsed(), &processor_time);

    drop(idle);
    database.check_complete(INSTANCES, STEPS).await?;
    database.remove(cluster).await?;
    Ok(throughput)
}

async fn work(
    mut connection: HotConnection,
    ids: Vec<Vec<u8>>,
    leased_at: DateTime<Utc>,
) -> anyhow::Result<HotConnection> {
    for batch in ids.chunks(BATCH) {
        let mut started_at = leased_at;
        for turn in 1..=STEPS {
            let statement = if turn < STEPS { GO_ON } else { END };
            let (moved, now): (i64, DateTime<Utc>) = sqlx::query_as(statement)
                .bind(batch)
                .bind(i32::try_from(turn)?)
                .bind(format!("s{turn}"))
                .bind(started_at)
                .fetch_one(&mut connection)
                .await?;
            ensure!(usize::try_from(moved)? == batch.len(), "{moved} of {} paths moved", batch.len());
            started_at = now;
        }
    }
    Ok(connection)
}
