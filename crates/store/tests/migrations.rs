//! Migrating: at once, after an interruption, and a database that is not this program's. On the machine's real
//! PostgreSQL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use sqlx::AssertSqlSafe;
use trunkline_store::cluster::{self, Cluster, ClusterOptions};
use trunkline_store::{Store, StoreError};

/// A cluster of its own for each test.
struct TestCluster {
    cluster: Option<Cluster>,
    dir: PathBuf,
}

impl TestCluster {
    async fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("trunkline-migrations-{}-{count}", std::process::id()));
        let cluster = Cluster::start(ClusterOptions::for_tests(&dir)).await.unwrap();
        Self { cluster: Some(cluster), dir }
    }

    fn store(&self, database: &str) -> Store {
        Store::open(&self.cluster.as_ref().unwrap().url(database), 2).unwrap()
    }

    async fn stop(mut self) {
        self.cluster.take().unwrap().stop().await;
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        drop(self.cluster.take());
        let _gone = cluster::remove(&self.dir);
        let _gone = std::fs::remove_dir_all(&self.dir);
    }
}

async fn run(store: &Store, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(store.pool()).await.unwrap();
}

#[tokio::test]
async fn several_that_migrate_at_once_all_succeed() {
    let cluster = TestCluster::start().await;
    for database in ["first", "second", "third"] {
        run(&cluster.store("postgres"), &format!("create database {database}")).await;
        let stores = [(); 6].map(|()| cluster.store(database));
        for migrated in join_all(stores.iter().map(Store::migrate)).await {
            migrated.unwrap();
        }
        cluster.store(database).check_ready().await.unwrap();
    }
    cluster.stop().await;
}

#[tokio::test]
async fn who_waits_for_too_long_is_told_so() {
    let cluster = TestCluster::start().await;
    let store = cluster.store("postgres");
    let mut other = store.hot_connection().await.unwrap();
    sqlx::query("select pg_advisory_lock(hashtext('trunkline migrations'))")
        .execute(&mut other)
        .await
        .unwrap();
    let waited = store.migrate_within(Duration::ZERO).await;
    assert!(matches!(waited, Err(StoreError::BeingMigrated)), "{waited:?}");
    drop(other);
    store.migrate().await.unwrap();
    store.migrate_within(Duration::ZERO).await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn an_index_whose_build_was_interrupted_is_made_anew() {
    let cluster = TestCluster::start().await;
    let store = cluster.store("postgres");
    store.migrate().await.unwrap();
    let is_valid = async |index: &str| -> bool {
        sqlx::query_scalar("select indisvalid from pg_index where indexrelid = $1::regclass")
            .bind(index)
            .fetch_one(store.pool())
            .await
            .unwrap()
    };
    // What PostgreSQL leaves behind, once before the migration was written down and once, of an older program, after.
    run(&store, "delete from _sqlx_migrations where version = 7").await;
    run(
        &store,
        "update pg_index set indisvalid = false
         where indexrelid in ('messages_call'::regclass, 'messages_client'::regclass)",
    )
    .await;
    assert!(!is_valid("messages_call").await && !is_valid("messages_client").await);
    store.migrate().await.unwrap();
    assert!(is_valid("messages_call").await && is_valid("messages_client").await);
    store.check_ready().await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn partitions_of_before_get_an_index_too_also_after_an_interruption() {
    let cluster = TestCluster::start().await;
    let store = cluster.store("postgres");
    store.migrate().await.unwrap();
    let lacking = async || -> i64 {
        sqlx::query_scalar(
            "select count(*)
             from pg_inherits p
             where p.inhparent = 'instances'::regclass and not exists (
                 select
                 from pg_inherits a
                 join pg_index i on i.indexrelid = a.inhrelid and i.indisvalid
                 where a.inhparent = 'instances_of_version'::regclass and i.indrelid = p.inhrelid
             )",
        )
        .fetch_one(store.pool())
        .await
        .unwrap()
    };
    let is_whole = async || -> bool {
        sqlx::query_scalar(
            "select indisvalid from pg_index where indexrelid = 'instances_of_version'::regclass",
        )
        .fetch_one(store.pool())
        .await
        .unwrap()
    };
    assert_eq!((lacking().await, is_whole().await), (0, true), "a new database");

    // As it was before.
    run(
        &store,
        "delete from _sqlx_migrations where version = 44;
         drop index instances_of_version;
         create index instances_listed on instances (account_id, definition_id, version, started_at, id)",
    )
    .await;
    store.migrate().await.unwrap();
    assert_eq!((lacking().await, is_whole().await), (0, true));

    // What an interruption leaves: nothing of one partition, and of another what was not finished.
    let partition: String = sqlx::query_scalar(
        "select min(inhrelid::regclass::text) from pg_inherits where inhparent = 'instances'::regclass",
    )
    .fetch_one(store.pool())
    .await
    .unwrap();
    let definition = "(uuid_hash_extended(definition_id, version), started_at)";
    run(
        &store,
        &format!(
            "drop index instances_of_version;
             create index instances_of_version on only instances {definition};
             create index {partition}_instances_of_version on {partition} {definition};
             update pg_index set indisvalid = false
             where indexrelid = '{partition}_instances_of_version'::regclass"
        ),
    )
    .await;
    assert!(lacking().await > 1 && !is_whole().await);
    store.migrate().await.unwrap();
    assert_eq!((lacking().await, is_whole().await), (0, true));
    cluster.stop().await;
}

#[tokio::test]
async fn a_database_that_is_not_this_programs_is_told_from_a_damaged_one() {
    let cluster = TestCluster::start().await;
    let store = cluster.store("postgres");
    store.migrate().await.unwrap();
    run(
        &store,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (999, 'from the future', true, '', 0)",
    )
    .await;
    let newer = store.migrate().await.unwrap_err();
    assert!(matches!(newer, StoreError::NewerSchema(999)), "{newer:?}");
    assert!(newer.to_string().contains("newer than this program"), "{newer}");
    // An old server goes on working meanwhile.
    store.check_ready().await.unwrap();

    run(&store, "delete from _sqlx_migrations where version = 999").await;
    run(&store, "update _sqlx_migrations set checksum = 'other' where version = 2").await;
    let other = store.migrate().await.unwrap_err();
    assert!(matches!(other, StoreError::OtherSchema(2)), "{other:?}");
    assert!(other.to_string().contains("`trunkline dev --reset`"), "{other}");
    cluster.stop().await;
}
