//! (h) The engine at full load for minutes, among parked instances, while somebody holds a snapshot, so that no dead row
//! can be removed: what it does at the end, compared with the beginning.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::cluster::Cluster;
use trunkline_workers::Settings;

use crate::batches::until_parked;
use crate::database::Prepared;
use crate::definition;
use crate::engine::{STEPS, tools, until_no_job_is_left};
use crate::server::{Role, Server};
use crate::summary::per_second;

/// Instances that are ready or under way; a tenth of them are started at once.
const BACKLOG: usize = 20_000;
/// Beginning and end are so many parts of the whole.
const PARTS: u32 = 10;
const LIMIT: Duration = Duration::from_secs(120);

pub struct Held {
    /// Steps a second, in the first tenth and in the last.
    pub first: f64,
    pub last: f64,
    /// Bytes of the queue's table at the end.
    pub queue: i64,
}

pub async fn measure(
    cluster: &Cluster,
    folder: &Path,
    parked: usize,
    lasting: Duration,
) -> anyhow::Result<Held> {
    let database = Prepared::new(cluster, "held", STEPS).await?;
    park(&database, cluster, folder, parked).await?;

    let mut holder = Store::open(&cluster.url(&database.name), 1)?.pool().begin().await?;
    sqlx::raw_sql("set transaction isolation level repeatable read; select count(*) from accounts")
        .execute(&mut *holder)
        .await?;
    let (stop, mut stopped) = watch::channel(false);
    let mut running = JoinSet::new();
    let settings = Settings { name: "bench".to_owned(), ..Settings::default() };
    running.spawn(trunkline_workers::run(database.store.clone(), tools(), settings, async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }));
    let before = written(&database.store).await?;
    let begun = Instant::now();
    let part = lasting / PARTS;
    let mut rates = Vec::new();
    let mut started = 0;
    for number in 1..=PARTS {
        let (part_begun, from) = (Instant::now(), written(&database.store).await?);
        while begun.elapsed() < part * number {
            let done = (written(&database.store).await? - before) / STEPS;
            if started < done + BACKLOG {
                database.start_more(BACKLOG / 10).await?;
                started += BACKLOG / 10;
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let count = written(&database.store).await? - from;
        rates.push(per_second(count, part_begun.elapsed()));
    }
    until_no_job_is_left(&database.store, LIMIT).await?;
    let queue =
        sqlx::query_scalar("select pg_total_relation_size('jobs')").fetch_one(database.store.pool()).await?;
    stop.send_replace(true);
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    holder.commit().await?;
    database.check().await?;
    database.remove(cluster).await?;
    let (first, last) = rates.first().zip(rates.last()).context("nothing was measured")?;
    Ok(Held { first: *first, last: *last, queue })
}

async fn park(database: &Prepared, cluster: &Cluster, folder: &Path, count: usize) -> anyhow::Result<()> {
    let parked = database
        .store
        .create_definition(&database.account, uuid::Uuid::new_v4(), definition::parked()?, &By::trunkline())
        .await?;
    database.start_instances_of(parked.id, count).await?;
    let server = Server::start(Role::Dev, &cluster.url(&database.name), folder).await?;
    until_parked(&database.store, count).await?;
    server.stop().await?;
    sqlx::raw_sql("vacuum (analyze)").execute(database.store.pool()).await?;
    Ok(())
}

/// Steps that were written, as PostgreSQL's statistics know it: counting them would be part of the load. They are a
/// second late.
async fn written(store: &Store) -> anyhow::Result<usize> {
    let count: i64 = sqlx::query_scalar(
        "select coalesce(sum(n_tup_ins), 0)::bigint
         from pg_stat_user_tables
         where relname like 'steps%'",
    )
    .fetch_one(store.pool())
    .await?;
    Ok(usize::try_from(count)?)
}
