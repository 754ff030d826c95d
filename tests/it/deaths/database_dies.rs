//! PostgreSQL killed and started again under load, or a pooler before it: no process exits, nothing accepted is lost.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use trunkline_store::cluster::{Cluster, ClusterOptions};

use super::processes::WorkerProcess;
use crate::support::{Endpoint, Pooler, TestApp, definition, until};

const KILLS: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_under_load_loses_nothing() {
    let folder = std::env::temp_dir().join(format!("trunkline-database-dies-{}", std::process::id()));
    let cluster = Cluster::start(ClusterOptions::for_tests(folder.clone())).await.unwrap();
    let pooler = Pooler::before(&cluster);
    let url = pooler.as_ref().map_or_else(|| cluster.url("postgres"), |pooler| pooler.url("postgres"));
    let killed = AtomicU32::new(0);
    nothing_is_lost(&url, || async {
        let postmaster = i32::try_from(cluster.postmaster_pid()).unwrap();
        kill_process(Pid::from_raw(postmaster).unwrap(), Signal::KILL).unwrap();
        let kills = killed.fetch_add(1, Ordering::Relaxed);
        until("PostgreSQL is back", || async { cluster.restarts() > kills }).await;
    })
    .await;
    drop(pooler);
    cluster.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_killed_under_load_loses_nothing() {
    let folder = std::env::temp_dir().join(format!("trunkline-pooler-dies-{}", std::process::id()));
    let cluster = Cluster::start(ClusterOptions::for_tests(folder.clone())).await.unwrap();
    if let Some(pooler) = Pooler::before(&cluster) {
        let url = pooler.url("postgres");
        let pooler = Mutex::new(pooler);
        nothing_is_lost(&url, || async { pooler.lock().unwrap().kill() }).await;
    } else {
        println!("skipped: there is no pooler (`make test-pooler`)");
    }
    cluster.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

async fn nothing_is_lost(url: &str, kill: impl AsyncFn()) {
    let app = Arc::new(TestApp::on(url.to_owned()).await);
    let endpoint = Endpoint::start().await;
    let mut workers = [WorkerProcess::start(app.database_url()), WorkerProcess::start(app.database_url())];
    let steps = json!([
        {"id": "first", "stepType": "Branch", "selectNextStep": {"call": "{{data.n >= 0}}"}},
        {"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": format!("{}/json", endpoint.url), "method": "POST", "body": {"n": "{{data.n}}"}},
            "outputs": {"ok": "{{step.responseBody.ok}}"}, "nextStepId": "pause"},
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "last"},
        {"id": "last", "stepType": "If"},
    ]);
    let id = app.define(definition(steps)).await;

    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (app, over, id) = (app.clone(), over.clone(), id.clone());
            tokio::spawn(async move { start_until(&app, &id, &over).await })
        })
        .collect();
    for killed in 0..KILLS {
        let ended = || async {
            let count = "select count(*) from instances where completed_at is not null";
            let count: Result<i64, _> = sqlx::query_scalar(count).fetch_one(app.store().pool()).await;
            count.is_ok_and(|count| count > i64::from(killed) * 50 + 50)
        };
        until("instances end", ended).await;
        kill().await;
        until("the database is back", || async { app.store().check_ready().await.is_ok() }).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut accepted = Vec::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    assert!(accepted.len() > 100, "{}", accepted.len());
    for path in &accepted {
        let ends = || async { app.get(path).await.expect(200)["status"] == "Complete" };
        until("every accepted instance ends well", ends).await;
    }
    for worker in &mut workers {
        assert!(worker.exited().is_none(), "a worker exited: {}", worker.log());
    }
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Starts instances one after another; answers those that were accepted. While the database is away the
/// server says 503 and when to come again.
async fn start_until(app: &TestApp, definition: &str, over: &AtomicBool) -> Vec<String> {
    let mut accepted = Vec::new();
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let path = format!("/definitions/{definition}/workflows");
        let response = app
            .account_request(Method::POST, &path)
            .json(&json!({"n": n}))
            .send()
            .await
            .expect("the server lives");
        match response.status().as_u16() {
            201 => {
                let location = response.headers()["location"].to_str().unwrap();
                let prefix = format!("/api/v1/accounts/{}", app.account());
                accepted.push(location.strip_prefix(&prefix).unwrap().to_owned());
            }
            503 => assert!(response.headers().contains_key("retry-after")),
            other => panic!("{other}: {}", response.text().await.unwrap()),
        }
        // A client that is in no hurry: the load is steady, not a flood.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    accepted
}
