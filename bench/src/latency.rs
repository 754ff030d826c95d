//! (c) From the call that starts an instance to its completion, at a steady rate, over real HTTP.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use trunkline_store::cluster::Cluster;
use trunkline_workflow::InstanceId;

use crate::database::{self, Prepared};
use crate::http_connection::{self, HttpConnection};
use crate::server::{Role, Server};
use crate::summary::Latencies;
use crate::watch_completions::{Started, Watcher};

const PER_SECOND: u32 = 20;
/// Starts that do not count: the first ones open connections and prepare statements.
const WARM_UP: u32 = 20;

pub struct Latency {
    /// Until the instance is seen to be complete.
    pub completed: Latencies,
    /// Until the start is answered.
    pub answered: Latencies,
}

pub async fn measure(
    cluster: &Cluster,
    folder: &Path,
    steps: usize,
    seconds: u32,
) -> anyhow::Result<Latency> {
    let database = Prepared::new(cluster, "latency", steps).await?;
    let server = Server::start(Role::Dev, &cluster.url(&database.name), folder).await?;
    let request = start_request(&database);
    let connections = Arc::new(Mutex::new(Vec::new()));
    call_steadily(&server, &request, &connections, None, WARM_UP).await?;
    let watcher = Watcher::begin(database.store.clone());
    let calls = PER_SECOND * seconds;
    let answered = call_steadily(&server, &request, &connections, Some(&watcher), calls).await?;
    let completed = tokio::task::spawn_blocking(move || watcher.finish()).await??;
    ensure!(completed.len() == answered.len(), "{} of {} completed", completed.len(), answered.len());
    server.stop().await?;
    database.check_complete(usize::try_from(calls + WARM_UP)?, steps).await?;
    database.remove(cluster).await?;
    Ok(Latency {
        completed: Latencies::new(completed).context("nothing was started")?,
        answered: Latencies::new(answered).context("nothing was started")?,
    })
}

/// The call that starts an instance of the database's definition.
pub fn start_request(database: &Prepared) -> Vec<u8> {
    let path = format!("/api/v1/accounts/{}/definitions/{}/workflows", database.account, database.definition);
    let body = serde_json::Value::Object(database::context()).to_string();
    http_connection::post(&path, &database.key, &body)
}

type Connections = Arc<Mutex<Vec<HttpConnection>>>;

/// Each call at its time, whatever became of the one before it. Answers how long each took.
async fn call_steadily(
    server: &Server,
    request: &[u8],
    connections: &Connections,
    watcher: Option<&Watcher>,
    calls: u32,
) -> anyhow::Result<Vec<Duration>> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calling = JoinSet::new();
    for _ in 0..calls {
        tick.tick().await;
        let (address, request, connections) = (server.address, request.to_vec(), connections.clone());
        let tell = watcher.map(Watcher::tell);
        calling.spawn(async move {
            let idle = connections.lock().expect("nothing panics while it holds this").pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => HttpConnection::open(address).await?,
            };
            let called = Instant::now();
            let answer = connection.call(&request).await?;
            let took = called.elapsed();
            ensure!(answer.status == 201, "a start was answered with {}", answer.status);
            let location = answer.location.context("a start without location")?;
            let instance: InstanceId = location.rsplit('/').next().unwrap_or_default().parse()?;
            if let Some(tell) = tell {
                tell.send(Started { instance, called })?;
            }
            connections.lock().expect("nothing panics while it holds this").push(connection);
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(called) = calling.join_next().await {
        took.push(called??);
    }
    Ok(took)
}
