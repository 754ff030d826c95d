//! apalis-postgres as a plain queue: no output that matters and no step after it.

use std::time::Duration;

use apalis_core::backend::TaskSink;
use apalis_core::backend::ext::BackendExt;
use apalis_core::error::BoxDynError;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use apalis_postgres::{Config, PgPool, PostgresStorage};

use crate::load::{input, parked};
use crate::measure::{BATCH, Part, Peer};

#[derive(Clone)]
pub struct Queue {
    storage: PostgresStorage<serde_json::Value>,
    part: Part,
}

async fn job(_: serde_json::Value) -> Result<(), BoxDynError> {
    Ok(())
}

impl Peer for Queue {
    const CRATE: &'static str = "apalis-postgres";
    const WORKFLOWS: usize = 30_000;
    const STEPS: usize = 1;
    const OPEN: &'static str = "select exists (select from apalis.jobs where status <> 'Done')";
    const ENDED_COUNT: &'static str = "select count(*) from apalis.jobs where status = 'Done'";
    const STEP_COUNT: &'static str = Self::ENDED_COUNT;
    const PARKED: &'static str =
        "select count(*) from apalis.jobs where status = 'Pending' and run_at > now()";

    fn ended(_: usize) -> &'static str {
        "select convert_from(job, 'utf8') from apalis.jobs
         where job = any (array(select convert_to(id, 'utf8') from unnest($1::text[]) as id)) and status = 'Done'"
    }

    fn settings(part: Part) -> &'static str {
        match part {
            Part::Steps => {
                "batches of 500, handlers on all cores, no second write at a job's begin, 8 connections"
            }
            Part::Latency(_) => "woken by `notify`, looks every 5 ms all the same",
            Part::Parked => "jobs due in a day",
        }
    }

    fn connections(_: Part) -> u32 {
        8
    }

    async fn new(pool: PgPool, part: Part) -> anyhow::Result<Self> {
        PostgresStorage::setup(&pool).await?;
        if let Part::Latency(_) = part {
            // For those who look when a job has ended.
            sqlx::raw_sql("create index on apalis.jobs (job) where status = 'Done'").execute(&pool).await?;
        }
        let config = Config::default().queue("bench").batch_size(500).lock_tasks(false);
        Ok(Self { storage: PostgresStorage::new(&pool).with_config(config), part })
    }

    async fn fill(&self, count: usize) -> anyhow::Result<()> {
        let mut storage = self.storage.clone();
        for first in (0..count).step_by(BATCH) {
            let inputs = (first..count.min(first + BATCH)).map(|n| serde_json::to_value(input(n)));
            storage.push_bulk(inputs.collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }

    async fn start(&self, n: usize) -> anyhow::Result<String> {
        let input = serde_json::to_value(input(n))?;
        let id = input.to_string();
        self.storage.clone().push(input).await?;
        Ok(id)
    }

    async fn park(&self, n: usize) -> anyhow::Result<()> {
        let task = TaskBuilder::new(serde_json::to_value(parked(n))?).run_in_hours(24).build();
        self.storage.clone().push_task(task).await?;
        Ok(())
    }

    async fn work(&self) -> anyhow::Result<()> {
        let context = WorkerContext::new("bench");
        match self.part {
            Part::Latency(_) => {
                let backend = self.storage.clone().with_pubsub().poll_with_interval(Duration::from_millis(5));
                WorkerBuilder::new(&context)
                    .backend(backend)
                    .parallelize(tokio::spawn)
                    .build(job)
                    .run()
                    .await?;
            }
            Part::Steps | Part::Parked => {
                let backend = self.storage.clone().poll_with_interval(Duration::from_millis(10));
                WorkerBuilder::new(&context)
                    .backend(backend)
                    .parallelize(tokio::spawn)
                    .build(job)
                    .run()
                    .await?;
            }
        }
        Ok(())
    }
}
