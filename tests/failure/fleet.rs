//! A whole installation of its own: PostgreSQL, servers, workers, an endpoint; and customers who start instances all
//! the time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use trunkline_store::cluster::{Cluster, ClusterOptions};

use crate::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, http_client, until};
use crate::verify::verify;

pub struct Fleet {
    pub app: TestApp,
    pub endpoint: Endpoint,
    pub workers: Vec<WorkerProcess>,
    pub servers: Vec<WorkerProcess>,
    addresses: Arc<Mutex<Vec<String>>>,
    cluster: Option<Cluster>,
    folder: PathBuf,
}

impl Fleet {
    pub async fn start(servers: usize, workers: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("trunkline-failure-{}-{number}", std::process::id()));
        let options = ClusterOptions { max_connections: 200, ..ClusterOptions::for_tests(folder.clone()) };
        let cluster = Cluster::start(options).await.unwrap();
        Self::on(cluster, folder, servers, workers).await
    }

    pub async fn on(cluster: Cluster, folder: PathBuf, servers: usize, workers: usize) -> Self {
        let app = TestApp::on(cluster.url("postgres")).await;
        let mut fleet = Self {
            app,
            endpoint: Endpoint::start().await,
            workers: Vec::new(),
            servers: Vec::new(),
            addresses: Arc::default(),
            cluster: Some(cluster),
            folder,
        };
        fleet.start_all(servers, workers).await;
        fleet
    }

    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("until the end")
    }

    pub async fn start_all(&mut self, servers: usize, workers: usize) {
        let url = self.app.database_url();
        self.workers = (0..workers).map(|_| WorkerProcess::start(url)).collect();
        let listen = [("TRUNKLINE_LISTEN", "127.0.0.1:0")];
        self.servers = (0..servers).map(|_| WorkerProcess::start_server(url, &listen)).collect();
        let mut addresses = Vec::new();
        for server in &self.servers {
            addresses.push(server.url_after("listening on ").await);
        }
        *self.addresses.lock().unwrap() = addresses;
    }

    /// Another one, that customers go to as well.
    pub fn add_server(&mut self, server: WorkerProcess, address: String) {
        self.servers.push(server);
        self.addresses.lock().unwrap().push(address);
    }

    /// Of the servers.
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.lock().unwrap().clone()
    }

    /// `kill -9` of a worker, and another one in its place. Answers its name.
    pub fn replace_worker(&mut self, at: usize) -> String {
        self.workers[at].kill();
        let new = WorkerProcess::start(self.app.database_url());
        std::mem::replace(&mut self.workers[at], new).name.clone()
    }

    pub fn kill_all(&mut self) {
        for process in self.workers.iter_mut().chain(&mut self.servers) {
            process.kill();
        }
    }

    /// `kill -9` of the postmaster; returns when PostgreSQL is back.
    pub async fn kill_postgres(&self) {
        let restarts = self.cluster().restarts();
        let postmaster = i32::try_from(self.cluster().postmaster_pid()).unwrap();
        kill_process(Pid::from_raw(postmaster).unwrap(), Signal::KILL).unwrap();
        until("PostgreSQL is back", || async {
            self.cluster().restarts() > restarts && self.app.store().check_ready().await.is_ok()
        })
        .await;
    }

    pub async fn count(&self, statement: &'static str) -> usize {
        let count: i64 = sqlx::query_scalar(statement).fetch_one(self.app.store().pool()).await.unwrap();
        usize::try_from(count).unwrap()
    }

    /// However often the database cannot be asked meanwhile.
    pub async fn until_more_ended(&self, more: i64) {
        let ended = async || {
            let count = "select count(*) from instances where completed_at is not null";
            sqlx::query_scalar::<_, i64>(count).fetch_one(self.app.store().pool()).await.ok()
        };
        let before = Mutex::new(None);
        until("instances end", || async {
            let Some(now) = ended().await else { return false };
            now >= *before.lock().unwrap().get_or_insert(now) + more
        })
        .await;
    }

    pub async fn begin_load(&self, clients: usize, pause: Duration) -> Load {
        Load::begin(self, clients, pause).await
    }

    /// What was accepted is there, and ended well; each step was done under one key; no timer was early; every rule
    /// holds; and nobody ended but who was killed.
    pub async fn finish(mut self, load: Load) {
        let accepted = load.end().await;
        let instances = || async { self.count("select count(*) from instances").await };
        until("all instances end", || async {
            self.count("select count(*) from instances where completed_at is null").await == 0
        })
        .await;
        assert_eq!(instances().await, accepted, "each start that was accepted is one instance");
        let complete = self.count("select count(*) from instances where status = 'Complete'").await;
        assert_eq!(complete, accepted, "every instance ends well");
        let mut keys: HashMap<u64, String> = HashMap::new();
        for call in self.endpoint.received() {
            let key = call.header("idempotency-key").unwrap().to_owned();
            let n = call.json()["n"].as_u64().unwrap();
            assert_eq!(*keys.entry(n).or_insert_with(|| key.clone()), key, "one step, one key");
        }
        assert_eq!(keys.len(), accepted, "each calls");
        let early = self
            .count("select count(*) from steps where name = 'pause' and completed_at < started_at + interval '1 second'")
            .await;
        assert_eq!(early, 0, "no timer is early");
        for process in self.workers.iter_mut().chain(&mut self.servers) {
            assert!(process.exited().is_none(), "{} exited: {}", process.name, process.log());
        }
        verify(self.app.database_url()).await;
        println!("{accepted} instances, {} calls", self.endpoint.received().len());
        self.end().await;
    }

    pub async fn end(self) {
        let Self { app, workers, servers, cluster, folder, .. } = self;
        drop((workers, servers, app));
        cluster.expect("until the end").stop().await;
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Customers. Each starts one instance after another, and repeats a start that was not answered under the same key.
pub struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<usize>>,
    client: Arc<Client>,
}

