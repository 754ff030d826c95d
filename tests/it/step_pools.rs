//! Workers that take only some types of steps.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_store::Store;

use crate::deaths::processes::WorkerProcess;
use crate::support::{Engine, definition, instance_id, until};

const HTTP: [(&str, &str); 2] = [("TRUNKLINE_WORKER_STEPS", "HttpRequest"), ("TRUNKLINE_WORKER_SLOTS", "4")];
const REST: [(&str, &str); 2] =
    [("TRUNKLINE_WORKER_EXCEPT_STEPS", "HttpRequest"), ("TRUNKLINE_WORKER_SLOTS", "4")];

async fn count(store: &Store, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(store.pool()).await.unwrap()
}

const ENDED: &str = "select count(*) from instances where completed_at is not null";
const READY: &str = "select count(*) from jobs where worker is null and step_type = 'HttpRequest'";
const UNSORTED: &str = "select count(*) from jobs where worker is null and step_type is null";

fn call(url: &str) -> Value {
    json!({"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"}})
}

/// The reason and the sentence.
async fn blocked_on(engine: &Engine, instance: &str) -> (Value, String) {
    let shown = engine.app.get(&format!("/instances/{}", instance_id(instance))).await.expect(200);
    let steps = shown["steps"].as_array().unwrap();
    let blocked_on = &steps.iter().find(|step| !step["blockedOn"].is_null()).unwrap()["blockedOn"];
    (blocked_on["reason"].clone(), blocked_on["message"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_never_answer_take_no_slot_of_another_pool() {
    let engine = Engine::start_without_worker().await;
    let (app, store) = (&engine.app, engine.app.store());
    let slow = app.define(definition(json!([call(&format!("{}/hangs", engine.endpoint.url))]))).await;
    let quick = app.define(definition(json!([{"id": "only", "stepType": "If"}]))).await;
    for _ in 0..50 {
        app.start_instance(&slow, json!({})).await;
    }
    let _http = WorkerProcess::start_with(app.database_url(), &HTTP);
    until("the slow ones have all slots", || async { engine.endpoint.received().len() == 4 }).await;
    let _rest = WorkerProcess::start_with(app.database_url(), &REST);
    for _ in 0..20 {
        app.start_instance(&quick, json!({})).await;
    }
    until("the quick ones have ended", || async { count(store, ENDED).await == 20 }).await;
    assert_eq!(engine.endpoint.received().len(), 4, "the other pool calls nobody");
    assert_eq!(count(store, READY).await, 46, "what is ready is sorted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_goes_from_pool_to_pool_and_says_which_one_is_missing() {
    let engine = Engine::start_without_worker().await;
    let (app, store) = (&engine.app, engine.app.store());
    let url = format!("{}/answers", engine.endpoint.url);
    let first = json!({"id": "first", "stepType": "If", "nextStepId": "call"});
    let mut call = call(&url);
    call["nextStepId"] = json!("nap");
    let nap =
        json!({"id": "nap", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "last"});
    let last = json!({"id": "last", "stepType": "If"});
    let id = app.define(definition(json!([first, call, nap, last]))).await;
    let mut instances = Vec::new();
    for _ in 0..10 {
        instances.push(app.start_instance(&id, json!({})).await);
    }
    let mut rest = WorkerProcess::start_with(app.database_url(), &REST);
    until("all wait for the other pool", || async { count(store, READY).await == 10 }).await;
    assert_eq!(engine.endpoint.received().len(), 0);
    let (reason, message) = blocked_on(&engine, &instances[0]).await;
    assert_eq!(reason, json!("noWorker"));
    assert!(message.ends_with("no live worker of a pool that takes it; others: 1."), "{message}");

    // The other way round: nobody is there for what follows the calls.
    rest.kill();
    let http = WorkerProcess::start_with(app.database_url(), &HTTP);
    until("all were called", || async { engine.endpoint.received().len() == 10 }).await;
    until("all wait for the first pool", || async {
        count(store, "select count(*) from jobs where worker is null and step_type = 'Wait'").await == 10
    })
    .await;
    let fleet = store.list_workers(Duration::ZERO).await.unwrap();
    let row = fleet.iter().find(|worker| worker.name == http.name).unwrap();
    assert_eq!((row.steps.clone(), row.except_steps.clone()), (Some(vec!["HttpRequest".to_owned()]), None));

    let _rest = WorkerProcess::start_with(app.database_url(), &REST);
    until("all have ended", || async { count(store, ENDED).await == 10 }).await;
    assert_eq!(engine.endpoint.received().len(), 10, "nobody was called twice");
}

/// Of a definition that is gone: every pool takes it, so that it ends.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_tell_is_taken_by_every_pool_and_a_worker_without_selection_takes_everything() {
    let engine = Engine::start_without_worker().await;
    let (app, store) = (&engine.app, engine.app.store());
    let gone = trunkline_store::starts::NewInstance {
        account: app.account().clone(),
        definition: trunkline_workflow::DefinitionId::nil(),
        version: 1,
        data: serde_json::Map::new().into(),
    };
    store.start(vec![gone; 3]).await.unwrap();
    let id = app.define(definition(json!([{"id": "only", "stepType": "If"}]))).await;
    for _ in 0..5 {
        app.start_instance(&id, json!({})).await;
    }
    let mut http = WorkerProcess::start_with(app.database_url(), &HTTP);
    until("those without definition have ended", || async { count(store, ENDED).await == 3 }).await;
    until("the others are sorted", || async { count(store, UNSORTED).await == 0 }).await;
    http.kill();
    let _all = WorkerProcess::start(app.database_url());
    until("all have ended", || async { count(store, ENDED).await == 8 }).await;
}

/// What all workers ask all day is not to know of step types, and what they ask by type not of all the others.
#[tokio::test]
async fn claims_are_planned_by_the_index_that_is_theirs() {
    let engine = Engine::start_without_worker().await;
    let store = engine.app.store();
    sqlx::raw_sql(
        "insert into jobs (instance_id, path, account_id, n, step, issued, alone, step_type, ready_at)
         select decode(lpad(to_hex(n), 24, '0'), 'hex'), 1, 'a' || n % 10, 1, 0, 1, true,
             case when n % 3 > 0 then (array['SMS', 'HttpRequest'])[n % 3] end, now() + n * interval '1 second'
         from generate_series(1, 30000) n;
         analyze jobs",
    )
    .execute(store.pool())
    .await
    .unwrap();
    for (statement, index) in [
        (
            "select ctid from jobs where worker is null and not queued and not held and ready_at >= '-infinity'
             order by ready_at limit 128 for update skip locked",
            "jobs_ready",
        ),
        (
            "select ctid from jobs where account_id = 'a1' and coalesce(worker, 0) = 0 and not queued and not held
             and ready_at >= '-infinity' order by ready_at limit 128 for update skip locked",
            "jobs_of_account",
        ),
        (
            "select ctid from jobs where step_type = 'SMS' and account_id = 'a1' and coalesce(worker, -1) < 0
             and not queued and not held and ready_at >= '-infinity' order by ready_at limit 128
             for update skip locked",
            "jobs_of_step",
        ),
        (
            "select account_id from jobs where step_type = 'SMS' and coalesce(worker, -1) < 0 and not queued
             and not held and account_id > 'a1' order by account_id limit 1",
            "jobs_of_step",
        ),
        (
            "select instance_id from jobs where worker is null and not queued and not held
             and ready_at >= '-infinity' and step_type is null order by ready_at limit 1000",
            "jobs_ready",
        ),
    ] {
        let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("explain {statement}")))
            .fetch_all(store.pool())
            .await
            .unwrap();
        let scan = plan.iter().find(|line| line.contains("Scan")).unwrap();
        assert!(scan.contains(&format!("using {index} on")), "{statement}: {plan:#?}");
    }
}
