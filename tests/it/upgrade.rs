//! A new version gets in under load: the schema changes under the former program, both work side by side, the former
//! one goes. `TRUNKLINE_FORMER` names its program (`make test-upgrade`); without it the test says that it was skipped.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use trunkline_store::Store;
use trunkline_store::cluster::{Cluster, ClusterOptions};

use crate::deaths::processes::WorkerProcess;
use crate::support::{Endpoint, MASTER_KEY, definition, http_client, until};

/// As migrations bound it, and what a busy machine adds.
const LONGEST_WAIT: Duration = Duration::from_millis(3_500);
/// A migration that met a busy moment is run again; not for ever.
const TRIES: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_former_version_and_this_one_work_side_by_side_and_lose_nothing() {
    let Some(former) = std::env::var_os("TRUNKLINE_FORMER").map(PathBuf::from) else {
        println!("skipped: there is no former version (`make test-upgrade`)");
        return;
    };
    let ours = Path::new(env!("CARGO_BIN_EXE_trunkline"));
    let folder = std::env::temp_dir().join(format!("trunkline-upgrade-{}", std::process::id()));
    let cluster = Cluster::start(ClusterOptions::for_tests(folder.clone())).await.unwrap();
    let url = cluster.url("postgres");
    succeeded(&run(&former, &url, &["migrate"]));
    succeeded(&run(&former, &url, &["account", "create", "acme"]));
    let key = succeeded(&run(&former, &url, &["key", "create", "acme", "--name", "load"]));
    let store = Store::open(&url, 4).unwrap();
    let before = applied(&store).await;

    let endpoint = Endpoint::start().await;
    let mut old_server = server(&former, &url);
    let old_url = old_server.url_after("listening on ").await;
    let mut old = [(); 2].map(|()| WorkerProcess::start_program(&former, "worker", &url, &[]));
    let load = Load::start(old_url, key.trim(), &endpoint).await;
    let watch = Watch::start(store.clone());
    load.until_more_ended(&store, 100).await;
    let old_lives = lives(&store, &old).await;

    let mut tries = 0;
    while let Output { status, stderr, .. } = run(ours, &url, &["migrate"])
        && !status.success()
    {
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(stderr.contains("asked to repeat"), "{stderr}");
        tries += 1;
        assert!(tries < TRIES, "the migration never finds a quiet moment");
    }
    assert!(applied(&store).await > before, "the former version has an older schema");
    load.until_more_ended(&store, 100).await;

    let new_server = server(ours, &url);
    load.add_server(new_server.url_after("listening on ").await);
    let new = [(); 2].map(|()| WorkerProcess::start_program(ours, "worker", &url, &[]));
    load.until_more_ended(&store, 300).await;
    let new_lives = lives(&store, &new).await;
    until("old and new workers work", || async {
        let seen = watch.holders.lock().unwrap();
        [&old_lives, &new_lives].into_iter().all(|lives| lives.iter().all(|life| seen.contains(life)))
    })
    .await;

    load.leave_first_server();
    for process in old.iter_mut().chain([&mut old_server]) {
        process.signal(Signal::TERM);
    }
    for process in old.iter_mut().chain([&mut old_server]) {
        let process = Mutex::new(process);
        until("the former version ends", || async { process.lock().unwrap().exited().is_some() }).await;
        let mut process = process.lock().unwrap();
        assert!(process.exited().is_some_and(|status| status.success()), "{}", process.log());
    }
    load.until_more_ended(&store, 100).await;

    let accepted = load.finish().await;
    assert!(accepted.count > 500 && accepted.slowest < LONGEST_WAIT, "{accepted:?}");
    until("every accepted instance ends well", || async {
        let complete: i64 = sqlx::query_scalar("select count(*) from instances where status = 'Complete'")
            .fetch_one(store.pool())
            .await
            .unwrap();
        usize::try_from(complete).unwrap() == accepted.count
    })
    .await;
    let keys: HashSet<String> =
        endpoint.received().iter().map(|call| call.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(
        (keys.len(), endpoint.received().len()),
        (accepted.count, accepted.count),
        "each is called once"
    );
    assert!(succeeded(&run(ours, &url, &["verify"])).contains("Every rule holds."));
    let longest = watch.finish().await;
    assert!(longest < LONGEST_WAIT, "somebody waited {longest:?} for a lock");
    println!("{accepted:?}; the longest wait for a lock: {longest:?}; migrations repeated: {tries}");

    drop((new, new_server));
    store.close().await;
    cluster.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

fn server(program: &Path, url: &str) -> WorkerProcess {
    WorkerProcess::start_program(program, "serve", url, &[("TRUNKLINE_LISTEN", "127.0.0.1:0")])
}

fn run(program: &Path, url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("DATABASE_URL", url).env("TRUNKLINE_MASTER_KEY", MASTER_KEY);
    tokio::task::block_in_place(|| command.output().unwrap())
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

async fn applied(store: &Store) -> i64 {
    sqlx::query_scalar("select count(*) from _sqlx_migrations").fetch_one(store.pool()).await.unwrap()
}

/// What the workers are to the database.
async fn lives(store: &Store, workers: &[WorkerProcess]) -> Vec<i64> {
    let names: Vec<&str> = workers.iter().map(|worker| worker.name.as_str()).collect();
    let lives: Vec<i64> =
        sqlx::query_scalar("select id from workers where name = any($1) and lost_at is null")
            .bind(names)
            .fetch_all(store.pool())
            .await
            .unwrap();
    assert_eq!(lives.len(), workers.len());
    lives
}

/// Clients that start instances one after another, until they are told to stop.
struct Load {
    servers: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Accepted>>,
}

#[derive(Debug, Default)]
struct Accepted {
    count: usize,
    slowest: Duration,
}

impl Load {
    async fn start(server: String, key: &str, endpoint: &Endpoint) -> Self {
        let steps = json!([
            {"id": "first", "stepType": "Branch", "selectNextStep": {"call": "{{data.n >= 0}}"}},
            {"id": "call", "stepType": "HttpRequest",
                "inputs": {"url": format!("{}/json", endpoint.url), "method": "POST", "body": {"n": "{{data.n}}"}},
                "outputs": {"ok": "{{step.responseBody.ok}}"}, "nextStepId": "pause"},
            {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "last"},
            {"id": "last", "stepType": "If"},
        ]);
        let http = http_client();
        let definitions = "/api/v1/accounts/acme/definitions";
        let made = http.post(format!("{server}{definitions}")).bearer_auth(key).json(&definition(steps));
        let made: Value = made.send().await.unwrap().json().await.unwrap();
        let path = format!("{definitions}/{}/workflows", made["id"].as_str().unwrap());
        let (servers, over) = (Arc::new(Mutex::new(vec![server])), Arc::<AtomicBool>::default());
        let clients = (0..4).map(|_| {
            let (http, servers, over) = (http.clone(), servers.clone(), over.clone());
            let (key, path) = (key.to_owned(), path.clone());
            tokio::spawn(async move {
                let mut accepted = Accepted::default();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let server = {
                        let servers = servers.lock().unwrap();
                        servers[n % servers.len()].clone()
                    };
                    let begun = Instant::now();
                    let call = http.post(format!("{server}{path}")).bearer_auth(&key).json(&json!({"n": n}));
                    match call.send().await {
                        Ok(answer) => {
                            assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
                            accepted.count += 1;
                            accepted.slowest = accepted.slowest.max(begun.elapsed());
                        }
                        // It was asked just when it went.
                        Err(error) => assert!(error.is_connect(), "{error:?}"),
                    }
                    // A client that is in no hurry: the load is steady, not a flood.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                accepted
            })
        });
        Self { clients: clients.collect(), servers, over }
    }

    fn add_server(&self, url: String) {
        self.servers.lock().unwrap().push(url);
    }

    fn leave_first_server(&self) {
        self.servers.lock().unwrap().remove(0);
    }

    async fn until_more_ended(&self, store: &Store, more: i64) {
        let ended = async || -> i64 {
            let count = "select count(*) from instances where completed_at is not null";
            sqlx::query_scalar(count).fetch_one(store.pool()).await.unwrap()
        };
        let before = ended().await;
        until("instances end", || async { ended().await >= before + more }).await;
        assert!(self.clients.iter().all(|client| !client.is_finished()), "a client was answered badly");
    }

    async fn finish(self) -> Accepted {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Accepted::default();
        for client in self.clients {
            let accepted = client.await.unwrap();
            all.count += accepted.count;
            all.slowest = all.slowest.max(accepted.slowest);
        }
        all
    }
}

/// Looks who waits for locks, and who holds jobs.
struct Watch {
    over: Arc<AtomicBool>,
    holders: Arc<Mutex<HashSet<i64>>>,
    looking: tokio::task::JoinHandle<Duration>,
}

impl Watch {
    fn start(store: Store) -> Self {
        let (over, holders) = (Arc::<AtomicBool>::default(), Arc::<Mutex<HashSet<i64>>>::default());
        let (until, seen) = (over.clone(), holders.clone());
        let looking = tokio::spawn(async move {
            let mut longest = 0.0_f64;
            while !until.load(Ordering::Relaxed) {
                let (waited, held): (f64, Vec<i64>) = sqlx::query_as(
                    "select coalesce((select extract(epoch from max(clock_timestamp() - waitstart))::float8 from pg_locks), 0),
                         array(select distinct worker from jobs where worker is not null)",
                )
                .fetch_one(store.pool())
                .await
                .unwrap();
                longest = longest.max(waited);
                seen.lock().unwrap().extend(held);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Duration::from_secs_f64(longest)
        });
        Self { over, holders, looking }
    }

    async fn finish(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        self.looking.await.unwrap()
    }
}
