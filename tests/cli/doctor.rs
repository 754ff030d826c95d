//! What is wrong with an installation.

use serde_json::Value;
use trunkline_store::Store;

use crate::pooler::Pooler;
use crate::production::{MASTER_KEY, postgres};
use crate::program::{Ended, Running, TestDir, run};

/// State and words of one check.
fn finding(ended: &Ended, check: &str) -> (String, String) {
    let answer: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let mut checks = answer["checks"].as_array().unwrap().iter();
    let found = checks.find(|one| one["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {answer}"));
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{} {}", text("found"), text("todo")))
}

#[track_caller]
fn expect(ended: &Ended, check: &str, state: &str, words: &str) {
    let (found, said) = finding(ended, check);
    assert!(found == state && said.contains(words), "{check} is {found}: {said}");
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let dir = TestDir::new();
    run(&dir, &["doctor"], &[]).failed(1, "no server to talk to");
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let trunkline = |args: &[&str]| run(&dir, args, &environment);
    let doctor = |args: &[&str]| trunkline(&[&["doctor", "-o", "json"], args].concat());
    assert_eq!(trunkline(&["doctor", "--strict", "now"]).code, Some(2));

    let empty = doctor(&[]);
    expect(&empty, "schema", "problem", "migrations are missing: 1, 2, ");
    expect(&empty, "server", "skipped", "TRUNKLINE_URL");
    let way = if Pooler::is_wanted() { "through a pooler" } else { "to PostgreSQL itself" };
    expect(&empty, "connection", "ok", way);
    // The test's own PostgreSQL gives it up for speed.
    expect(&empty, "durability", "problem", "`fsync`, `full_page_writes` off");
    assert_eq!(empty.code, Some(1));

    trunkline(&["migrate"]).succeeded();
    let idle = doctor(&[]);
    expect(&idle, "schema", "ok", "every migration is there");
    expect(&idle, "partitions", "ok", "weeks to come: 4");
    expect(&idle, "workers", "problem", "start `trunkline worker`");

    let store = Store::open(&url, 2).unwrap();
    for setting in ["fsync", "full_page_writes"] {
        let statement = sqlx::AssertSqlSafe(format!("alter system set {setting} = on"));
        sqlx::raw_sql(statement).execute(store.pool()).await.unwrap();
    }
    sqlx::raw_sql("select pg_reload_conf()").execute(store.pool()).await.unwrap();
    trunkline(&["account", "create", "acme"]).succeeded();
    let key = trunkline(&["key", "create", "acme", "--scope", "viewer"]).succeeded().stdout;
    let mut server = Running::start(&dir, &["serve", "--listen", "127.0.0.1:0"], &environment);
    server.says("listening on ").await;
    let mut worker = Running::start(&dir, &["worker", "--name", "alone"], &environment);
    worker.says("worker registered").await;
    let address = server.after("listening on ");
    let of_server = ["--url", &address, "--account", "acme", "--api-key", key.trim()];
    let well = doctor(&of_server);
    for (check, words) in [
        ("server", "is ready"),
        ("server clock", " s apart"),
        ("database clock", " s apart"),
        ("server version", "as this program"),
        ("worker version", "as this program"),
        ("key", "opens the account"),
        ("durability", "is on disk"),
        ("connections", " connections are in use"),
        ("workers", "1 live, 0 draining, 0 silent"),
        ("snapshots", "oldest transaction"),
        ("bloat", "dead rows"),
        ("queue", "0 steps are ready"),
    ] {
        expect(&well, check, "ok", words);
    }
    assert_eq!(well.code, Some(0), "{well:?}");
    let lines = trunkline(&[&["doctor", "--strict"], &of_server[..]].concat()).succeeded().stdout;
    assert!(lines.starts_with("ok       server         `http://127.0.0.1:"), "{lines}");
    assert!(lines.lines().all(|line| line.starts_with("ok ")), "{lines}");

    for (args, check, words) in [
        (["--url", &address, "--account", "acme", "--api-key", "wrong"], "key", "does not know it"),
        (["--url", &address, "--account", "other", "--api-key", key.trim()], "key", "of another account"),
        (
            ["--url", "http://127.0.0.1:1", "--account", "acme", "--api-key", "k"],
            "server",
            "`trunkline serve` runs",
        ),
    ] {
        let wrong = doctor(&args);
        expect(&wrong, check, "problem", words);
        assert_eq!(wrong.code, Some(1));
    }
    trunkline(&["workers", "drain", "alone"]).succeeded();
    expect(&doctor(&of_server), "workers", "problem", "undrain");
    trunkline(&["workers", "undrain", "alone"]).succeeded();
    assert_eq!(worker.stop().await, Some(0));

    // Its last partition is not there.
    let last: String = sqlx::query_scalar(
        "select c.relname::text
         from pg_inherits h
         join pg_class c on c.oid = h.inhrelid
         where h.inhparent = 'instances'::regclass and c.relname <> 'instances_rest'
         order by c.relname desc
         limit 1",
    )
    .fetch_one(store.pool())
    .await
    .unwrap();
    let drop = sqlx::AssertSqlSafe(format!("drop table {last}"));
    sqlx::raw_sql(drop).execute(store.pool()).await.unwrap();
    expect(&doctor(&[]), "partitions", "warning", "weeks to come: 3");
    let mut transaction = store.pool().begin().await.unwrap();
    sqlx::query("delete from _sqlx_migrations where version = 26").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    expect(&doctor(&of_server), "schema", "problem", "migrations are missing: 26");
    expect(&doctor(&of_server), "server", "problem", "not ready");
    store.close().await;
    assert_eq!(server.stop().await, Some(0));
    cluster.stop().await;
    expect(&doctor(&[]), "database", "problem", "see whether it runs");
}
