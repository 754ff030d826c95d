//! Definitions and bodies that are meant to do harm. Each is stopped by its limit, which is named; and others do not
//! wait for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use crate::crowded::latency;
use crate::fleet::Fleet;
use crate::processes::WorkerProcess;
use crate::support::extent::{either, is_long};
use crate::support::{Answer, definition, http_client, until};
use crate::verify::verify;

/// Instances of these definitions end with an error that says this.
fn poisons(endpoint: &str) -> Vec<(Value, &'static str)> {
    const LONG: &str = "The script ran longer than 500 ms";
    const LARGE: &str = "The result is larger than 262144 bytes";
    const MEMORY: &str = "The script used more than 16777216 bytes of memory";
    const DEEP: &str = "The result is nested deeper than 64 levels";
    const STEPS: &str = "Workflow exceeded the maximum number of steps.";
    let script = |script: &str, limit| {
        (json!([{"id": "script", "stepType": "If", "outputs": {"out": format!("{{{{{script}}}}}")}}]), limit)
    };
    let branch = |id: &str, next: Value| json!({"id": id, "stepType": "Branch", "selectNextStep": next});
    let spread: Vec<Value> =
        (0..450).map(|n| branch(&format!("b{n}"), json!({"fork": "{{true}}"}))).collect();
    let targets: Map<String, Value> = (0..450).map(|n| (format!("b{n}"), "{{true}}".into())).collect();
    let called = |path: &str| {
        json!([{"id": "call", "stepType": "HttpRequest", "inputs": {"url": format!("{endpoint}{path}"), "method": "GET"},
            "outputs": {"out": "{{step.responseBody}}"}}])
    };
    vec![
        // Endless loops: of steps, of a script, of one that the engine cannot interrupt.
        (json!([branch("spin", json!({"spin": "{{true}}"}))]), STEPS),
        script("(o => o.f(o))({f: o => [1].map(() => o.f(o))})", "stack"),
        script("[...'x'.repeat(1e4)].map(a => [...'x'.repeat(1e4)].map(b => a + b).length).length", LONG),
        script("Array(2 ** 32 - 1).indexOf(1)", LONG),
        // Ways that come to ten thousand.
        (Value::Array([vec![branch("fork", Value::Object(targets))], spread].concat()), STEPS),
        // Regular expressions that go back and back.
        script("/(x+x+)+y/.test('x'.repeat(50))", LONG),
        script("/^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(60))", LONG),
        // What is too large, or too deep.
        script("'x'.repeat(300000)", LARGE),
        script("Array.from({length: 1e7}, () => ({}))", MEMORY),
        script("[...Array(65)].reduce(a => [a], 1)", DEEP),
        (called("/deep"), DEEP),
        (
            json!([{"id": "grow", "stepType": "If", "outputs": {
            "a": "{{'x'.repeat(250000)}}", "b": "{{'x'.repeat(250000)}}", "c": "{{'x'.repeat(250000)}}",
            "d": "{{'x'.repeat(250000)}}", "e": "{{'x'.repeat(250000)}}"}}]),
            "Workflow context is larger than 1 MiB.",
        ),
    ]
}