impl Load {
    async fn begin(fleet: &Fleet, clients: usize, pause: Duration) -> Self {
        let steps = json!([
            {"id": "first", "stepType": "Branch", "selectNextStep": {"call": "{{data.n >= 0}}"}},
            {"id": "call", "stepType": "HttpRequest",
                "inputs": {"url": format!("{}/json", fleet.endpoint.url), "method": "POST",
                    "body": {"n": "{{data.n}}"}},
                "outputs": {"ok": "{{step.responseBody.ok}}"}, "nextStepId": "pause"},
            {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "last"},
            {"id": "last", "stepType": "If"},
        ]);
        let definition = fleet.app.define(definition(steps)).await;
        let client = Arc::new(Client {
            http: http_client(),
            addresses: fleet.addresses.clone(),
            path: format!("/api/v1/accounts/{}/definitions/{definition}/workflows", fleet.app.account()),
            key: fleet.app.key().to_owned(),
            count: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let over = Arc::<AtomicBool>::default();
        let begin = |_| {
            let (client, over) = (client.clone(), over.clone());
            tokio::spawn(async move {
                let mut accepted = 0;
                while !over.load(Ordering::Relaxed) {
                    client.start().await;
                    accepted += 1;
                    // Customers who are in no hurry: the load is steady, not a flood.
                    tokio::time::sleep(pause).await;
                }
                accepted
            })
        };
        let clients = (0..clients).map(begin).collect();
        Self { over, clients, client }
    }

    /// How many starts were answered with 503.
    pub fn refused(&self) -> usize {
        self.client.refused.load(Ordering::Relaxed)
    }

    /// How many starts were accepted.
    async fn end(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let mut accepted = 0;
        for client in self.clients {
            accepted += client.await.unwrap();
        }
        accepted
    }
}

struct Client {
    http: reqwest::Client,
    addresses: Arc<Mutex<Vec<String>>>,
    path: String,
    key: String,
    count: AtomicUsize,
    refused: AtomicUsize,
}

impl Client {
    /// Until it is accepted.
    async fn start(&self) {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        for tries in n.. {
            let address = {
                let addresses = self.addresses.lock().unwrap();
                addresses[tries % addresses.len()].clone()
            };
            let request = self.http.post(format!("{address}{}", self.path)).bearer_auth(&self.key);
            let request = request.header("Idempotency-Key", n.to_string()).json(&json!({"n": n}));
            match request.timeout(Duration::from_secs(20)).send().await {
                Ok(answer) if answer.status() == 201 => return,
                Ok(answer) => {
                    let (status, headers) = (answer.status(), answer.headers().clone());
                    let body: Result<Value, _> = answer.json().await;
                    assert_eq!(status, 503, "{body:?}");
                    assert!(headers.contains_key("retry-after"));
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                // Killed before it answered, or not there yet.
                Err(_) => {}
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "start {n} is never accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
