//! The private cluster, on the machine's real PostgreSQL: how it starts, stops, dies and comes back.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::{Connection, PgConnection};
use trunkline_store::cluster::{self, Cluster, ClusterError, ClusterOptions, Durability};

const LIMIT: Duration = Duration::from_secs(30);
/// Set in a process that this test starts of itself: the data folder to hold.
const HELD: &str = "TRUNKLINE_TEST_HELD_DATA_DIR";

/// A path of its own for each test; whatever cluster is there goes with it.
struct TestDir(PathBuf);

impl TestDir {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("trunkline-cluster-{}-{count}", std::process::id())))
    }

    fn options(&self) -> ClusterOptions {
        ClusterOptions::for_tests(&self.0)
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _gone = cluster::remove(&self.0);
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

async fn ask(cluster: &Cluster, sql: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(&cluster.url("postgres")).await?;
    let answer = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    connection.close().await?;
    answer
}

async fn run(cluster: &Cluster, sql: &'static str) {
    let mut connection = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Asks until there is an answer: the way back of a server that was killed.
async fn ask_until_answered(cluster: &Cluster, sql: &'static str) -> String {
    let begun = Instant::now();
    loop {
        match ask(cluster, sql).await {
            Ok(answer) => return answer,
            Err(error) => assert!(begun.elapsed() < LIMIT, "still no answer: {error}"),
        }
        tokio::task::yield_now().await;
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::yield_now();
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

fn postmaster_pid_in(data_dir: &Path) -> u32 {
    let text = std::fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

/// Alive, and not a zombie that waits for its parent.
fn is_alive(number: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    test_kill_process(pid(number)).is_ok() && !stat.contains(") Z ")
}

#[tokio::test]
async fn a_new_cluster_serves_queries_over_a_private_socket_only() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();

    assert!(cluster.was_created());
    assert!(ask(&cluster, "select version()").await.unwrap().contains(cluster.version()));
    assert_eq!(ask(&cluster, "show listen_addresses").await.unwrap(), "");
    assert_eq!(ask(&cluster, "show data_checksums").await.unwrap(), "on");
    assert_eq!(ask(&cluster, "show server_encoding").await.unwrap(), "UTF8");
    assert_eq!(ask(&cluster, "show fsync").await.unwrap(), "off");
    assert!(ask(&cluster, "show config_file").await.unwrap().starts_with(dir.0.to_str().unwrap()));
    for private in [cluster.socket_dir(), cluster.postgres_dir(), &cluster.postgres_dir().join("data")] {
        assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", private.display());
    }
    assert_eq!(cluster.note(), None);
    assert_eq!(cluster.postmaster_pid(), postmaster_pid_in(&dir.0));

    run(&cluster, "create database \"odd name: 1%/2?\"").await;
    let mut odd = PgConnection::connect(&cluster.url("odd name: 1%/2?")).await.unwrap();
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&mut odd).await.unwrap();
    assert_eq!(name, "odd name: 1%/2?");
    odd.close().await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn full_durability_is_the_default_and_the_callers_settings_win() {
    let dir = TestDir::new();
    let mut options = ClusterOptions::new(&dir.0);
    assert_eq!(options.durability, Durability::Full);
    options.max_connections = 33;
    options.settings.push(("shared_buffers".into(), "16MB".into()));
    let cluster = Cluster::start(options).await.unwrap();
    assert_eq!(ask(&cluster, "show fsync").await.unwrap(), "on");
    assert_eq!(ask(&cluster, "show synchronous_commit").await.unwrap(), "on");
    assert_eq!(ask(&cluster, "show full_page_writes").await.unwrap(), "on");
    assert_eq!(ask(&cluster, "show max_connections").await.unwrap(), "33");
    assert_eq!(ask(&cluster, "show shared_buffers").await.unwrap(), "16MB");
    cluster.stop().await;
}

#[tokio::test]
async fn a_second_start_on_the_same_folder_says_who_uses_it() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    match Cluster::start(dir.options()).await {
        Err(ClusterError::InUse { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    assert!(matches!(cluster::remove(&dir.0), Err(ClusterError::InUse { .. })));
    assert_eq!(ask(&cluster, "select 'unharmed'").await.unwrap(), "unharmed");
    cluster.stop().await;
}

#[tokio::test]
async fn data_survives_a_stop_and_a_start_and_goes_with_a_removal() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    run(&cluster, "create table kept as select 'still here'::text as word").await;
    let server = cluster.postmaster_pid();
    cluster.stop().await;
    assert!(!is_alive(server));

    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert!(!cluster.was_created());
    assert_eq!(ask(&cluster, "select word from kept").await.unwrap(), "still here");
    let server = cluster.postmaster_pid();
    drop(cluster);
    assert!(!is_alive(server), "dropping waits for the end");

    cluster::remove(&dir.0).unwrap();
    assert!(!dir.0.join("postgres").exists());
    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert!(cluster.was_created());
    cluster.stop().await;
}

#[tokio::test]
async fn a_killed_postmaster_comes_back_although_a_backend_of_the_old_one_is_busy() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    // Committed just before the kill: what was answered is kept even without fsync.
    let first = cluster.postmaster_pid();

    // It computes and never waits, so it would not notice for a long time that its postmaster is gone.
    let mut busy = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let busy_pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut busy).await.unwrap();
    let busy_query = tokio::spawn(async move {
        sqlx::query("select count(*) from generate_series(1, 1000000000000)").execute(&mut busy).await
    });
    while ask(&cluster, "select count(*)::text from pg_stat_activity where query like '%1000000000000)'")
        .await
        .unwrap()
        != "1"
    {}

    for killed in 1..=2 {
        run(&cluster, "drop table if exists kept; create table kept as select 'still here'::text as word")
            .await;
        kill_process(pid(cluster.postmaster_pid()), Signal::KILL).unwrap();
        wait_until("the supervisor starts it again", || cluster.restarts() == killed);
        assert_eq!(ask_until_answered(&cluster, "select word from kept").await, "still here");
    }
    assert_ne!(cluster.postmaster_pid(), first);
    assert!(!is_alive(busy_pid.unsigned_abs()), "nothing of the old server is left");
    assert!(busy_query.await.unwrap().is_err());
    cluster.stop().await;
}

#[tokio::test]
async fn a_killed_backend_is_postgres_own_affair() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    let mut doomed = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut doomed).await.unwrap();
    kill_process(pid(backend.unsigned_abs()), Signal::KILL).unwrap();
    assert_eq!(ask_until_answered(&cluster, "select 'back'").await, "back");
    assert_eq!(cluster.restarts(), 0);
    cluster.stop().await;
}

/// Starts this test binary again as a process that starts a cluster and holds it until it is killed.
fn hold_in_another_process(data_dir: &Path) -> Child {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_other_process_holds_a_cluster", "--nocapture"])
        .env(HELD, data_dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("held")), "the other process holds it");
    holder
}

