//! graphile_worker, the Rust rewrite: a plain queue whose done jobs are deleted.

use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;

use crate::load::{input, parked};
use crate::measure::{BATCH, Part, Peer};

const SCHEMA: &str = "graphile_worker";

#[derive(Clone)]
pub struct Queue {
    pool: PgPool,
    part: Part,
}

#[derive(Clone, Serialize, Deserialize)]
struct Job(Value);

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = "job";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        Ok::<(), String>(())
    }
}

impl Queue {
    fn utils(&self) -> WorkerUtils {
        WorkerUtils::new(self.pool.clone(), SCHEMA)
    }
}

impl Peer for Queue {
    const CRATE: &'static str = "graphile_worker";
    const WORKFLOWS: usize = 100_000;
    const STEPS: usize = 1;
    const OPEN: &'static str = "select exists (select from graphile_worker._private_jobs)";
    // A job that failed would still be there.
    const ENDED_COUNT: &'static str =
        "select case when exists (select from graphile_worker._private_jobs) then 0
         else pg_sequence_last_value(pg_get_serial_sequence('graphile_worker._private_jobs', 'id')) end";
    const STEP_COUNT: &'static str = Self::ENDED_COUNT;
    const PARKED: &'static str = "select count(*) from graphile_worker._private_jobs where run_at > now()";

    fn ended(_: usize) -> &'static str {
        "select id from unnest($1::text[]) as told (id)
         where not exists (select from graphile_worker._private_jobs as jobs where jobs.id = told.id::bigint)"
    }

    fn settings(part: Part) -> &'static str {
        match part {
            Part::Steps => "24 jobs at once, 2 local queues of 1,000, completions in batches, 30 connections",
            Part::Latency(_) => "woken by `notify`, 10 jobs at once, no local queue",
            Part::Parked => "jobs due in a day",
        }
    }

    fn connections(_: Part) -> u32 {
        30
    }

    async fn new(pool: PgPool, part: Part) -> anyhow::Result<Self> {
        let queue = Self { pool, part };
        queue.utils().migrate().await?;
        Ok(queue)
    }

    async fn fill(&self, count: usize) -> anyhow::Result<()> {
        let utils = self.utils();
        for first in (0..count).step_by(BATCH) {
            let mut jobs = Vec::with_capacity(BATCH);
            for n in first..count.min(first + BATCH) {
                let payload = serde_json::to_value(input(n))?;
                jobs.push(RawJobSpec { identifier: "job".to_owned(), payload, spec: JobSpec::default() });
            }
            utils.add_raw_jobs(&jobs).await?;
        }
        Ok(())
    }

    async fn start(&self, n: usize) -> anyhow::Result<String> {
        let job = Job(serde_json::to_value(input(n))?);
        Ok(self.utils().add_job(job, JobSpec::default()).await?.id().to_string())
    }

    async fn park(&self, n: usize) -> anyhow::Result<()> {
        let job = Job(serde_json::to_value(parked(n))?);
        let spec =
            JobSpec { run_at: Some(chrono::Utc::now() + chrono::Duration::days(1)), ..JobSpec::default() };
        self.utils().add_job(job, spec).await?;
        Ok(())
    }

    async fn work(&self) -> anyhow::Result<()> {
        let options = WorkerOptions::default()
            .pg_pool(self.pool.clone())
            .schema(SCHEMA)
            .listen_os_shutdown_signals(false)
            .define_job::<Job>();
        let options = if self.part == Part::Steps {
            options
                .concurrency(24)
                .poll_interval(Duration::from_millis(10))
                .complete_job_batch_delay(Duration::from_millis(1))
                .local_queue(LocalQueueConfig::default().with_size(1_000).with_queue_count(2))
        } else {
            options.concurrency(10)
        };
        options.init().await?.run().await?;
        Ok(())
    }
}
