//! The commands of a deployment, on a database that somebody else runs.

use serde_json::json;
use trunkline_store::Store;
use trunkline_store::cluster::{Cluster, ClusterOptions};

use crate::pooler::Pooler;
use crate::program::{Client, Running, TestDir, run};

/// As `TRUNKLINE_MASTER_KEY` has it.
pub const MASTER_KEY: &str = "dHJ1bmtsaW5lIHRlc3RzLCAzMiBieXRlcyBpbiBhbGw=";

/// Anybody else's.
pub const OTHER_KEY: &str = "c29tZWJvZHkgZWxzZSdzIGtleSBvZiAzMiBieXRlcyE=";

/// A PostgreSQL, and what tests reach it through.
pub struct TestPostgres {
    pub cluster: Cluster,
    pooler: Option<Pooler>,
}

/// A PostgreSQL for the test; its folder goes with the test's.
pub async fn postgres(dir: &TestDir) -> TestPostgres {
    let cluster = Cluster::start(ClusterOptions::for_tests(dir.data_dir())).await.unwrap();
    let pooler = Pooler::before(&cluster);
    TestPostgres { cluster, pooler }
}

impl TestPostgres {
    pub fn url(&self, database: &str) -> String {
        self.pooler.as_ref().map_or_else(|| self.cluster.url(database), |pooler| pooler.url(database))
    }

    pub async fn stop(self) {
        drop(self.pooler);
        self.cluster.stop().await;
    }
}

#[tokio::test]
async fn a_deployment_from_migration_to_revoked_key() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let trunkline = |args: &[&str]| run(&dir, args, &environment);

    trunkline(&["account", "list"]).failed(1, "run `trunkline migrate`");
    trunkline(&["verify"]).failed(1, "run `trunkline migrate`");
    trunkline(&["migrate"]).succeeded();
    trunkline(&["migrate"]).succeeded();

    trunkline(&["account", "create", "acme"]).succeeded();
    trunkline(&["account", "create", "acme"]).failed(1, "there is an account `acme` already");
    trunkline(&["account", "create", "a/b"]).failed(2, "<ACCOUNT>");
    assert!(trunkline(&["account", "list"]).succeeded().stdout.contains("\nacme "));

    trunkline(&["key", "create", "nobody"]).failed(1, "there is no account `nobody`");
    trunkline(&["key", "list", "nobody"]).failed(1, "there is no account `nobody`");
    let created = trunkline(&["key", "create", "acme", "--name", "ci"]).succeeded();
    let key = created.stdout.trim();
    assert!(!created.stderr.contains(key), "{created:?}");
    let list = trunkline(&["key", "list", "acme"]).succeeded().stdout;
    let line = list.lines().nth(1).unwrap();
    assert!(line.contains(" ci ") && line.contains(&key[..11]) && !line.contains(key), "{list}");

    let mut server =
        Running::start(&dir, &["serve", "--listen", "127.0.0.1:0", "--log-format", "json"], &environment);
    server.says("listening on ").await;
    let address = server.after("listening on ");
    let address = address.split('"').next().unwrap();
    assert!(
        server.stderr().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{server}"
    );
    let client = Client::new(address, Some(key));
    assert_eq!(client.call("GET", "/readyz", None).await.0, 200);
    let definitions = "/api/v1/accounts/acme/definitions";
    assert_eq!(client.get(definitions).await, json!([]));

    let mut worker = Running::start(&dir, &["worker", "--name", "alone"], &environment);
    worker.says("worker registered").await;
    let branch = json!({"trigger": "http_request", "status": "enabled", "definition": {"name": "Nothing to do", "steps": [
        {"id": "end", "stepType": "Branch", "selectNextStep": {"nowhere": null}}]}});
    let (status, definition) = client.call("POST", definitions, Some(&branch)).await;
    assert_eq!(status, 201);
    assert_eq!(
        client.call("POST", "/api/v1/accounts/acme/triggers/http_request", Some(&json!({}))).await.0,
        200
    );
    a_secret_of_a_definition_is_not_in_the_database(&client, &url).await;
    let instances = format!("{definitions}/{}/workflows", definition["id"].as_str().unwrap());
    client.get_until(&instances, "the worker did it", |all| all[0]["status"] == "Complete").await;

    let id = line.split_whitespace().next().unwrap();
    trunkline(&["key", "revoke", id]).succeeded();
    trunkline(&["key", "revoke", id]).failed(1, "is in force");
    let later = Running::start(&dir, &["serve", "--listen", "127.0.0.1:0"], &environment);
    the_key_is_refused(later, key).await;

    assert_eq!(trunkline(&["verify"]).succeeded().stdout, "Every rule holds.\n");
    assert_eq!(worker.stop().await, Some(0));
    assert_eq!(server.stop().await, Some(0));

    let store = Store::open(&url, 2).unwrap();
    sqlx::query("update instances set status = 'Runnable', completed_at = null")
        .execute(store.pool())
        .await
        .unwrap();
    let broken = trunkline(&["verify"]);
    assert_eq!(broken.code, Some(1));
    assert!(broken.stdout.contains("every live instance has a job or a wait"), "{broken:?}");
    store.close().await;
    cluster.stop().await;
}

