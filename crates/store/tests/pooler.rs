//! What the store does behind a pooler that lends sessions. The pooler is a small one of the test's own, and a harsh one:
//! every client's transactions alternate between two sessions, so that nothing a session remembers is there the next
//! time. `make test-pooler` runs everything through a real one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use trunkline_store::cluster::{self, Cluster, ClusterOptions};
use trunkline_store::connect::Sessions;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

/// What it does with settings in the message that opens a connection.
#[derive(Clone, Copy)]
enum Settings {
    Refused,
    Ignored,
}

/// A cluster of its own for each test, and the pooler before it.
struct Pooled {
    cluster: Option<Cluster>,
    dir: PathBuf,
    url: String,
}

impl Pooled {
    async fn start(settings: Settings) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("trunkline-pooled-{}-{count}", std::process::id()));
        let cluster = Cluster::start(ClusterOptions::for_tests(&dir)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://postgres@{}/postgres?sslmode=disable", listener.local_addr().unwrap());
        let socket = cluster.socket_dir().join(".s.PGSQL.5432");
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                // A client that leaves ends its own task.
                tokio::spawn(lend(client, socket.clone(), settings));
            }
        });
        Self { cluster: Some(cluster), dir, url }
    }

    fn store(&self) -> Store {
        Store::open(&self.url, 2).unwrap()
    }

    fn direct_url(&self) -> String {
        self.cluster.as_ref().unwrap().url("postgres")
    }

    async fn stop(mut self) {
        self.cluster.take().unwrap().stop().await;
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        drop(self.cluster.take());
        let _gone = cluster::remove(&self.dir);
        let _gone = std::fs::remove_dir_all(&self.dir);
    }
}

async fn lend(mut client: TcpStream, socket: PathBuf, settings: Settings) -> std::io::Result<()> {
    let length = usize::try_from(client.read_u32().await?).unwrap();
    let mut startup = vec![0; length - 4];
    client.read_exact(&mut startup).await?;
    let words: Vec<&[u8]> = startup[4..].split(|byte| *byte == 0).collect();
    let mut kept = startup[..4].to_vec();
    for pair in words.chunks_exact(2).filter(|pair| !pair[0].is_empty()) {
        match (pair[0], settings) {
            (b"options", Settings::Ignored) => {}
            (b"options", Settings::Refused) => {
                let text = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                client.write_all(b"E").await?;
                client.write_i32(i32::try_from(text.len()).unwrap() + 4).await?;
                return client.write_all(text).await;
            }
            _ => {
                kept.extend_from_slice(pair[0]);
                kept.push(0);
                kept.extend_from_slice(pair[1]);
                kept.push(0);
            }
        }
    }
    kept.push(0);
    let mut sessions = [UnixStream::connect(&socket).await?, UnixStream::connect(&socket).await?];
    let mut greeting = Vec::new();
    for session in &mut sessions {
        session.write_i32(i32::try_from(kept.len()).unwrap() + 4).await?;
        session.write_all(&kept).await?;
        greeting = until_ready(session).await?.0;
    }
    client.write_all(&greeting).await?;
    loop {
        let mut question = Vec::new();
        while !matches!(read_message(&mut client, &mut question).await?, b'S' | b'Q') {}
        sessions[0].write_all(&question).await?;
        let (answer, is_over) = until_ready(&mut sessions[0]).await?;
        client.write_all(&answer).await?;
        if is_over {
            sessions.swap(0, 1);
        }
    }
}

/// What it says, and whether it is in no transaction then.
async fn until_ready(session: &mut UnixStream) -> std::io::Result<(Vec<u8>, bool)> {
    let mut said = Vec::new();
    while read_message(session, &mut said).await? != b'Z' {}
    let is_over = said.last() == Some(&b'I');
    Ok((said, is_over))
}

async fn read_message(from: &mut (impl AsyncReadExt + Unpin), into: &mut Vec<u8>) -> std::io::Result<u8> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    into.push(kind);
    into.extend(length.to_be_bytes());
    let begin = into.len();
    into.resize(begin + usize::try_from(length).unwrap() - 4, 0);
    from.read_exact(&mut into[begin..]).await?;
    Ok(kind)
}