#[tokio::test]
async fn the_other_process_holds_a_cluster() {
    let Ok(data_dir) = std::env::var(HELD) else { return };
    let _cluster = Cluster::start(ClusterOptions::for_tests(data_dir)).await.unwrap();
    println!("held");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn after_our_own_violent_death_postgres_goes_away_and_a_new_start_works() {
    let dir = TestDir::new();
    let mut holder = hold_in_another_process(&dir.0);
    let server = postmaster_pid_in(&dir.0);
    match Cluster::start(dir.options()).await {
        Err(ClusterError::InUse { pid, .. }) => assert_eq!(pid, Some(holder.id())),
        other => panic!("{other:?}"),
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_until("the watchdog ends PostgreSQL", || !is_alive(server));

    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert_eq!(ask(&cluster, "select 'again'").await.unwrap(), "again");
    cluster.stop().await;
}

#[tokio::test]
async fn a_start_right_after_our_death_takes_over_what_the_watchdog_has_not_ended_yet() {
    let dir = TestDir::new();
    let mut holder = hold_in_another_process(&dir.0);
    let server = postmaster_pid_in(&dir.0);
    // The watchdog goes first: nobody is left who would end PostgreSQL.
    kill_watchdog_of(holder.id());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(is_alive(server), "an orphan");

    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert!(!is_alive(server), "one server at a time");
    assert_eq!(ask(&cluster, "select 'again'").await.unwrap(), "again");
    cluster.stop().await;
}

fn kill_watchdog_of(parent: u32) {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let watchdog = numbers.find(|number| {
        let status = std::fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        status.contains("Name:\tsh\n") && status.contains(&format!("PPid:\t{parent}\n"))
    });
    let watchdog = watchdog.expect("a watchdog");
    kill_process(pid(watchdog), Signal::KILL).unwrap();
    wait_until("the watchdog is gone", || !is_alive(watchdog));
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_with_both_versions() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    let (installed, data) = (cluster.version().to_owned(), cluster.postgres_dir().join("data"));
    cluster.stop().await;
    std::fs::write(data.join("PG_VERSION"), "11\n").unwrap();
    let error = Cluster::start(dir.options()).await.unwrap_err().to_string();
    assert!(error.contains("is of PostgreSQL 11") && error.contains(&installed), "{error}");
    assert!(error.contains(data.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn an_unfinished_initdb_is_wiped_and_done_again() {
    let dir = TestDir::new();
    std::fs::create_dir_all(dir.0.join("postgres/data.new/base")).unwrap();
    std::fs::write(dir.0.join("postgres/data.new/PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert!(cluster.was_created());
    assert_eq!(ask(&cluster, "select 'whole'").await.unwrap(), "whole");
    assert!(!cluster.postgres_dir().join("data.new").exists());
    cluster.stop().await;
}

#[tokio::test]
async fn a_folder_that_is_not_postgres_own_is_left_alone() {
    let dir = TestDir::new();
    std::fs::create_dir_all(dir.0.join("postgres/data")).unwrap();
    std::fs::write(dir.0.join("postgres/data/thesis.txt"), "years of work").unwrap();
    assert!(matches!(Cluster::start(dir.options()).await, Err(ClusterError::NotOurs { .. })));
    assert!(dir.0.join("postgres/data/thesis.txt").exists());
}

#[tokio::test]
async fn a_stale_pid_file_whose_number_is_in_use_again_does_not_stop_a_start() {
    let dir = TestDir::new();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    let data = cluster.postgres_dir().join("data");
    cluster.stop().await;
    let somebody = std::process::id();
    std::fs::write(data.join("postmaster.pid"), format!("{somebody}\n{}\n", data.display())).unwrap();
    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert_eq!(ask(&cluster, "select 'up'").await.unwrap(), "up");
    cluster.stop().await;
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket_folder_that_goes_away_again() {
    let dir = TestDir::new();
    let options = ClusterOptions::for_tests(dir.0.join("long".repeat(30)));
    let data_dir = options.data_dir.clone();
    let cluster = Cluster::start(options).await.unwrap();
    let socket_dir = cluster.socket_dir().to_owned();
    assert!(!socket_dir.starts_with(&dir.0));
    assert_eq!(socket_dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(ask(&cluster, "select 'heard'").await.unwrap(), "heard");
    cluster.stop().await;
    assert!(!socket_dir.exists());
    cluster::remove(&data_dir).unwrap();
}

#[tokio::test]
async fn what_stops_a_start_is_in_the_error() {
    let dir = TestDir::new();
    let mut options = dir.options();
    options.settings.push(("shared_buffers".into(), "plenty".into()));
    let error = Cluster::start(options).await.unwrap_err().to_string();
    assert!(error.contains("shared_buffers") && error.contains("plenty"), "{error}");

    let cluster = Cluster::start(dir.options()).await.unwrap();
    assert!(!cluster.was_created(), "the failed start gave its lock and its data back");
    cluster.stop().await;
}

#[tokio::test]
async fn a_folder_without_binaries_is_named() {
    let dir = TestDir::new();
    let mut options = dir.options();
    options.bin_dir = Some("/nowhere/bin".into());
    let error = Cluster::start(options).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/bin"), "{error}");
}

#[tokio::test]
async fn roots_private_folders_send_the_data_elsewhere_and_removal_finds_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = TestDir::new();
    std::fs::DirBuilder::new().mode(0o700).create(&dir.0).unwrap();
    let options = ClusterOptions::for_tests(dir.0.join("inner"));
    let cluster = Cluster::start(options.clone()).await.unwrap();
    let elsewhere = cluster.postgres_dir().to_owned();
    assert!(!elsewhere.starts_with(&dir.0));
    assert!(cluster.note().unwrap().contains(elsewhere.to_str().unwrap()));
    run(&cluster, "create table kept as select 'still here'::text as word").await;
    cluster.stop().await;

    let cluster = Cluster::start(options.clone()).await.unwrap();
    assert_eq!(cluster.postgres_dir(), elsewhere);
    assert_eq!(ask(&cluster, "select word from kept").await.unwrap(), "still here");
    cluster.stop().await;

    // Who deletes the folder by hand starts over, too.
    std::fs::remove_dir_all(&options.data_dir).unwrap();
    let cluster = Cluster::start(options.clone()).await.unwrap();
    assert!(cluster.was_created());
    cluster.stop().await;
    cluster::remove(&options.data_dir).unwrap();
    assert!(!elsewhere.exists());
    std::fs::remove_dir_all(elsewhere.with_extension("old")).unwrap();
}
