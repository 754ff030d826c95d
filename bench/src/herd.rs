//! (t) Many timers that are due at the same moment: how fast they are let through, what callers feel meanwhile, and how
//! much memory the processes take.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use trunkline_store::audit::By;
use trunkline_store::cluster::Cluster;

use crate::batches::until_parked;
use crate::database::Prepared;
use crate::definition;
use crate::engine::until_no_job_is_left;
use crate::latency::{Caller, start_request};
use crate::server::{Role, Server};
use crate::summary::{Latencies, per_second};

const LIMIT: Duration = Duration::from_secs(600);

pub struct Herd {
    pub per_second: f64,
    /// How long a start takes to be answered meanwhile.
    pub answered: Latencies,
    /// Bytes of the process that took most.
    pub memory: u64,
}

pub async fn measure(cluster: &Cluster, folder: &Path, instances: usize) -> anyhow::Result<Herd> {
    let database = Prepared::new(cluster, "herd", 1).await?;
    let parked = database
        .store
        .create_definition(&database.account, uuid::Uuid::new_v4(), definition::parked()?, &By::trunkline())
        .await?;
    database.start_instances_of(parked.id, instances).await?;
    let server = Server::start(Role::Dev, &cluster.url(&database.name), folder).await?;
    until_parked(&database.store, instances).await?;
    sqlx::raw_sql("vacuum (analyze)").execute(database.store.pool()).await?;
    let caller = Caller::new(server.address, start_request(&database));
    caller.warm_up().await?;

    sqlx::query("update waits set due_at = now()").execute(database.store.pool()).await?;
    let begun = Instant::now();
    let is_drained = AtomicBool::new(false);
    let calling = caller.call_while(None, |_| !is_drained.load(Ordering::Relaxed));
    let (answered, ()) = tokio::try_join!(calling, async {
        until_parked(&database.store, 0).await?;
        is_drained.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    until_no_job_is_left(&database.store, LIMIT).await?;
    let elapsed = begun.elapsed();
    let memory = server.processes()?.into_iter().filter_map(most_memory).max();
    server.stop().await?;
    database.check().await?;
    database.remove(cluster).await?;
    Ok(Herd {
        per_second: per_second(instances, elapsed),
        answered: Latencies::new(answered).context("nobody called")?,
        memory: memory.context("the system does not tell how much memory a process took")?,
    })
}

/// The most that a process has had in memory, in bytes.
fn most_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}