#[tokio::test]
async fn a_pooler_is_found_out_whether_it_refuses_settings_or_ignores_them() {
    for settings in [Settings::Refused, Settings::Ignored] {
        let pooled = Pooled::start(settings).await;
        assert_eq!(pooled.store().sessions().await.unwrap(), Sessions::Lent { names: false });
        assert_eq!(Store::open(&pooled.direct_url(), 2).unwrap().sessions().await.unwrap(), Sessions::Own);
        pooled.stop().await;
    }
}

#[tokio::test]
async fn nothing_is_left_in_a_session_or_expected_of_it() {
    let pooled = Pooled::start(Settings::Refused).await;
    let stores = [pooled.store(), pooled.store()];
    for store in &stores {
        store.migrate().await.unwrap();
    }
    for (store, name) in stores.iter().zip(["first", "second"]) {
        store.check_ready().await.unwrap();
        let account = AccountId::new(name);
        assert!(store.create_account(&account).await.unwrap());
        assert!(!store.create_account(&account).await.unwrap());
        let mut hot = store.hot_connection().await.unwrap();
        for _ in 0..4 {
            let set: (String, String, i64) = sqlx::query_as(
                "select current_setting('enable_seqscan'), current_setting('plan_cache_mode'),
                     (select count(*) from accounts where id = $1)",
            )
            .bind(name)
            .fetch_one(&mut hot)
            .await
            .unwrap();
            assert_eq!(set, ("off".to_owned(), "force_generic_plan".to_owned(), 1));
            let after =
                "select current_setting('enable_seqscan') || (select count(*) from pg_prepared_statements)";
            let after: String = sqlx::Row::get(&sqlx::raw_sql(after).fetch_one(&mut hot).await.unwrap(), 0);
            assert_eq!(after, "on0");
        }
    }
    pooled.stop().await;
}

#[tokio::test]
async fn transactions_are_whole_and_those_that_are_left_never_were() {
    let pooled = Pooled::start(Settings::Ignored).await;
    let store = pooled.store();
    sqlx::raw_sql("create table t (n int primary key)").execute(store.pool()).await.unwrap();
    let mut hot = store.hot_connection().await.unwrap();
    let insert = |n: i32| sqlx::query("insert into t values ($1)").bind(n);

    let mut kept = hot.begin().await.unwrap();
    insert(1).execute(&mut *kept).await.unwrap();
    insert(2).execute(&mut *kept).await.unwrap();
    kept.commit().await.unwrap();
    let mut left = hot.begin().await.unwrap();
    insert(3).execute(&mut *left).await.unwrap();
    drop(left);
    insert(4).execute(&mut hot).await.unwrap();
    assert!(insert(4).execute(&mut hot).await.is_err());
    insert(5).execute(&mut hot).await.unwrap();

    let mut kept = store.pool().begin().await.unwrap();
    insert(6).execute(&mut *kept).await.unwrap();
    kept.commit().await.unwrap();
    let mut left = store.pool().begin().await.unwrap();
    insert(7).execute(&mut *left).await.unwrap();
    drop(left);
    insert(8).execute(store.pool()).await.unwrap();
    let there: Vec<i32> =
        sqlx::query_scalar("select n from t order by n").fetch_all(store.pool()).await.unwrap();
    assert_eq!(there, [1, 2, 4, 5, 6, 8]);
    pooled.stop().await;
}

