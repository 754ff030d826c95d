//! Stock apalis-postgres on the same chain: every step is a task, and its handler pushes the next one.
//!
//! As its documentation has it, with what made it fastest here: batches of 500 (its default of 10 makes
//! 1,900 steps/s, 100 makes 3,400, 500 makes 4,200, 2,000 no more), no second write when a task begins
//! (`lock_tasks`), handlers spread over the cores (`parallelize`), a pool of 8, a look for tasks every
//! 10 ms. It does less than the engine: there is no instance, no log, nothing to evaluate; and a crash
//! between a handler's push and its acknowledgement runs the rest of the chain twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use apalis_core::backend::TaskSink;
use apalis_core::backend::ext::BackendExt;
use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use apalis_postgres::{Config, PostgresStorage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use trunkline_store::cluster::Cluster;

use crate::database;
use crate::engine::STEPS;
use crate::processor_time::ProcessorTime;
use crate::summary::Throughput;

/// The rate is what counts, and it is the same with more.
const INSTANCES: usize = 3_000;
const BATCH: usize = 500;
const CONNECTIONS: u32 = 8;
const POLL: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    instance: usize,
    n: usize,
    data: Map<String, Value>,
}

#[derive(Clone)]
struct Chain {
    storage: PostgresStorage<Step>,
    ended: Arc<AtomicUsize>,
}

async fn execute(step: Step, chain: Data<Chain>) -> Result<(), BoxDynError> {
    if step.n == STEPS {
        chain.ended.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    let mut storage = chain.storage.clone();
    storage.push(Step { n: step.n + 1, ..step }).await?;
    Ok(())
}

pub async fn measure(cluster: &Cluster) -> anyhow::Result<Throughput> {
    let store = database::create(cluster, "stock").await?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&cluster.url("stock")).await?;
    PostgresStorage::setup(&pool).await?;
    let config = Config::default().queue("steps").batch_size(BATCH).lock_tasks(false);
    let mut storage = PostgresStorage::<Step>::new(&pool).with_config(config);
    let first = |instance| Step { instance, n: 1, data: database::context() };
    storage.push_bulk((0..INSTANCES).map(first).collect()).await?;
    sqlx::raw_sql("vacuum (analyze) apalis.jobs").execute(&pool).await?;
    // It keeps its times in whole seconds, and takes what is older than now.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let ended = Arc::new(AtomicUsize::new(0));
    let chain = Chain { storage: storage.clone(), ended: ended.clone() };
    let context = WorkerContext::new("stock");
    let worker = WorkerBuilder::new(&context)
        .backend(storage.poll_with_interval(POLL))
        .data(chain)
        .parallelize(tokio::spawn)
        .build(execute);
    let processor_time = ProcessorTime::begin(cluster);
    let watching = async {
        let elapsed = until_all_are_done(&pool, &ended).await;
        context.stop()?;
        anyhow::Ok(Throughput::new(INSTANCES * STEPS, elapsed?, &processor_time))
    };
    let (ran, throughput) = tokio::join!(worker.run(), watching);
    ran?;
    pool.close().await;
    database::remove(cluster, store, "stock").await?;
    throughput
}

/// Every handler ran and every task is acknowledged.
async fn until_all_are_done(pool: &PgPool, ended: &AtomicUsize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let check_time = || {
        let ended = ended.load(Ordering::Relaxed);
        ensure!(begun.elapsed() < LIMIT, "after {} s {ended} chains have ended", LIMIT.as_secs());
        Ok(())
    };
    while ended.load(Ordering::Relaxed) < INSTANCES {
        check_time()?;
        tokio::time::sleep(LOOK).await;
    }
    loop {
        let (open, done): (i64, i64) = sqlx::query_as(
            "select count(*) filter (where status <> 'Done'), count(*) filter (where status = 'Done')
             from apalis.jobs",
        )
        .fetch_one(pool)
        .await?;
        if open == 0 {
            let elapsed = begun.elapsed();
            ensure!(usize::try_from(done)? == INSTANCES * STEPS, "{done} tasks");
            return Ok(elapsed);
        }
        check_time()?;
        tokio::time::sleep(LOOK).await;
    }
}
