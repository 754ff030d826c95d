//! Somebody takes more than their share: a customer whose endpoint is slow, a server with more requests than
//! connections.

use std::time::{Duration, Instant};

use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::json;
use serde_json::value::RawValue;

use crate::fleet::Fleet;
use crate::memory::peak_mebibytes;
use crate::processes::WorkerProcess;
use crate::proxy::{Flow, Proxy};
use crate::support::extent::{either, is_long, promised};
use crate::support::{Endpoint, TestApp, definition, http_client, until};
use crate::verify::verify;

/// Start to end, one after the other; the worst but one in a hundred.
pub async fn latency(fleet: &Fleet, key: &str, path: &str, count: usize) -> Duration {
    let http = http_client();
    let mut times = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let started = http.post(format!("{}{path}", fleet.addresses()[0])).bearer_auth(key).json(&json!({}));
        let started = started.send().await.unwrap();
        assert_eq!(started.status(), 201);
        let location = started.headers()["location"].to_str().unwrap().to_owned();
        let shown = async || {
            let shown = http.get(format!("{}{location}", fleet.addresses()[0])).bearer_auth(key).send().await;
            shown.unwrap().json::<serde_json::Value>().await.unwrap()["status"] == "Complete"
        };
        until("the instance ends", shown).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[(count * 99).div_ceil(100) - 1]
}

/// Its steps hold slots for as long as its endpoint takes; they do not get those of others.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_customer_slows_nobody_else_down() {
    let mut fleet = Fleet::start(1, 0).await;
    // So few that one customer would like to have them all, and may have three quarters.
    let slots = [("TRUNKLINE_WORKER_SLOTS", "512")];
    fleet.workers.push(WorkerProcess::start_with(fleet.app.database_url(), &slots));
    let quick = Endpoint::start().await;
    let (_, key) = fleet.app.other_account("other").await;
    let http = http_client();
    let call = |url: &str| {
        definition(json!([{"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": format!("{url}/json"), "method": "POST", "timeoutSeconds": 120}}]))
    };
    let definitions = format!("{}/api/v1/accounts/other/definitions", fleet.addresses()[0]);
    let saved = http.post(definitions).bearer_auth(&key).json(&call(&quick.url)).send().await.unwrap();
    let saved: serde_json::Value = saved.json().await.unwrap();
    let path = format!("/api/v1/accounts/other/definitions/{}/workflows", saved["id"].as_str().unwrap());
    let count = either(20, 500);
    let before = latency(&fleet, &key, &path, count).await;

    fleet.endpoint.hold_answers();
    let slow = fleet.app.define(call(&fleet.endpoint.url)).await;
    let started = (0..600).map(|_| fleet.app.start_instance(&slow, json!({})));
    futures::future::join_all(started).await;
    until("it holds what it may", || async { fleet.endpoint.received().len() >= 384 }).await;
    let meanwhile = latency(&fleet, &key, &path, count).await;
    println!("p99 {before:?}, beside a slow customer {meanwhile:?}");
    assert!(!is_long() || meanwhile < before.mul_f64(1.5), "{before:?} {meanwhile:?}");
    fleet.endpoint.give_answers();
    until("the slow ones end", || async {
        fleet.count("select count(*) from instances where completed_at is null").await == 0
    })
    .await;
    verify(fleet.app.database_url()).await;
    fleet.end().await;
}