#[tokio::test]
async fn what_needs_a_session_goes_past_the_pooler_where_there_is_a_way() {
    let pooled = Pooled::start(Settings::Refused).await;
    let store = pooled.store().with_direct(&pooled.direct_url()).unwrap();
    store.migrate().await.unwrap();
    let mut hot = store.hot_connection().await.unwrap();
    sqlx::raw_sql("set application_name = 'kept'").execute(&mut hot).await.unwrap();
    for _ in 0..3 {
        let name: String = sqlx::query_scalar("select current_setting('application_name')")
            .fetch_one(&mut hot)
            .await
            .unwrap();
        assert_eq!(name, "kept");
    }
    let listening = tokio::spawn({
        let store = store.clone();
        async move { store.listen().await }
    });
    let other = pooled.store();
    let hinted = tokio::spawn({
        let store = store.clone();
        async move { store.wake().hinted().await }
    });
    // Until it listens, hints of others get lost; each is told once.
    while !hinted.is_finished() {
        sqlx::raw_sql("notify trunkline_jobs").execute(other.pool()).await.unwrap();
        tokio::task::yield_now().await;
    }
    store.close().await;
    listening.await.unwrap().unwrap();
    pooled.stop().await;
}

/// A process that found none must not go on when there is one.
#[tokio::test]
async fn a_pooler_that_comes_between_later_is_refused() {
    let pooled = Pooled::start(Settings::Ignored).await;
    let socket = pooled.cluster.as_ref().unwrap().socket_dir().join(".s.PGSQL.5432");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/postgres?sslmode=disable", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let mut session = UnixStream::connect(&socket).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut first, &mut session).await;
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(lend(client, socket.clone(), Settings::Ignored));
        }
    });
    let store = Store::open(&url, 2).unwrap();
    assert_eq!(store.sessions().await.unwrap(), Sessions::Own);
    let refused = store.hot_connection().await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(why) if why.to_string().contains("restart")),
        "{refused:?}"
    );
    let statement = AssertSqlSafe("select 1".to_owned());
    assert!(sqlx::raw_sql(statement).execute(store.pool()).await.is_err());
    pooled.stop().await;
}

/// While a server is not promoted yet it takes no hints, and what is left of them must not stay behind.
#[tokio::test]
async fn a_hint_that_is_refused_leaves_the_connection_as_it_was() {
    let dir = std::env::temp_dir().join(format!("trunkline-standby-{}", std::process::id()));
    let options = || {
        let mut options = ClusterOptions::for_tests(&dir);
        options.settings.push(("wal_level".to_owned(), "replica".to_owned()));
        options
    };
    let cluster = Cluster::start(options()).await.unwrap();
    std::fs::write(cluster.postgres_dir().join("data/standby.signal"), "").unwrap();
    cluster.stop().await;
    let cluster = Cluster::start(options()).await.unwrap();
    let store = Store::open(&cluster.url("postgres"), 1).unwrap();
    let ask = async |sql: &'static str| sqlx::query_scalar::<_, bool>(sql).fetch_one(store.pool()).await;
    assert!(ask("select pg_is_in_recovery()").await.unwrap());
    let refused = sqlx::raw_sql("notify trunkline_callbacks").execute(store.pool()).await;
    assert!(refused.is_err(), "or this test shows nothing");
    let other = Store::open(&cluster.url("postgres"), 1).unwrap();
    // Between two hints, which is soon: one that is under way is waited for.
    let hinting = async || {
        let backends = "select pid from pg_stat_activity
            where query like '%notify trunkline_jobs%' and pid <> pg_backend_pid() and state like 'idle%'";
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            let idle = sqlx::query_scalar::<_, i32>(backends).fetch_all(other.pool()).await.unwrap();
            if !idle.is_empty() {
                return idle;
            }
            tokio::task::yield_now().await;
        }
        panic!("nobody hints");
    };
    store.wake().hint();
    let refused = hinting().await;
    assert!(ask("select pg_promote()").await.unwrap());
    assert!(!ask("select pg_is_in_recovery()").await.unwrap());
    let listening = other.listen();
    let told = async {
        let mut hinted = Box::pin(other.wake().hinted());
        while futures::poll!(&mut hinted).is_pending() {
            store.wake().hint();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = listening => panic!("{ended:?}"),
        told = tokio::time::timeout(Duration::from_secs(60), told) => told.expect("the same connection hints now"),
    }
    assert_eq!(hinting().await, refused, "by the same connection");
    cluster.stop().await;
    let _gone = cluster::remove(&dir);
    let _gone = std::fs::remove_dir_all(&dir);
}
