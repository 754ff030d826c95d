//! `trunkline workers drain NAME`: the worker takes nothing more and lives on, until it is told to go on.

use std::process::Command;

use serde_json::{Value, json};

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, until};

/// The words of `trunkline workers …`, and whether it succeeded.
fn workers(app: &TestApp, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.arg("workers").args(args).env_clear().env("DATABASE_URL", app.database_url());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

/// The only worker of the list.
fn listed(app: &TestApp) -> Value {
    let (_, text) = workers(app, &["list", "-o", "json"]);
    let list: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    list[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_drained_by_name_finishes_its_step_and_takes_nothing_until_it_is_undrained() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let steps = json!([
        {"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": format!("{}/json", endpoint.url), "method": "POST", "timeoutSeconds": 60},
            "nextStepId": "next"},
        {"id": "next", "stepType": "If"},
    ]);
    let id = app.define(definition(steps)).await;
    assert_eq!(workers(&app, &["list"]), (true, "There is no worker.\n".to_owned()));
    endpoint.hold_answers();
    let mut worker = WorkerProcess::start(app.database_url());
    let first = app.start_instance(&id, json!({})).await;
    until("the call is made", || async { endpoint.received().len() == 1 }).await;
    assert_eq!((&listed(&app)["state"], &listed(&app)["busy"]), (&json!("live"), &json!(1)));

    let (refused, words) = workers(&app, &["drain", "nobody"]);
    assert!(!refused && words.contains("there is no worker `nobody`"), "{words}");
    let (drained, words) = workers(&app, &["drain", &worker.name]);
    assert!(drained && words.contains("takes nothing more"), "{words}");
    assert_eq!(listed(&app)["state"], "draining");
    let (_, table) = workers(&app, &["list"]);
    assert!(table.contains(&format!("{} ", worker.name)) && table.contains(" draining "), "{table}");
    let second = app.start_instance(&id, json!({})).await;
    until("it knows", || async { worker.log().contains("told to drain") }).await;
    endpoint.give_answers();
    until("it is idle", || async { listed(&app)["busy"] == 0 }).await;

    let show = app.get(&format!("{first}?includeLogs=true")).await.expect(200);
    let status = |show: &Value, n: usize| show["logs"][n]["status"].as_str().map(str::to_owned);
    assert_eq!(status(&show, 0).as_deref(), Some("Complete"), "what was running is written");
    assert_eq!(status(&show, 1).as_deref(), Some("Pending"), "the next step is left to others");
    let untouched = app.get(&format!("{second}?includeLogs=true")).await.expect(200);
    assert_eq!(status(&untouched, 0).as_deref(), Some("Pending"));
    assert_eq!(endpoint.received().len(), 1);
    assert!(worker.exited().is_none(), "{}", worker.log());

    assert!(workers(&app, &["undrain", &worker.name]).0);
    for path in [first, second] {
        until("it goes on", || async { app.get(&path).await.expect(200)["status"] == "Complete" }).await;
    }
    assert_eq!(listed(&app)["state"], "live");
    worker.signal(rustix::process::Signal::TERM);
    until("it is gone from the list", || async { workers(&app, &["list"]).1 == "There is no worker.\n" })
        .await;
    let (_, gone) = workers(&app, &["list", "--all"]);
    assert!(gone.contains(" stopped "), "{gone}");
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_leaves_its_work_to_the_others_and_stays_drained_through_a_lost_lease() {
    let app = TestApp::start().await;
    let id = app.define(definition(json!([{"id": "next", "stepType": "If"}]))).await;
    let drained = WorkerProcess::start(app.database_url());
    until("it is there", || async { drained.log().contains("worker registered") }).await;
    assert!(workers(&app, &["drain", &drained.name]).0);
    until("it knows", || async { drained.log().contains("told to drain") }).await;
    sqlx::query("update workers set lost_at = now()").execute(app.store().pool()).await.unwrap();
    until("it begins anew", || async { drained.log().matches("worker registered").count() == 2 }).await;
    assert_eq!(listed(&app)["state"], "draining");
    let path = app.start_instance(&id, json!({})).await;
    let other = WorkerProcess::start(app.database_url());
    until("the other does it", || async { app.get(&path).await.expect(200)["status"] == "Complete" }).await;
    let by_state: Vec<(String, bool)> =
        sqlx::query_as("select name, draining from workers where lost_at is null order by id")
            .fetch_all(app.store().pool())
            .await
            .unwrap();
    assert_eq!(by_state, [(drained.name.clone(), true), (other.name.clone(), false)]);
}
