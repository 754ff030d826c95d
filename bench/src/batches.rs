//! (batch) Parked instances are terminated, and then run again, by a batch at its greatest rate, while others go on
//! calling: what it does in a second, and what the callers feel of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::cluster::Cluster;

use crate::database::Prepared;
use crate::definition;
use crate::http_connection::{self, HttpConnection};
use crate::latency::{self, Caller};
use crate::server::{Role, Server};
use crate::summary::{Latencies, per_second};

/// The greatest that the API takes.
const RATE: u32 = 1_000;
const CONCURRENCY: u32 = 16;
const LIMIT: Duration = Duration::from_secs(300);

pub struct Batches {
    /// From a start to its completion, one step, while there is no batch.
    pub alone: Latencies,
    pub terminated: Carried,
    pub run_again: Carried,
}

/// A batch that was carried out.
pub struct Carried {
    pub items_per_second: f64,
    /// As in [`Batches::alone`], meanwhile.
    pub live: Latencies,
}

pub async fn measure(cluster: &Cluster, folder: &Path, seconds: u32) -> anyhow::Result<Batches> {
    let database = Prepared::new(cluster, "batches", 1).await?;
    let items = usize::try_from(RATE * seconds)?;
    let parked = database
        .store
        .create_definition(&database.account, uuid::Uuid::new_v4(), definition::parked()?, &By::trunkline())
        .await?;
    database.start_instances_of(parked.id, items).await?;
    let server = Server::start(Role::Dev, &cluster.url(&database.name), folder).await?;
    until_parked(&database.store, items).await?;
    sqlx::raw_sql("vacuum (analyze)").execute(database.store.pool()).await?;

    let caller = Caller::new(server.address, latency::start_request(&database));
    caller.warm_up().await?;
    let alone = caller.call_and_watch(&database.store, seconds).await?.completed;
    let request = |action: &str| {
        json!({
            "action": action, "filter": {"definitionId": parked.id}, "rate": RATE, "concurrency": CONCURRENCY
        })
    };
    let terminated = carry_out(&server, &database, &caller, &request("terminate"), seconds, items).await?;
    let mut again = request("rerun");
    again["rerun"] = json!({"from": "start"});
    let run_again = carry_out(&server, &database, &caller, &again, seconds, items).await?;
    until_parked(&database.store, items).await?;
    server.stop().await?;
    database.check().await?;
    database.remove(cluster).await?;
    Ok(Batches { alone, terminated, run_again })
}

async fn carry_out(
    server: &Server,
    database: &Prepared,
    caller: &Caller,
    batch: &Value,
    seconds: u32,
    items: usize,
) -> anyhow::Result<Carried> {
    let mut connection = HttpConnection::open(server.address).await?;
    let path = format!("/api/v1/accounts/{}/batches", database.account);
    let begun = Instant::now();
    let answer = connection.call(&http_connection::post(&path, &database.key, &batch.to_string())).await?;
    ensure!(answer.status == 201, "a batch was answered with {}", answer.status);
    let created: Value = serde_json::from_slice(&answer.body)?;
    let path = format!("{path}/{}", created["batchId"].as_str().context("a batch without id")?);
    let watch = http_connection::get(&path, Some(&database.key));
    let (live, took) = tokio::try_join!(
        caller.call_and_watch(&database.store, seconds),
        until_done(&mut connection, &watch, begun, items)
    )?;
    Ok(Carried { items_per_second: per_second(items, took), live: live.completed })
}

async fn until_done(
    connection: &mut HttpConnection,
    watch: &[u8],
    begun: Instant,
    items: usize,
) -> anyhow::Result<Duration> {
    loop {
        let answer = connection.call(watch).await?;
        let batch: Value = serde_json::from_slice(&answer.body)?;
        if batch["state"] == "done" {
            ensure!(batch["progress"]["done"] == items, "a batch ended with {}", batch["progress"]);
            return Ok(begun.elapsed());
        }
        ensure!(begun.elapsed() < LIMIT, "a batch is not done: {batch}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Until so many instances are parked and no others.
pub async fn until_parked(store: &Store, count: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let looked = Instant::now();
        let parked: i64 = sqlx::query_scalar("select count(*) from waits").fetch_one(store.pool()).await?;
        if usize::try_from(parked)? == count {
            return Ok(());
        }
        ensure!(begun.elapsed() < LIMIT, "{parked} instances are parked and {count} should be");
        // Counting must not be what is measured.
        tokio::time::sleep(looked.elapsed() * 10 + Duration::from_millis(20)).await;
    }
}
