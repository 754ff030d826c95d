//! The run's PostgreSQL: a private cluster with a migrated template, from which every test has its copy.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::AssertSqlSafe;
use tokio::sync::OnceCell;
use trunkline_store::Store;
use trunkline_store::cluster::{Cluster, ClusterError, ClusterOptions};

use super::pooler::Pooler;

const TEMPLATE: &str = "trunkline_template";

/// Never dropped: PostgreSQL ends with this process, by its own watchdog.
static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// Before it, where tests are to use one. Never dropped, and ends with this process, too.
static POOLER: OnceCell<Option<Pooler>> = OnceCell::const_new();

/// A database of one test; dropped with it.
pub struct Database {
    name: String,
    pub url: String,
    /// The same where there is no pooler.
    pub direct_url: String,
}

impl Database {
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let cluster = CLUSTER.get_or_init(start).await;
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        execute(&cluster.url("postgres"), format!("create database {name} template {TEMPLATE}")).await;
        let pooler = POOLER.get_or_init(|| async { Pooler::before(cluster) }).await;
        let direct_url = cluster.url(&name);
        let url = pooler.as_ref().map_or_else(|| direct_url.clone(), |pooler| pooler.url(&name));
        Self { name, url, direct_url }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(cluster) = CLUSTER.get() else { return };
        let statement = format!("drop database {} with (force)", self.name);
        let url = cluster.url("postgres");
        // On a thread of its own, because a runtime cannot be started inside the test's.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&url, statement));
        });
        let dropped = dropping.join();
        assert!(std::thread::panicking() || dropped.is_ok(), "the test's database is not dropped");
    }
}

/// In a folder that is kept for the next run, for a quicker start; runs at the same time take others.
async fn start() -> Cluster {
    for slot in 0.. {
        let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("it-{slot}"));
        // As many tests at once as there are cores, some with several workers and servers.
        let options = ClusterOptions { max_connections: 400, ..ClusterOptions::for_tests(data_dir) };
        match Cluster::start(options).await {
            Ok(cluster) => {
                make_template(&cluster).await;
                return cluster;
            }
            Err(ClusterError::InUse { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("there is always another slot")
}

async fn make_template(cluster: &Cluster) {
    let admin = Store::open(&cluster.url("postgres"), 1).unwrap();
    let left: Vec<String> =
        sqlx::query_scalar("select datname from pg_database where datname like 'test\\_%' or datname = $1")
            .bind(TEMPLATE)
            .fetch_all(admin.pool())
            .await
            .unwrap();
    for name in left {
        execute(&cluster.url("postgres"), format!("drop database {name} with (force)")).await;
    }
    execute(&cluster.url("postgres"), format!("create database {TEMPLATE}")).await;
    let template = Store::open(&cluster.url(TEMPLATE), 1).unwrap();
    template.migrate().await.unwrap();
    // A database with a connection is nobody's template.
    template.close().await;
    admin.close().await;
}

async fn execute(url: &str, statement: String) {
    let store = Store::open(url, 1).unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(store.pool()).await.unwrap();
    store.close().await;
}
