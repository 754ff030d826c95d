//! (a) Steps per second of the engine: instances that wait to be claimed, workers that start with nothing
//! in their hands, and the time until no job is left.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient};
use trunkline_expressions::{Evaluator, EvaluatorCommand, Limits};
use trunkline_store::Store;
use trunkline_store::cluster::Cluster;
use trunkline_workers::{ConnectorUse, Rules, Settings, Tools};

use crate::EVALUATOR;
use crate::database::Prepared;
use crate::processor_time::ProcessorTime;
use crate::summary::Throughput;

pub const INSTANCES: usize = 20_000;
pub const STEPS: usize = 5;
const LIMIT: Duration = Duration::from_secs(90);
/// Often enough for a figure of a second, and a look by a key costs nothing.
const LOOK: Duration = Duration::from_millis(5);

/// The workers share a process, as those of `trunkline dev` do.
pub async fn measure(cluster: &Cluster, workers: usize) -> anyhow::Result<Throughput> {
    let database = Prepared::new(cluster, "engine", STEPS).await?;
    database.start_instances(INSTANCES).await?;
    let (stop, stopped) = watch::channel(false);
    let mut running = JoinSet::new();
    let processor_time = ProcessorTime::begin(cluster);
    let begun = Instant::now();
    for number in 1..=workers {
        let mut stopped = stopped.clone();
        let settings = Settings { name: format!("bench-{number}"), ..Settings::default() };
        running.spawn(trunkline_workers::run(database.store.clone(), tools(), settings, async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }));
    }
    until_no_job_is_left(&database.store, LIMIT).await?;
    let throughput = Throughput::new(INSTANCES * STEPS, begun.elapsed(), &processor_time);
    stop.send_replace(true);
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    database.check_complete(INSTANCES, STEPS).await?;
    database.remove(cluster).await?;
    Ok(throughput)
}

/// The whole queue is looked through, and what is dead in it, once the instance that was started last has no job.
pub async fn until_no_job_is_left(store: &Store, limit: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let last: Option<Vec<u8>> =
        sqlx::query_scalar("select instance_id from jobs order by instance_id desc limit 1")
            .fetch_optional(store.pool())
            .await?;
    let is_any_left = "select exists (select from jobs where instance_id = $1) or exists (select from jobs)";
    while sqlx::query_scalar(is_any_left).bind(&last).fetch_one(store.pool()).await? {
        anyhow::ensure!(begun.elapsed() < limit, "jobs are left after {} s", limit.as_secs());
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

pub fn tools() -> Tools {
    let outbound = OutboundClient::new(AddressPolicy::default());
    Tools {
        evaluator: Evaluator::new(EvaluatorCommand::this_program([EVALUATOR]), 1, Limits::default()),
        providers: outbound.clone(),
        outbound,
        fallback: None,
        messages_fallback: None,
        connectors: ConnectorUse::default(),
        rules: Rules::default(),
    }
}
