//! (w) Steps per second of several worker processes: each is `trunkline worker` of this very build.
//!
//! The queue is kept shut until all of them stand before it, so that their start is not measured.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use trunkline_store::Store;
use trunkline_store::cluster::Cluster;

use crate::TRUNKLINE;
use crate::database::{MASTER_KEY, Prepared};
use crate::engine::{INSTANCES, STEPS, until_no_job_is_left};
use crate::processor_time::ProcessorTime;
use crate::summary::Throughput;

const READY_WITHIN: Duration = Duration::from_secs(12);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(120);

pub async fn measure(cluster: &Cluster, folder: &Path, count: usize) -> anyhow::Result<Throughput> {
    let database = Prepared::new(cluster, "processes", STEPS).await?;
    database.start_instances(INSTANCES).await?;
    let url = cluster.url(&database.name);
    let mut door = database.store.pool().begin().await?;
    // It meets those that claim, and nobody who registers or renews.
    sqlx::raw_sql("lock table jobs in exclusive mode").execute(&mut *door).await?;
    let workers =
        (1..=count).map(|number| start(&url, folder, number)).collect::<anyhow::Result<Vec<_>>>()?;
    until_all_wait(&database.store, count).await?;
    let processor_time = ProcessorTime::of(cluster, workers.iter().filter_map(Child::id).collect());
    let begun = Instant::now();
    door.commit().await?;
    until_no_job_is_left(&database.store, LIMIT).await?;
    let throughput = Throughput::new(INSTANCES * STEPS, begun.elapsed(), &processor_time);
    for worker in workers {
        stop(worker).await?;
    }
    database.check_complete(INSTANCES, STEPS).await?;
    database.remove(cluster).await?;
    Ok(throughput)
}

fn start(url: &str, folder: &Path, number: usize) -> anyhow::Result<Child> {
    let log = folder.join(format!("worker-{number}.log"));
    let mut command = Command::new(std::env::current_exe()?);
    command.args([TRUNKLINE, "worker", "--name", &format!("bench-{number}"), "--database-url", url]);
    // As the workers of (a) have it.
    command.env("TRUNKLINE_EVALUATORS", "1").env("TRUNKLINE_MASTER_KEY", MASTER_KEY);
    // Eight of them share the hundred connections of PostgreSQL.
    command.env("TRUNKLINE_DATABASE_CONNECTIONS", "4");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?).kill_on_drop(true);
    Ok(command.spawn()?)
}

async fn until_all_wait(store: &Store, count: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "select count(distinct pid)
             from pg_locks l
             join pg_stat_activity a using (pid)
             where l.relation = 'jobs'::regclass and not l.granted and a.application_name = 'trunkline-worker'",
        )
        .fetch_one(store.pool())
        .await?;
        if usize::try_from(waiting)? >= count {
            return Ok(());
        }
        ensure!(begun.elapsed() < READY_WITHIN, "{waiting} of {count} workers claim after {READY_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn stop(mut worker: Child) -> anyhow::Result<()> {
    let process = worker.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    kill_process(process.context("a worker has ended by itself")?, Signal::TERM)?;
    let status =
        tokio::time::timeout(STOPPED_WITHIN, worker.wait()).await.context("a worker does not stop")??;
    ensure!(status.success(), "a worker ended with {status}");
    Ok(())
}
