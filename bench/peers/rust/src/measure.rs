//! The parts, for any peer.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::load::{PER_SECOND, WARM_UP, parked, percentiles, until};
use crate::watcher::{Started, Watcher};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Steps,
    Latency(usize),
    Parked,
}

pub trait Peer: Clone + Send + Sync + 'static {
    /// Whose version is told.
    const CRATE: &'static str;
    /// Of the part about steps.
    const WORKFLOWS: usize;
    /// A job of a queue is one.
    const STEPS: usize;
    /// Whether one has not ended.
    const OPEN: &'static str;
    /// Those of the ids in `$1` that have ended.
    fn ended(steps: usize) -> &'static str;
    const ENDED_COUNT: &'static str;
    const STEP_COUNT: &'static str;
    const PARKED: &'static str;

    fn settings(part: Part) -> &'static str;
    fn connections(part: Part) -> u32;
    /// Its schema, and itself.
    fn new(pool: PgPool, part: Part) -> impl Future<Output = anyhow::Result<Self>> + Send;
    fn fill(&self, count: usize) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// Answers by what it is known to [`Peer::ended`].
    fn start(&self, n: usize) -> impl Future<Output = anyhow::Result<String>> + Send;
    fn park(&self, n: usize) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// For ever.
    async fn work(&self) -> anyhow::Result<()>;
}

pub async fn measure<P: Peer>(url: &str, part: Part, amount: usize) -> anyhow::Result<Value> {
    let pool = PgPoolOptions::new().max_connections(P::connections(part)).connect(url).await?;
    let looking = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let peer = P::new(pool, part).await?;
    let mut printed = match part {
        Part::Steps => {
            measure_steps(&peer, &looking, if amount == 0 { P::WORKFLOWS } else { amount }).await?
        }
        Part::Latency(steps) => measure_latency(&peer, url, &looking, steps, amount).await?,
        Part::Parked => measure_parked(&peer, &looking, amount).await?,
    };
    printed["version"] = json!(version(P::CRATE)?);
    printed["settings"] = json!(P::settings(part));
    Ok(printed)
}

async fn measure_steps<P: Peer>(peer: &P, looking: &PgPool, workflows: usize) -> anyhow::Result<Value> {
    peer.fill(workflows).await?;
    sqlx::raw_sql("vacuum (analyze)").execute(looking).await?;
    // Some keep their times in whole seconds, and take what is older than now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    begin_work(peer);
    until("all have ended", Duration::from_millis(20), async || {
        Ok(!sqlx::query_scalar::<_, bool>(P::OPEN).fetch_one(looking).await?)
    })
    .await?;
    let elapsed = begun.elapsed().as_secs_f64();
    check::<P>(looking, workflows, workflows * P::STEPS).await?;
    let steps = f64::from(u32::try_from(workflows * P::STEPS)?);
    Ok(json!({"steps": steps, "perSecond": steps / elapsed}))
}

async fn measure_latency<P: Peer>(
    peer: &P,
    url: &str,
    looking: &PgPool,
    steps: usize,
    seconds: usize,
) -> anyhow::Result<Value> {
    begin_work(peer);
    let watcher = Watcher::begin(url, P::ended(steps));
    let starts = WARM_UP + PER_SECOND * seconds;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PER_SECOND)?);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut starting = JoinSet::new();
    for n in 0..starts {
        tick.tick().await;
        let (peer, tell) = (peer.clone(), watcher.tell.clone());
        starting.spawn(async move {
            let called = Instant::now();
            let id = peer.start(n).await?;
            tell.send(Started { id, called, counts: n >= WARM_UP }).context("nobody watches any more")
        });
    }
    while let Some(started) = starting.join_next().await {
        started??;
    }
    let latencies = tokio::task::spawn_blocking(move || watcher.finish()).await??;
    check::<P>(looking, starts, if P::STEPS == 1 { starts } else { starts * steps }).await?;
    let count = latencies.len();
    let (p50, p99) = percentiles(latencies);
    Ok(json!({"count": count, "p50": p50, "p99": p99}))
}

async fn measure_parked<P: Peer>(peer: &P, looking: &PgPool, instances: usize) -> anyhow::Result<Value> {
    let size = async || -> anyhow::Result<f64> {
        let size = "select pg_database_size(current_database())::float8";
        Ok(sqlx::query_scalar(size).fetch_one(looking).await?)
    };
    let vacuum = async || sqlx::raw_sql("vacuum (analyze)").execute(looking).await;
    // As afterwards: maps of free space and statistics of what is there already are nothing that an instance takes.
    vacuum().await?;
    let empty = size().await?;
    begin_work(peer);
    for n in 0..instances {
        peer.park(n).await?;
    }
    until("all are parked", Duration::from_millis(100), async || {
        Ok(count(looking, P::PARKED).await? == instances)
    })
    .await?;
    vacuum().await?;
    let context = f64::from(u32::try_from(serde_json::to_string(&parked(0))?.len())?);
    let bytes = (size().await? - empty) / f64::from(u32::try_from(instances)?) - context;
    Ok(json!({"instances": instances, "bytes": bytes}))
}

fn begin_work<P: Peer>(peer: &P) {
    let peer = peer.clone();
    let runtime = Handle::current();
    std::thread::spawn(move || {
        let ended = runtime.block_on(peer.work());
        eprintln!("the worker ended: {ended:?}");
        std::process::exit(1);
    });
}

/// What the database says has been done.
async fn check<P: Peer>(looking: &PgPool, workflows: usize, steps: usize) -> anyhow::Result<()> {
    until("all have ended and all steps are done", Duration::from_millis(100), async || {
        let (ended, done) = (count(looking, P::ENDED_COUNT).await?, count(looking, P::STEP_COUNT).await?);
        ensure!(
            ended <= workflows && done <= steps,
            "{ended} workflows and {done} steps instead of {workflows} and {steps}"
        );
        Ok(ended == workflows && done == steps)
    })
    .await
}

async fn count(looking: &PgPool, query: &'static str) -> anyhow::Result<usize> {
    Ok(usize::try_from(sqlx::query_scalar::<_, i64>(query).fetch_one(looking).await?)?)
}

/// What was compiled in.
fn version(name: &str) -> anyhow::Result<String> {
    let lock = include_str!("../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry).with_context(|| format!("`{name}` is not in Cargo.lock"))?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

/// Of workflows, in a batch for each statement.
pub const BATCH: usize = 1_000;
