//! Sees when instances complete, as somebody outside does: by looking, over a connection of its own.
//!
//! `completed_at` would flatter us: it is the time at which the last transaction began, not the one at
//! which its commit was on disk. Looking costs some per cent of a core while something is on its way, and
//! a completion is seen a quarter of a millisecond late on average; both count against us.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use trunkline_store::{HotConnection, Store};
use trunkline_workflow::InstanceId;

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(250);
const LIMIT: Duration = Duration::from_secs(30);

const COMPLETED: &str = "select id from instances where id = any($1) and completed_at is not null";

/// A thread that watches. Its clients tell it what they started.
pub struct Watcher {
    thread: JoinHandle<anyhow::Result<Vec<Duration>>>,
    started: Sender<Started>,
}

pub struct Started {
    pub instance: InstanceId,
    /// When the call began.
    pub called: Instant,
}

impl Watcher {
    pub fn begin(store: Store) -> Self {
        let (started, told) = mpsc::channel();
        Self { thread: thread::spawn(move || watch(&store, &told)), started }
    }

    pub fn tell(&self) -> Sender<Started> {
        self.started.clone()
    }

    /// From call to completion, once all that it was told of have completed and nobody tells any more.
    pub fn finish(self) -> anyhow::Result<Vec<Duration>> {
        drop(self.started);
        self.thread.join().map_err(|_| anyhow!("the watching thread panicked"))?
    }
}

fn watch(store: &Store, told: &Receiver<Started>) -> anyhow::Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(store.hot_connection())?;
    let mut open: HashMap<InstanceId, Instant> = HashMap::new();
    let mut latencies = Vec::new();
    loop {
        let next = if open.is_empty() {
            told.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            told.try_recv()
        };
        match next {
            Ok(Started { instance, called }) => {
                open.insert(instance, called);
                continue;
            }
            Err(TryRecvError::Disconnected) if open.is_empty() => return Ok(latencies),
            Err(TryRecvError::Disconnected | TryRecvError::Empty) => {}
        }
        let completed = runtime.block_on(look(&mut connection, open.keys()))?;
        let seen = Instant::now();
        latencies.extend(completed.iter().filter_map(|id| open.remove(id)).map(|called| seen - called));
        ensure!(open.values().all(|called| called.elapsed() < LIMIT), "an instance does not complete");
        thread::sleep(PAUSE);
    }
}

async fn look(
    connection: &mut HotConnection,
    open: impl Iterator<Item = &InstanceId>,
) -> anyhow::Result<Vec<InstanceId>> {
    let ids: Vec<&[u8]> = open.map(|id| &id.as_bytes()[..]).collect();
    let completed: Vec<Vec<u8>> = sqlx::query_scalar(COMPLETED).bind(ids).fetch_all(connection).await?;
    Ok(completed.iter().map(|id| InstanceId::from_bytes(id)).collect::<Result<_, _>>()?)
}