async fn a_secret_of_a_definition_is_not_in_the_database(client: &Client, url: &str) {
    let steps = json!([{"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": "https://example.com", "method": "GET", "headers": {"Authorization": "Basic aHVzaA=="}}}]);
    let body = json!({"trigger": "http_request", "definition": {"name": "Sealed", "steps": steps}});
    let (status, saved) = client.call("POST", "/api/v1/accounts/acme/definitions", Some(&body)).await;
    assert_eq!((status, &saved["definition"]["steps"]), (201, &steps));
    let list = client.get("/api/v1/accounts/acme/definitions").await;
    assert!(list.as_array().unwrap().iter().any(|shown| shown["definition"]["steps"] == steps), "{list}");
    let store = Store::open(url, 1).unwrap();
    let rows: Vec<String> = sqlx::query_scalar("select row_to_json(v)::text from definition_versions v")
        .fetch_all(store.pool())
        .await
        .unwrap();
    store.close().await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| !row.contains("aHVzaA") && !row.contains("stepType")), "{rows:?}");
}

/// By a server that has not met it before, and therefore does not take it on trust.
async fn the_key_is_refused(mut server: Running, key: &str) {
    server.says("listening on ").await;
    let address = server.after("listening on ");
    let (status, error) =
        Client::new(&address, Some(key)).call("GET", "/api/v1/accounts/acme/definitions", None).await;
    assert_eq!((status, &error["code"]), (401, &json!(1200)));
    assert_eq!(server.stop().await, Some(0));
}

#[tokio::test]
async fn server_and_worker_wait_for_a_database_that_is_down() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    // At the same place again, which another pooler is not.
    let url = cluster.cluster.url("postgres");
    cluster.stop().await;
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    run(&dir, &["migrate"], &environment).failed(1, "the database is unavailable");

    let mut server = Running::start(&dir, &["serve", "--listen", "127.0.0.1:0"], &environment);
    server.says("waiting for the database").await;
    let mut worker = Running::start(&dir, &["worker"], &environment);
    worker.says("waiting for the database").await;
    let client = Client::new(&server.after("listening on "), None);
    assert_eq!(client.call("GET", "/healthz", None).await.0, 200);
    assert_eq!(client.call("GET", "/readyz", None).await.0, 503);

    let cluster = postgres(&dir).await;
    server.says("the database is not migrated").await;
    run(&dir, &["migrate"], &environment).succeeded();
    server.says("the database is ready").await;
    worker.says("worker registered").await;
    assert_eq!(client.call("GET", "/readyz", None).await.0, 200);
    assert_eq!(server.stop().await, Some(0));
    assert_eq!(worker.stop().await, Some(0));
    cluster.stop().await;
}

