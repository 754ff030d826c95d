//! Sees when workflows end as somebody outside does: as `watcher.js`, on a thread and over a connection of its own.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use sqlx::{Connection, PgConnection};

const PAUSE: Duration = Duration::from_micros(250);
const LIMIT: Duration = Duration::from_secs(30);

pub struct Watcher {
    thread: JoinHandle<anyhow::Result<Vec<Duration>>>,
    pub tell: Sender<Started>,
}

pub struct Started {
    pub id: String,
    pub called: Instant,
    pub counts: bool,
}

impl Watcher {
    /// `ended` selects those of the ids in `$1` that have ended.
    pub fn begin(url: &str, ended: &'static str) -> Self {
        let (tell, told) = mpsc::channel();
        let url = url.to_owned();
        Self { thread: thread::spawn(move || watch(&url, ended, &told)), tell }
    }

    pub fn finish(self) -> anyhow::Result<Vec<Duration>> {
        drop(self.tell);
        self.thread.join().map_err(|_| anyhow!("the watching thread panicked"))?
    }
}

fn watch(url: &str, ended: &'static str, told: &Receiver<Started>) -> anyhow::Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(PgConnection::connect(url))?;
    let mut open: HashMap<String, (Instant, bool)> = HashMap::new();
    let mut latencies = Vec::new();
    loop {
        let next = if open.is_empty() {
            told.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            told.try_recv()
        };
        match next {
            Ok(Started { id, called, counts }) => {
                open.insert(id, (called, counts));
                continue;
            }
            Err(TryRecvError::Disconnected) if open.is_empty() => return Ok(latencies),
            Err(TryRecvError::Disconnected | TryRecvError::Empty) => {}
        }
        let ids: Vec<&str> = open.keys().map(String::as_str).collect();
        let seen: Vec<String> =
            runtime.block_on(sqlx::query_scalar(ended).bind(&ids[..]).fetch_all(&mut connection))?;
        let now = Instant::now();
        for (called, counts) in seen.iter().filter_map(|id| open.remove(id)) {
            if counts {
                latencies.push(now - called);
            }
        }
        ensure!(open.values().all(|(called, _)| called.elapsed() < LIMIT), "a workflow does not end");
        thread::sleep(PAUSE);
    }
}