/// In memory they are up to a hundred times as large as their text, so that all of them would take gigabytes: a worker has a few in
/// hand, and everybody else's instances at the same time. Who lists and searches them gets them one by one.
#[tokio::test(flavor = "multi_thread")]
async fn large_contexts_take_no_more_memory_than_there_is() {
    // Three quarters of what `deploy/kubernetes/worker.yaml` allows.
    let mebibytes = 768;
    let mut fleet = Fleet::start(1, 0).await;
    let (_, key) = fleet.app.other_account("other").await;
    let http = http_client();
    let definitions = format!("{}/api/v1/accounts/other/definitions", fleet.addresses()[0]);
    let quick = definition(json!([{"id": "quick", "stepType": "If"}]));
    let saved = http.post(definitions).bearer_auth(&key).json(&quick).send().await.unwrap();
    let saved: serde_json::Value = saved.json().await.unwrap();
    let path = format!("/api/v1/accounts/other/definitions/{}/workflows", saved["id"].as_str().unwrap());
    let large = fleet
        .app
        .define(definition(json!([
            {"id": "first", "stepType": "If", "nextStepId": "grows"},
            {"id": "grows", "stepType": "If", "outputs": {"copy": "{{data.part}}"},
                "nextStepId": "waits"},
            {"id": "waits", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "last"},
            {"id": "last", "stepType": "If", "outputs": {"size": "{{data.list.length + data.copy.length}}"}},
        ])))
        .await;
    let count = either(40, 1_000);
    let started = (0..count).map(|n| {
        // A mebibyte, or what comes with a claim until it has grown.
        let body = match n % 4 {
            0 => json!({"list": vec![0; 520_000], "part": [0]}),
            1 => json!({"list": vec![[0]; 260_000], "part": [0]}),
            _ => json!({"list": [0], "part": vec![0; 4_000]}),
        };
        let body = body.to_string();
        let start = format!(
            "{}/api/v1/accounts/{}/definitions/{large}/workflows",
            fleet.addresses()[0],
            fleet.app.account()
        );
        let request =
            http.post(start).bearer_auth(fleet.app.key()).header("content-type", "application/json");
        async move { request.body(body).send().await.unwrap().status() }
    });
    let started: Vec<_> = futures::stream::iter(started).buffer_unordered(60).collect().await;
    assert!(started.iter().all(|status| *status == 201), "{started:?}");
    fleet.workers.push(WorkerProcess::start(fleet.app.database_url()));
    // The first one waits for the worker to start.
    latency(&fleet, &key, &path, 1).await;
    let meanwhile = latency(&fleet, &key, &path, either(20, 200)).await;
    // Who looks at them gets them all.
    let account = format!("{}/api/v1/accounts/{}", fleet.addresses()[0], fleet.app.account());
    let listed = (0..4).map(|_| async {
        let list = format!("{account}/definitions/{large}/workflows?limit=500");
        let listed = http.get(list).bearer_auth(fleet.app.key()).send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice::<Vec<&RawValue>>(&listed).unwrap().len()
    });
    let listed = futures::future::join_all(listed).await;
    assert!(listed.iter().all(|length| *length == count.min(500)), "{listed:?}");
    let left = async || fleet.count("select count(*) from instances where completed_at is null").await;
    let mut now = left().await;
    while now > 0 {
        until("more of the large ones end", async || left().await < now).await;
        now = left().await;
    }
    let search = format!("{account}/instances?context.accountId={}&limit=500", fleet.app.account());
    let (mut found, mut page) = (0, search.clone());
    loop {
        let answer = http.get(&page).bearer_auth(fleet.app.key()).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        found += answer["items"].as_array().unwrap().len();
        let Some(next) = answer["next"].as_str() else { break };
        page = format!("{search}&cursor={next}");
    }
    assert_eq!(found, count);
    if is_long() {
        let followed = "select count(*) from instances, search_marks where walk = 'values' and id >= mark";
        until("upkeep has followed them", || async { fleet.count(followed).await <= 200 }).await;
    }
    let alone = latency(&fleet, &key, &path, either(20, 200)).await;
    let peaks = [&fleet.servers[0], &fleet.workers[0]].map(peak_mebibytes);
    println!("{peaks:?} MiB; p99 {alone:?}, beside large contexts {meanwhile:?}");
    assert!(peaks.iter().all(|peak| *peak <= mebibytes), "{peaks:?} MiB");
    assert!(!is_long() || meanwhile < alone.mul_f64(1.5), "{alone:?} {meanwhile:?}");
    let sizes = "select count(*) from instances
        where status = 'Complete' and data::json ->> 'size' in ('520001', '260001', '4001')";
    assert_eq!(fleet.count(sizes).await, count);
    verify(fleet.app.database_url()).await;
    fleet.end().await;
}

/// The database does not answer, and many more ask than there are connections: everybody is told to come again, in
/// good time, and served when it answers.
#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_connections_are_all_answered() {
    let app = TestApp::start().await;
    let proxy = Proxy::before(app.direct_url()).await;
    let environment = [("TRUNKLINE_LISTEN", "127.0.0.1:0"), ("TRUNKLINE_DATABASE_CONNECTIONS", "3")];
    let server = WorkerProcess::start_server(&proxy.url(), &environment);
    let url = server.url_after("listening on ").await;
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    let path = format!("{url}/api/v1/accounts/{}/definitions/{id}/workflows", app.account());
    let http = http_client();
    let request = |n: usize| http.post(&path).bearer_auth(app.key()).json(&json!({"n": n}));
    assert_eq!(request(0).send().await.unwrap().status(), StatusCode::CREATED);
    let asked = async |from: usize| {
        let answers = (from..from + 200).map(|n| async move {
            let answer = request(n).send().await.unwrap();
            let may_come_again = answer.headers().contains_key("retry-after");
            (answer.status().as_u16(), may_come_again)
        });
        futures::future::join_all(answers).await
    };
    let mut accepted = 1;
    for round in 0..either(2, 20) {
        proxy.let_through(Flow::NEITHER);
        let begun = Instant::now();
        let answers = asked(1_000 * (round + 1)).await;
        assert!(begun.elapsed() < promised(30), "{:?}", begun.elapsed());
        assert!(answers.iter().all(|answer| *answer == (503, true)), "{answers:?}");
        proxy.let_through(Flow::BOTH);
        let again = async || request(1).send().await.unwrap().status() == StatusCode::CREATED;
        until("it serves again", again).await;
        let answers = asked(1_000 * (round + 1)).await;
        assert!(answers.iter().all(|(status, _)| *status == 201), "{answers:?}");
        accepted += 201;
    }
    let count: i64 =
        sqlx::query_scalar("select count(*) from instances").fetch_one(app.store().pool()).await.unwrap();
    // What was answered with 503 may have been done; what was accepted was.
    assert!(count >= accepted, "{count} of {accepted}");
    verify(app.direct_url()).await;
}
