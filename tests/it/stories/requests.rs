//! `HttpRequest` (spec 3.5.3).

use std::time::Instant;

use serde_json::{Value, json};
use trunkline_connectors::outbound::{AddressPolicy, parse_network};
use trunkline_workers::Settings;

use crate::support::{Engine, Run};

fn call(inputs: Value) -> Value {
    json!([{"id": "call", "stepType": "HttpRequest", "inputs": inputs,
        "outputs": {"code": "{{step.responseCode}}", "reason": "{{step.reasonPhrase}}", "body": "{{step.responseBody}}"}}])
}

async fn called<'a>(engine: &'a Engine, path: &str, more: Value) -> Run<'a> {
    let mut inputs = json!({"url": format!("{}{path}", engine.endpoint.url), "method": "GET"});
    inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    engine.run(call(inputs), json!({"id": 7, "who": "a&b"})).await
}

#[tokio::test]
async fn c_152_c_153_everything_is_sent_and_everything_comes_back() {
    let engine = Engine::start().await;
    let run = called(
        &engine,
        "/json?x=1",
        json!({"method": "post", "headers": {"X-Id": "{{data.id}}"}, "parameters": {"who": "{{data.who}}"},
            "body": {"n": "{{data.id}}", "t": "id={{data.id}}"}}),
    )
    .await;
    let received = engine.endpoint.received();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.as_str(), received[0].target.as_str()), ("POST", "/json?x=1&who=a%26b"));
    assert_eq!(received[0].json(), json!({"n": 7, "t": "id=7"}));
    assert_eq!(received[0].header("x-id"), Some("7"));
    assert_eq!(received[0].header("content-type"), Some("application/json"));
    assert_eq!(received[0].header("accept"), Some("application/json"));
    assert_eq!(received[0].header("user-agent"), Some("automation"));
    let log = run.show().await["logs"][0]["id"].clone();
    assert_eq!(received[0].header("idempotency-key"), log.as_str(), "the job's id, as in the log");
    let data = run.data().await;
    assert_eq!(
        (&data["code"], &data["reason"], &data["body"]["list"]),
        (&json!(200), &json!("OK"), &json!([1, 2]))
    );
    engine.finish().await;
}

#[tokio::test]
async fn c_154_c_156_any_status_completes_and_an_empty_body_is_null() {
    let engine = Engine::start().await;
    let missing = called(&engine, "/404", json!({})).await.data().await;
    assert_eq!((&missing["code"], &missing["body"]), (&json!(404), &json!({"reason": "gone"})));
    let empty = called(&engine, "/empty", json!({})).await.data().await;
    assert_eq!((&empty["code"], &empty["body"]), (&json!(204), &Value::Null));
    engine.finish().await;
}

#[tokio::test]
async fn c_129_c_155_html_faults_and_is_not_asked_for_again() {
    let engine = Engine::start().await;
    let run = called(&engine, "/html", json!({})).await;
    let error = run.error().await;
    assert!(error.starts_with("Unexpected character encountered while parsing value: <."), "{error}");
    assert_eq!(engine.endpoint.received().len(), 1);
    engine.finish().await;
}

#[tokio::test]
async fn c_157_a_hanging_server_faults_after_five_seconds() {
    let engine = Engine::start().await;
    let begun = Instant::now();
    let run = called(&engine, "/hangs", json!({})).await;
    let elapsed = begun.elapsed().as_secs_f64();
    assert!((4.9..8.0).contains(&elapsed), "{elapsed}");
    let error = run.error().await;
    assert!(
        error.starts_with("Call failed. ")
            && error.ends_with(&format!(": GET {}/hangs", engine.endpoint.url)),
        "{error}"
    );
    assert_eq!(engine.endpoint.received().len(), 1, "it may have taken effect");
    engine.finish().await;
}

#[tokio::test]
async fn c_158_a_longer_timeout_waits_longer() {
    let engine = Engine::start().await;
    let begun = Instant::now();
    called(&engine, "/hangs", json!({"timeoutSeconds": 6})).await.error().await;
    let elapsed = begun.elapsed().as_secs_f64();
    assert!((5.9..9.0).contains(&elapsed), "{elapsed}");
    engine.finish().await;
}

#[tokio::test]
async fn c_159_a_get_with_an_empty_body_sends_none() {
    let engine = Engine::start().await;
    called(&engine, "/json", json!({"body": {}})).await;
    let received = engine.endpoint.received();
    assert_eq!((received[0].body.len(), received[0].header("content-type")), (0, None));
    engine.finish().await;
}

#[tokio::test]
async fn an_answer_larger_than_a_megabyte_faults() {
    let engine = Engine::start().await;
    let error = called(&engine, "/large", json!({})).await.error().await;
    assert!(error.starts_with("Call failed. The response is larger than 1 MiB: GET "), "{error}");
    engine.finish().await;
}

#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    let mut engine = Engine::start().await;
    engine.stop_worker().await;
    engine.start_worker_with(Settings::default(), AddressPolicy::default());
    let error = called(&engine, "/json", json!({})).await.error().await;
    assert!(error.starts_with("Call failed. ") && error.ends_with("/json"), "{error}");
    engine.stop_worker().await;
    let allowed = vec![parse_network("127.0.0.1").unwrap()];
    engine.start_worker_with(Settings::default(), AddressPolicy { allow_private: false, allowed });
    assert_eq!(called(&engine, "/json", json!({})).await.data().await["code"], 200);
    assert_eq!(engine.endpoint.received().len(), 1);
    engine.finish().await;
}

/// Connection refused: nothing was sent, so it is tried again three times, with one key, and then faults.
#[tokio::test]
async fn a_refused_connection_is_tried_again_and_then_faults_once() {
    let engine = Engine::start().await;
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let run = engine.run(call(json!({"url": format!("http://{closed}/"), "method": "GET"})), json!({})).await;
    let error = run.error().await;
    assert!(error.starts_with("Call failed. "), "{error}");
    let attempts: (i32,) =
        sqlx::query_as("select attempt from steps").fetch_one(engine.app.store().pool()).await.unwrap();
    assert_eq!(attempts.0, 4);
    engine.finish().await;
}
