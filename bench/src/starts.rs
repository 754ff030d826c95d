//! (d) Durable starts per second over HTTP: 32 connections, each calling again when it is answered.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use trunkline_store::cluster::Cluster;

use crate::database::Prepared;
use crate::engine::{STEPS, until_no_job_is_left};
use crate::http_connection::HttpConnection;
use crate::latency::start_request;
use crate::server::{Role, Server};
use crate::summary::{Latencies, per_second};

const CONNECTIONS: usize = 32;
/// What the workers may still have to do when the starts are over.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

pub struct Starts {
    pub per_second: f64,
    pub latencies: Latencies,
    /// Those that had also ended, from the first call until the last one's end.
    pub ended_per_second: f64,
    /// Calls that were not answered with 201.
    pub errors: usize,
}

/// With [`Role::Dev`] a worker runs what is started, five steps each, while it is being started.
pub async fn measure(
    cluster: &Cluster,
    folder: &Path,
    role: Role,
    lasting: Duration,
) -> anyhow::Result<Starts> {
    let database = Prepared::new(cluster, "starts", STEPS).await?;
    let server = Server::start(role, &cluster.url(&database.name), folder).await?;
    let begun = Instant::now();
    let mut calling = JoinSet::new();
    for _ in 0..CONNECTIONS {
        calling.spawn(call(server.address, start_request(&database), begun + lasting));
    }
    let mut latencies = Vec::new();
    let mut errors = 0;
    while let Some(called) = calling.join_next().await {
        let called = called?;
        latencies.extend(called.latencies);
        errors += called.errors;
    }
    let elapsed = begun.elapsed();
    let mut until_ended = elapsed;
    let started = latencies.len();

    if role == Role::Dev {
        until_no_job_is_left(&database.store, DRAINED_WITHIN).await?;
        until_ended = begun.elapsed();
    }
    server.stop().await?;
    check(&database, started, errors, role).await?;
    database.remove(cluster).await?;
    let latencies = Latencies::new(latencies).context("no start was answered")?;
    let ended_per_second = per_second(started, until_ended);
    Ok(Starts { per_second: per_second(started, elapsed), ended_per_second, latencies, errors })
}

#[derive(Default)]
struct Called {
    latencies: Vec<Duration>,
    errors: usize,
}

async fn call(address: SocketAddr, request: Vec<u8>, end: Instant) -> Called {
    let mut called = Called::default();
    let mut connection = None;
    while Instant::now() < end {
        let begun = Instant::now();
        let answer = async {
            let connection = match &mut connection {
                Some(connection) => connection,
                None => connection.insert(HttpConnection::open(address).await?),
            };
            connection.call(&request).await
        };
        match answer.await {
            Ok(answer) if answer.status == 201 => called.latencies.push(begun.elapsed()),
            Ok(_) => called.errors += 1,
            Err(_) => {
                called.errors += 1;
                connection = None;
            }
        }
    }
    called
}

/// What was answered is there; a call that failed may have started something all the same.
async fn check(database: &Prepared, started: usize, errors: usize, role: Role) -> anyhow::Result<()> {
    if role == Role::Dev && errors == 0 {
        return database.check_complete(started, STEPS).await;
    }
    let found: i64 =
        sqlx::query_scalar("select count(*) from instances").fetch_one(database.store.pool()).await?;
    let found = usize::try_from(found)?;
    ensure!(
        (started..=started + errors).contains(&found),
        "{started} starts were answered, {found} are there"
    );
    database.check().await
}
