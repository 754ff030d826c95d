//! (c) From the call that starts an instance to its completion, at a steady rate, over real HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use trunkline_store::Store;
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
    let caller = Caller::new(server.address, start_request(&database));
    caller.warm_up().await?;
    let measured = caller.call_and_watch(&database.store, seconds).await?;
    server.stop().await?;
    database.check_complete(usize::try_from(PER_SECOND * seconds + WARM_UP)?, steps).await?;
    database.remove(cluster).await?;
    Ok(measured)
}

/// The call that starts an instance of the database's definition.
pub fn start_request(database: &Prepared) -> Vec<u8> {
    let path = format!("/api/v1/accounts/{}/definitions/{}/workflows", database.account, database.definition);
    let body = serde_json::Value::Object(database::context()).to_string();
    http_connection::post(&path, &database.key, &body)
}

/// Who calls at a steady rate.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    request: Arc<[u8]>,
    idle: Arc<Mutex<Vec<HttpConnection>>>,
}

impl Caller {
    pub fn new(address: SocketAddr, request: Vec<u8>) -> Self {
        Self { address, request: request.into(), idle: Arc::default() }
    }

    pub async fn warm_up(&self) -> anyhow::Result<()> {
        self.call_while(None, |calls| calls < WARM_UP).await?;
        Ok(())
    }

    /// Calls for so long and waits until all that was started is complete.
    pub async fn call_and_watch(&self, store: &Store, seconds: u32) -> anyhow::Result<Latency> {
        let watcher = Watcher::begin(store.clone());
        let answered = self.call_while(Some(&watcher), |calls| calls < PER_SECOND * seconds).await?;
        let completed = tokio::task::spawn_blocking(move || watcher.finish()).await??;
        ensure!(completed.len() == answered.len(), "{} of {} completed", completed.len(), answered.len());
        Ok(Latency {
            completed: Latencies::new(completed).context("nothing was started")?,
            answered: Latencies::new(answered).context("nothing was started")?,
        })
    }

    /// Each call at its time, whatever became of the one before it, as long as `go_on` says so of their number. Answers
    /// how long each took.
    pub async fn call_while(
        &self,
        watcher: Option<&Watcher>,
        go_on: impl Fn(u32) -> bool,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut calling = JoinSet::new();
        let mut calls = 0;
        while go_on(calls) {
            tick.tick().await;
            calling.spawn(self.clone().call(watcher.map(Watcher::tell)));
            calls += 1;
        }
        let mut took = Vec::new();
        while let Some(called) = calling.join_next().await {
            took.push(called??);
        }
        Ok(took)
    }

    async fn call(self, tell: Option<Sender<Started>>) -> anyhow::Result<Duration> {
        let idle = self.idle.lock().expect("nothing panics while it holds this").pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => HttpConnection::open(self.address).await?,
        };
        let called = Instant::now();
        let answer = connection.call(&self.request).await?;
        let took = called.elapsed();
        ensure!(answer.status == 201, "a start was answered with {}", answer.status);
        let location = answer.location.context("a start without location")?;
        let instance: InstanceId = location.rsplit('/').next().unwrap_or_default().parse()?;
        if let Some(tell) = tell {
            tell.send(Started { instance, called })?;
        }
        self.idle.lock().expect("nothing panics while it holds this").push(connection);
        Ok(took)
    }
}
