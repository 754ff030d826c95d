//! apalis-workflow on apalis-postgres: each step is a job, and the step before it pushes it.

use std::time::Duration;

use apalis_core::backend::TaskSink;
use apalis_core::backend::ext::BackendExt;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use apalis_workflow::SteppedFlow;
use serde_json::Value;

use crate::load::{STEPS, input, parked};
use crate::measure::{BATCH, Part, Peer};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone)]
pub struct Steps {
    storage: PostgresStorage<Value>,
    part: Part,
}

/// Hands on what it was given: an output for the next one.
async fn step(data: Value) -> Result<Value, BoxDynError> {
    Ok(data)
}

impl Peer for Steps {
    const CRATE: &'static str = "apalis-workflow";
    const WORKFLOWS: usize = 2_000;
    const STEPS: usize = STEPS;
    const OPEN: &'static str = "select exists (select from apalis.jobs where status <> 'Done')";
    const ENDED_COUNT: &'static str = "select count(distinct job) from apalis.jobs where status = 'Done'";
    const STEP_COUNT: &'static str = "select count(*) from apalis.jobs where status = 'Done'";
    const PARKED: &'static str =
        "select count(*) from apalis.jobs where status = 'Pending' and run_at > now()";

    /// The last of its jobs is done.
    fn ended(steps: usize) -> &'static str {
        if steps == 1 {
            "select convert_from(job, 'utf8') from apalis.jobs
             where job = any (array(select convert_to(id, 'utf8') from unnest($1::text[]) as id)) and status = 'Done'"
        } else {
            "select convert_from(job, 'utf8') from apalis.jobs
             where job = any (array(select convert_to(id, 'utf8') from unnest($1::text[]) as id)) and status = 'Done'
             and metadata -> 'apalis_workflow.context.step_index' = '4'"
        }
    }

    fn settings(part: Part) -> &'static str {
        match part {
            Part::Steps => {
                "batches of 500, handlers on all cores, no second write at a step's begin, 8 connections, looks every 10 ms"
            }
            Part::Latency(_) => "woken by `notify`, looks every 5 ms all the same",
            Part::Parked => "waits for a day between two steps",
        }
    }

    fn connections(_: Part) -> u32 {
        8
    }

    async fn new(pool: PgPool, part: Part) -> anyhow::Result<Self> {
        PostgresStorage::setup(&pool).await?;
        if let Part::Latency(_) = part {
            // For those who look when a workflow has ended.
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
        self.storage.clone().push(serde_json::to_value(parked(n))?).await?;
        Ok(())
    }

    async fn work(&self) -> anyhow::Result<()> {
        let context = WorkerContext::new("bench");
        if let Part::Latency(steps) = self.part {
            let flow = SteppedFlow::new("chain");
            let backend = self.storage.clone().with_pubsub().poll_with_interval(Duration::from_millis(5));
            let worker = WorkerBuilder::new(&context).backend(backend).parallelize(tokio::spawn);
            if steps == 1 {
                worker.build(flow.and_then(step)).run().await?;
            } else {
                worker
                    .build(flow.and_then(step).and_then(step).and_then(step).and_then(step).and_then(step))
                    .run()
                    .await?;
            }
        } else {
            let flow = SteppedFlow::new("chain");
            let backend = self.storage.clone().poll_with_interval(Duration::from_millis(10));
            let worker = WorkerBuilder::new(&context).backend(backend).parallelize(tokio::spawn);
            if self.part == Part::Parked {
                worker.build(flow.delay_for(DAY).and_then(step)).run().await?;
            } else {
                worker
                    .build(flow.and_then(step).and_then(step).and_then(step).and_then(step).and_then(step))
                    .run()
                    .await?;
            }
        }
        Ok(())
    }
}