#[tokio::test]
async fn a_worker_that_waits_for_the_database_stops_at_once() {
    let dir = TestDir::new();
    let environment = [("DATABASE_URL", "postgres://127.0.0.1:1/x"), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let mut worker = Running::start(&dir, &["worker"], &environment);
    worker.says("waiting for the database").await;
    assert_eq!(worker.stop().await, Some(0));
}

#[tokio::test]
async fn the_wrong_master_key_is_found_out_before_it_does_harm() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let with = |key: &'static str| [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", key)];
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    run(&dir, &["migrate"], &with(MASTER_KEY)).succeeded();
    run(&dir, &["account", "create", "acme"], &with(MASTER_KEY)).succeeded();
    let show = ["webhook", "show", "acme", "--url", "https://t.example"];
    let shown = run(&dir, &show, &with(MASTER_KEY)).succeeded().stdout;

    let refusal = "the secrets of this database are sealed with master key `";
    for command in [&serve[..], &["worker"], &show, &["webhook", "rotate", "acme"], &["master-key", "reseal"]]
    {
        run(&dir, command, &with(OTHER_KEY)).failed(1, refusal);
    }
    let dev = ["dev", "--listen", "127.0.0.1:0", "--database-url", &url];
    run(&dir, &dev, &with(OTHER_KEY)).failed(1, refusal);
    assert_eq!(run(&dir, &show, &with(MASTER_KEY)).succeeded().stdout, shown);

    // The new key in front, everything sealed with it, the old key away.
    let both: &'static str = Box::leak(format!("{OTHER_KEY},{MASTER_KEY}").into_boxed_str());
    let resealed = run(&dir, &["master-key", "reseal"], &with(both)).succeeded();
    assert!(resealed.stdout.contains(": 1.\nNothing needs another key."), "{resealed:?}");
    assert_eq!(run(&dir, &show, &with(OTHER_KEY)).succeeded().stdout, shown);
    run(&dir, &show, &with(MASTER_KEY)).failed(1, refusal);

    // Lost, the key takes what it sealed with it, but not the installation.
    let lost = run(&dir, &["master-key", "reseal", "--key-is-lost"], &with(MASTER_KEY));
    assert!(lost.code == Some(1) && lost.stdout.contains("Left: 1 of webhook_settings.secret "), "{lost:?}");
    run(&dir, &show, &with(MASTER_KEY)).failed(1, "sealed with a master key that is not configured");
    run(&dir, &["webhook", "rotate", "acme", "--at-once"], &with(MASTER_KEY)).succeeded();
    run(&dir, &show, &with(MASTER_KEY)).succeeded();
    let mut server = Running::start(&dir, &serve, &with(MASTER_KEY));
    server.says("listening on ").await;
    let client = Client::new(&server.after("listening on "), None);
    assert_eq!(client.call("GET", "/readyz", None).await.0, 200);
    run(&dir, &["master-key", "reseal", "--key-is-lost"], &with(OTHER_KEY)).failed(1, "");
    assert_eq!(client.call("GET", "/readyz", None).await.0, 503);
    assert_eq!(server.stop().await, Some(0));
    cluster.stop().await;
}

#[tokio::test]
async fn dev_uses_the_database_that_is_named() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let args = ["dev", "--listen", "127.0.0.1:0", "--data-dir", "other", "--database-url", &url];
    run(&dir, &[&args[..], &["--reset"]].concat(), &environment).failed(1, "yours to empty");
    // Its accounts reach phones by a connector, which `dev` goes past.
    run(&dir, &["migrate"], &environment).succeeded();
    run(&dir, &["account", "create", "dev"], &environment).succeeded();
    let set = ["connector", "set", "dev", "8x8", "--sms-url", "http://127.0.0.1:1"];
    let key = [("TRUNKLINE_PROVIDER_API_KEY", "key")];
    run(&dir, &set, &[&environment[..], &key].concat()).succeeded();
    let mut dev = Running::start(&dir, &args, &environment);
    dev.says("Ctrl-C stops everything").await;
    assert!(!dir.path().join("other/postgres").exists());
    assert!(dev.stderr().contains("WARN") && dev.stderr().contains("go to the sandbox"), "{dev}");
    assert!(
        dev.stdout().contains("WARNING: the messages and calls of all") && !dev.stdout().contains("--reset"),
        "{dev}"
    );
    let client = Client::new(&dev.after("API          ").replace("/api/v1/accounts/dev", ""), None);
    let ping = json!({"from": "+6590001111", "text": "ping"});
    assert_eq!(client.call("POST", "/sandbox/sms", Some(&ping)).await.0, 200);
    let is_there = |outbox: &serde_json::Value| outbox.as_array().is_some_and(|sent| !sent.is_empty());
    client.get_until("/sandbox/outbox", "the reply is in the sandbox", is_there).await;
    assert!(run(&dir, &["account", "list"], &environment).succeeded().stdout.contains("\ndev "));
    assert_eq!(dev.stop().await, Some(0));
    assert_ne!(cluster.cluster.postmaster_pid(), 0);
    cluster.stop().await;
}
