//! What a server and a worker say of themselves, scraped from real processes after real work.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use trunkline_store::callbacks::NewCallback;
use trunkline_store::jobs::{self, LowWaterMark};
use trunkline_store::measure::Measured;
use trunkline_store::workers;

use super::exposition::Exposition;
use crate::deaths::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, WEBHOOK_SECRET, definition, http_client, sample, until};

const LISTEN: (&str, &str) = ("TRUNKLINE_METRICS_LISTEN", "127.0.0.1:0");

type Expected = (&'static str, &'static [(&'static str, &'static str)], i64);

const WORKFLOWS: &str = "/api/v1/accounts/{accountId}/definitions/{definitionId}/workflows";

/// After three instances of two steps.
const OF_WORKER: &[Expected] = &[
    ("trunkline_steps_total", &[("step_type", "HttpRequest"), ("outcome", "completed")], 3),
    ("trunkline_steps_total", &[("step_type", "Branch"), ("outcome", "completed")], 3),
    ("trunkline_steps_total", &[], 6),
    ("trunkline_step_duration_seconds_count", &[("step_type", "HttpRequest")], 3),
    ("trunkline_claim_batch_jobs_sum", &[], 3),
    ("trunkline_job_wait_seconds_count", &[], 3),
    ("trunkline_completion_batch_jobs_sum", &[], 6),
    ("trunkline_instance_duration_seconds_count", &[("status", "complete")], 3),
    ("trunkline_instance_duration_seconds_count", &[("status", "terminated")], 0),
    ("trunkline_connector_answers_total", &[("provider", "http"), ("status", "2xx")], 3),
    ("trunkline_connector_answers_total", &[], 3),
    ("trunkline_connector_duration_seconds_count", &[("provider", "http")], 3),
    ("trunkline_leases_lost_total", &[], 0),
    ("trunkline_database_up", &[], 1),
    ("trunkline_database_pool_limit", &[], 16),
    ("trunkline_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1),
];

/// After their starts, and some calls that are wrong.
const OF_SERVER: &[Expected] = &[
    ("trunkline_api_requests_total", &[("route", WORKFLOWS), ("method", "POST"), ("status", "201")], 3),
    ("trunkline_api_request_duration_seconds_count", &[("route", WORKFLOWS), ("method", "POST")], 3),
    ("trunkline_api_requests_total", &[("route", "unmatched"), ("status", "404")], 1),
    ("trunkline_api_requests_total", &[("method", "other"), ("status", "405")], 1),
    ("trunkline_webhooks_total", &[("kind", "messages"), ("answer", "accepted")], 1),
    ("trunkline_drained_triggers_total", &[("trigger", "inbound_sms")], 1),
    ("trunkline_drained_triggers_total", &[], 1),
    ("trunkline_webhooks_total", &[("kind", "messages"), ("answer", "refused")], 1),
    ("trunkline_webhooks_total", &[("kind", "voice"), ("answer", "refused")], 1),
    ("trunkline_workers", &[("state", "live")], 1),
    ("trunkline_fleet_slots", &[], 1024),
    ("trunkline_queue_jobs", &[], 0),
    ("trunkline_queue_oldest_ready_seconds", &[], 0),
    ("trunkline_database_up", &[], 1),
];

fn check(of: &Exposition, expected: &[Expected]) {
    for (name, labels, value) in expected {
        assert_eq!(of.count(name, labels), *value, "{name} {labels:?}");
    }
}

/// Where a process serves its metrics.
async fn address(process: &WorkerProcess) -> String {
    process.url_after("metrics at ").await.strip_suffix("/metrics").unwrap().to_owned()
}

async fn get(url: &str) -> (u16, String) {
    let answer = http_client().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn scrape(address: &str) -> (Exposition, String) {
    let answer = http_client().get(format!("{address}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    (Exposition::parse(&text), text)
}

/// Until the worker has counted so many ends: it does so when they are written.
async fn ended(at_worker: &str, count: i64) {
    until("the ends are counted", || async {
        let (of, _) = scrape(at_worker).await;
        of.count("trunkline_instance_duration_seconds_count", &[]) >= count
    })
    .await;
}

/// A definition of a call and a branch, which is run so often through the server.
async fn work(app: &TestApp, server: &str, id: &str, times: usize) {
    let mut paths = Vec::new();
    for _ in 0..times {
        let url = format!("{server}/api/v1/accounts/acme/definitions/{id}/workflows");
        let answer = http_client().post(url).bearer_auth(app.key()).json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let location = answer.headers()["location"].to_str().unwrap();
        paths.push(location.strip_prefix("/api/v1/accounts/acme").unwrap().to_owned());
    }
    for path in paths {
        until("it is complete", || async { app.get(&path).await.expect(200)["status"] == "Complete" }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_and_worker_count_what_they_do_and_nothing_of_whom() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let id = app
        .define(definition(json!([
            {"id": "call", "stepType": "HttpRequest",
                "inputs": {"url": format!("{}/json", endpoint.url), "method": "POST"}, "nextStepId": "end"},
            {"id": "end", "stepType": "Branch", "selectNextStep": {"nowhere": null}},
        ])))
        .await;
    let drained = app.define(sample::enabled("inbound_sms", None)).await;
    app.post(&format!("/definitions/{drained}/drain"), json!({})).await.expect(200);
    let worker = WorkerProcess::start_with(app.database_url(), &[LISTEN]);
    let server =
        WorkerProcess::start_server(app.database_url(), &[LISTEN, ("TRUNKLINE_LISTEN", "127.0.0.1:0")]);
    let (at_worker, at_server) = (address(&worker).await, address(&server).await);
    let api = server.url_after("listening on ").await;
    until("the worker works", || async { worker.log().contains("worker registered") }).await;

    work(&app, &api, &id, 3).await;
    for (path, secret) in [("messages", WEBHOOK_SECRET), ("messages", "Basic d3Jvbmc="), ("voice", "")] {
        let url = format!("{api}/webhooks/v1/accounts/acme/{path}");
        let webhook = sample::inbound_sms("u1", "acme_sms");
        http_client().post(url).header(AUTHORIZATION, secret).json(&webhook).send().await.unwrap();
    }
    for (method, path) in [("GET", "/secret/path"), ("BREW", "/api/v1/accounts/acme/definitions")] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        http_client().request(method, format!("{api}{path}")).send().await.unwrap();
    }

    ended(&at_worker, 3).await;
    let (of_worker, worker_text) = scrape(&at_worker).await;
    let (of_server, server_text) = scrape(&at_server).await;
    check(&of_worker, OF_WORKER);
    let with_jobs = of_worker.count("trunkline_claims_total", &[("result", "jobs")]);
    assert_eq!(with_jobs, of_worker.count("trunkline_claim_batch_jobs_count", &[]));
    assert!(of_worker.count("trunkline_claims_total", &[("result", "empty")]) > 0);
    assert!(of_worker.sum("trunkline_instance_duration_seconds_sum", &[]) > 0.0);
    assert!(!of_worker.has("trunkline_queue_jobs"), "of the installation only servers speak");
    check(&of_server, OF_SERVER);
    for text in [&worker_text, &server_text] {
        for private in ["acme", id.as_str(), "secret", "BREW", worker.name.as_str(), &endpoint.url] {
            assert!(!text.contains(private), "{private} in\n{text}");
        }
    }
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<HashSet<_>>();
    assert_eq!(of_worker.values("provider"), words(&["8x8", "messages-api", "converse", "http"]));
    assert_eq!(of_server.values("table"), words(&["callbacks", "jobs", "waits"]));

    work(&app, &api, &id, 2).await;
    ended(&at_worker, 5).await;
    let (later, _) = scrape(&at_worker).await;
    later.follows(&of_worker);
    check(&later, &[("trunkline_steps_total", &[], 10), ("trunkline_claim_batch_jobs_sum", &[], 5)]);
    scrape(&at_server).await.0.follows(&of_server);

    what_stands_beside(&at_worker, &at_server, &api, &worker.name).await;
}

async fn what_stands_beside(at_worker: &str, at_server: &str, api: &str, name: &str) {
    for (url, status) in [
        (format!("{at_worker}/healthz"), 200),
        (format!("{at_server}/healthz"), 200),
        (format!("{at_worker}/fleet"), 404),
        (format!("{api}/metrics"), 404),
        (format!("{api}/fleet"), 404),
    ] {
        assert_eq!(get(&url).await.0, status, "{url}");
    }
    let fleet: Value = serde_json::from_str(&get(&format!("{at_server}/fleet")).await.1).unwrap();
    assert_eq!(fleet.as_array().unwrap().len(), 1);
    for (member, value) in [
        ("name", json!(name)),
        ("state", json!("live")),
        ("slots", json!(1024)),
        ("busy", json!(0)),
        ("draining", json!(false)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(fleet[0][member], value, "{fleet}");
    }
    let scaling: Value = serde_json::from_str(&get(&format!("{at_server}/autoscaling")).await.1).unwrap();
    assert_eq!(
        scaling,
        json!({"runnable": 0, "oldestRunnableSeconds": 0.0, "workers": 1, "slots": 1024, "busySlots": 0,
            "saturation": 0.0, "suggestedWorkers": 1})
    );
}

#[tokio::test]
async fn a_rescue_and_a_callback_are_counted_and_a_database_that_is_gone_is_told() {
    let app = TestApp::start().await;
    let mut connection = app.store().hot_connection().await.unwrap();
    let lease = Duration::from_millis(1);
    let dead = workers::register(&mut connection, "dead", 10, "0", lease, false).await.unwrap();
    let id = app.define(sample::pong()).await;
    app.start_instance(&id, json!({})).await;
    sqlx::query("update jobs set worker = $1").bind(dead.0).execute(app.store().pool()).await.unwrap();
    let worker = WorkerProcess::start_with(app.database_url(), &[LISTEN]);
    let at_worker = address(&worker).await;
    until("the job is rescued", || async {
        scrape(&at_worker).await.0.count("trunkline_jobs_rescued_total", &[]) == 1
    })
    .await;
    // Nobody configured a provider.
    until("the step failed", || async {
        let (of, _) = scrape(&at_worker).await;
        of.count("trunkline_steps_total", &[("step_type", "SMS"), ("outcome", "failed")]) == 1
            && of.count("trunkline_instance_duration_seconds_count", &[]) == 1
    })
    .await;

    let endpoint = Endpoint::start().await;
    let call = NewCallback {
        account: app.account().clone(),
        subject: "m1".to_owned(),
        event: "delivered".to_owned(),
        signer: None,
        url: Some(format!("{}/json", endpoint.url)),
        body: "{}".to_owned(),
    };
    assert!(app.store().enqueue_callback(&call).await.unwrap());
    until("the call is counted", || async {
        let (of, _) = scrape(&at_worker).await;
        of.count("trunkline_callbacks_total", &[("outcome", "delivered")]) == 1
    })
    .await;

    let gone = [LISTEN, ("TRUNKLINE_LISTEN", "127.0.0.1:0")];
    let server = WorkerProcess::start_server("postgres://127.0.0.1:1/gone", &gone);
    let at_server = address(&server).await;
    let (of_server, text) = scrape(&at_server).await;
    assert_eq!(of_server.count("trunkline_database_up", &[]), 0, "{text}");
    assert!(of_server.sum("trunkline_workers", &[("state", "live")]).is_nan(), "{text}");
    assert_eq!(get(&format!("{at_server}/healthz")).await.0, 200);
    assert_eq!(get(&format!("{at_server}/autoscaling")).await.0, 503);
    assert_eq!(get(&format!("{at_server}/fleet")).await.0, 503);
}

#[tokio::test]
async fn the_installation_is_measured_by_state() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    for _ in 0..3 {
        app.start_instance(&id, json!({})).await;
    }
    let held = app.start_instance(&id, json!({})).await;
    app.patch(&held, json!({"status": "suspend"})).await.expect_empty(200);
    let mut connection = app.store().hot_connection().await.unwrap();
    let minute = Duration::from_secs(60);
    let live = workers::register(&mut connection, "live", 10, "0", minute, false).await.unwrap();
    workers::register(&mut connection, "drained", 20, "0", minute, true).await.unwrap();
    workers::register(&mut connection, "silent", 40, "0", Duration::ZERO, false).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "update jobs set worker = {} where instance_id = (select instance_id from jobs where not held limit 1);
         update jobs set ready_at = now() - interval '100 s' where worker is null;",
        live.0
    )))
    .execute(app.store().pool())
    .await
    .unwrap();
    let mut reader = app.store().hot_connection().await.unwrap();
    sqlx::raw_sql("begin isolation level repeatable read; select from jobs")
        .execute(&mut reader)
        .await
        .unwrap();

    let Measured { queue, fleet, tables } = app.store().measure().await.unwrap();
    assert_eq!((queue.ready, queue.leased, queue.held, queue.behind, queue.due_waits), (2, 1, 1, 0, 0));
    assert!((100.0..160.0).contains(&queue.oldest_ready), "{queue:?}");
    assert!(queue.oldest_transaction > 0.0, "{queue:?}");
    assert_eq!((queue.callbacks, queue.oldest_due_wait, queue.oldest_callback), (0, 0.0, 0.0));
    assert_eq!((fleet.live, fleet.draining, fleet.silent, fleet.slots, fleet.busy), (1, 1, 1, 10, 1));
    assert_eq!(tables.len(), 3);

    assert_eq!(app.store().drain_workers("nobody", true).await.unwrap(), 0);
    assert_eq!(app.store().drain_workers("live", true).await.unwrap(), 1);
    let claimed = jobs::claim(&mut connection, live, 10, &mut LowWaterMark::default()).await;
    assert_eq!(claimed.unwrap().len(), 0, "it was told a moment ago");
    assert_eq!(app.store().drain_workers("live", false).await.unwrap(), 1);
    let claimed = jobs::claim(&mut connection, live, 10, &mut LowWaterMark::default()).await;
    let waits: Vec<Duration> = claimed.unwrap().iter().map(|job| job.waited).collect();
    assert!(waits.len() == 2 && waits.iter().all(|wait| wait.as_secs() >= 100), "{waits:?}");
}