/// Bodies that start nothing, and what they are told.
fn refused() -> Vec<(String, &'static str)> {
    let nested = |levels: usize| format!("{}{}", "{\"a\":".repeat(levels), "1") + &"}".repeat(levels);
    vec![
        (nested(10_000), "ested deeper than 99 levels"),
        (nested(100), "ested deeper than 99 levels"),
        ("{\"a\": \"\\u0000\"}".to_owned(), "NUL character"),
        ("{\"\\u0000\": 1}".to_owned(), "NUL character"),
        (format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20)), "larger than 1 MiB"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_stopped_by_name_and_nobody_else_waits_for_it() {
    let mut fleet = Fleet::start(1, 0).await;
    let environment = [("TRUNKLINE_SCRIPT_MILLISECONDS", "500"), ("TRUNKLINE_EVALUATORS", "2")];
    fleet.workers.push(WorkerProcess::start_with(fleet.app.database_url(), &environment));
    let deep = (0..90).fold(json!(1), |inner, _| json!([inner]));
    fleet.endpoint.script("/deep", &[(200, deep)]);
    fleet.endpoint.script("/nul", &[(200, json!("a\0b"))]);
    let (_, key) = fleet.app.other_account("other").await;
    let http = http_client();
    // It needs a child of the evaluator, as most of the poison does.
    let honest = definition(json!([{"id": "honest", "stepType": "If",
        "outputs": {"sum": "{{[1, 2, 3].map(x => x + 1).reduce((a, b) => a + b)}}"}}]));
    let definitions = format!("{}/api/v1/accounts/other/definitions", fleet.addresses()[0]);
    let saved = Answer::of(http.post(definitions).bearer_auth(&key).json(&honest)).await.expect(201);
    let path = format!("/api/v1/accounts/other/definitions/{}/workflows", saved["id"].as_str().unwrap());
    let count = either(20, 2_000);
    let alone = latency(&fleet, &key, &path, count).await;

    let mut saved = Vec::new();
    for (steps, limit) in poisons(&fleet.endpoint.url) {
        saved.push((fleet.app.define(definition(steps)).await, limit));
    }
    let (rounds, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let poisoning = async {
        while !over.load(Ordering::Relaxed) || rounds.load(Ordering::Relaxed) == 0 {
            let stopped = saved.iter().map(|(id, limit)| is_stopped(&fleet, id, limit));
            futures::future::join_all(stopped).await;
            for (body, limit) in refused() {
                let start = format!("/definitions/{}/workflows", saved[0].0);
                let request = fleet.app.account_request(reqwest::Method::POST, &start);
                let answer = Answer::of(request.header("content-type", "application/json").body(body)).await;
                assert!(
                    (400..=413).contains(&answer.status.as_u16()) && answer.text.contains(limit),
                    "{answer:?}"
                );
            }
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    };
    let others = async {
        let meanwhile = latency(&fleet, &key, &path, count).await;
        over.store(true, Ordering::Relaxed);
        meanwhile
    };
    let ((), meanwhile) = futures::future::join(poisoning, others).await;
    println!("{rounds:?} rounds of poison; p99 of others {alone:?} alone, {meanwhile:?} beside it");
    assert!(!is_long() || meanwhile < alone.mul_f64(1.5), "{alone:?} {meanwhile:?}");

    // Ten thousand ways that lead nowhere; and what comes from elsewhere and PostgreSQL's text cannot hold: it is kept as
    // JSON has it.
    let ways: Map<String, Value> = (0..10_000).map(|n| (format!("s{n}"), "{{true}}".into())).collect();
    let wide = json!([{"id": "wide", "stepType": "Branch", "selectNextStep": ways}]);
    let nul = json!([{"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": format!("{}/nul", fleet.endpoint.url), "method": "GET"},
        "outputs": {"called": "{{step.responseBody}}", "made": "{{'a\\u0000b'}}"}}]);
    for harmless in [wide, nul] {
        let harmless = fleet.app.define(definition(harmless)).await;
        let path = fleet.app.start_instance(&harmless, json!({})).await;
        let shown = async || fleet.app.get(&path).await.expect(200);
        until("it ends", async || shown().await["status"] == "Complete").await;
    }
    verify(fleet.app.database_url()).await;
    fleet.end().await;
}

async fn is_stopped(fleet: &Fleet, definition: &str, limit: &str) {
    let path = fleet.app.start_instance(definition, json!({})).await;
    let status = async || fleet.app.get(&path).await.expect(200)["status"].clone();
    until(limit, async || status().await != "Runnable").await;
    assert_eq!(status().await, "Terminated", "{limit}");
    let errors = fleet.app.get(&format!("{path}/errors")).await.expect(200);
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.contains(limit), "{message} does not say {limit}");
}
