//! A PostgreSQL with fewer connections than its clients would like to have.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};
use trunkline_store::cluster::{self, Cluster, ClusterOptions};
use trunkline_store::{HotConnection, Store};
use trunkline_workflow::AccountId;
use uuid::Uuid;

/// Whoever dies with a server takes all that were kept along: each is asked for once more, and one look-up is enough.
#[tokio::test]
async fn what_was_kept_is_connected_anew_when_it_died() {
    let dir = std::env::temp_dir().join(format!("trunkline-kept-{}", std::process::id()));
    let cluster = Cluster::start(ClusterOptions::for_tests(&dir)).await.unwrap();
    let store = Store::open(&cluster.url("postgres"), 2).unwrap();
    store.migrate().await.unwrap();
    let account = AccountId::new("acme");
    let look_up = async || store.find_definition(&account, Uuid::new_v4(), None).await;
    let kept = async || {
        let backends = "select pid from pg_stat_activity where query like '%definition_versions%' and pid <> pg_backend_pid()";
        sqlx::query_scalar::<_, i32>(backends).fetch_all(store.pool()).await.unwrap()
    };
    for _ in 0..3 {
        assert!(look_up().await.unwrap().is_none());
    }
    let first = kept().await;
    assert_eq!(first.len(), 1, "one after the other they need one");
    for pid in &first {
        let ended: bool = sqlx::query_scalar("select pg_terminate_backend($1, 10000)")
            .bind(pid)
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert!(ended);
    }
    assert!(look_up().await.unwrap().is_none(), "nobody hears of it");
    assert!(look_up().await.unwrap().is_none());
    assert_ne!(kept().await, first);
    store.close().await;
    assert!(look_up().await.is_err());
    cluster.stop().await;
    let _gone = cluster::remove(&dir);
    let _gone = std::fs::remove_dir_all(&dir);
}

const MAX: u32 = 16;
const POOL: usize = 8;

#[tokio::test]
async fn the_pool_gives_up_what_it_does_not_use_for_what_a_worker_must_write() {
    let dir = std::env::temp_dir().join(format!("trunkline-connections-{}", std::process::id()));
    let options = ClusterOptions { max_connections: MAX, ..ClusterOptions::for_tests(&dir) };
    let cluster = Cluster::start(options).await.unwrap();
    let url = cluster.url("postgres");
    let store = Store::open(&url, u32::try_from(POOL).unwrap()).unwrap();
    // Busy once, and then left with all that it opened.
    let mut used = Vec::new();
    for _ in 0..POOL {
        used.push(store.pool().begin().await.unwrap());
    }
    for transaction in used {
        transaction.rollback().await.unwrap();
    }
    let mut others = Vec::new();
    let full = loop {
        match PgConnection::connect(&url).await {
            Ok(connection) => others.push(connection),
            Err(error) => break error,
        }
    };
    assert!(full.to_string().contains("too many clients"), "{full}");

    assert!(store.hot_connection().await.is_err());
    for _ in 0..3 {
        let alive = sqlx::query("select 1").fetch_one(store.pool()).await.unwrap();
        assert_eq!(alive.get::<i32, _>(0), 1, "the pool is of use all the while");
    }
    assert!(store.pool().size() < 4, "{}", store.pool().size());
    // PostgreSQL takes a moment to notice who left.
    let connected = async {
        let mut hot: Vec<HotConnection> = Vec::new();
        while hot.len() < 4 {
            hot.extend(store.hot_connection().await.ok());
        }
        hot
    };
    let hot = tokio::time::timeout(Duration::from_secs(30), connected).await.expect("there is room now");

    drop((hot, others, store));
    cluster.stop().await;
    let _gone = cluster::remove(&dir);
    let _gone = std::fs::remove_dir_all(&dir);
}
