//! Definitions that are paused and drained.

use reqwest::Method;
use serde_json::json;
use trunkline_workers::Settings;

use super::{sends, status, until_blocked, until_complete};
use crate::support::{Answer, Engine, TestApp, inbound_sms, sample, until};

async fn tell(engine: &Engine, definition: &str, verb: &str) {
    let told = engine.app.post(&format!("/definitions/{definition}/{verb}"), json!({})).await.expect(200);
    assert_eq!(told["definitionId"], *definition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_definition_takes_starts_and_executes_nothing_until_it_is_resumed() {
    let mut engine = Engine::start_without_worker().await;
    let definition = sends(&engine).await;
    let path = format!("/definitions/{definition}");
    assert_eq!(
        engine.app.get(&format!("{path}/state")).await.expect(200),
        json!({"definitionId": definition, "state": "running", "since": null})
    );
    let pause = engine.app.account_request(Method::POST, &format!("{path}/pause"));
    let paused = Answer::of(pause.header("Trunkline-Reason", "the text is wrong")).await.expect(200);
    assert_eq!(paused["state"], "paused");
    engine.start_worker(Settings::default());
    let mut instances = Vec::new();
    for number in 0..3 {
        let data = json!({"to": format!("+659000111{number}")});
        let instance = engine.app.start_instance(&definition, data).await;
        let reason = until_blocked(&engine, &instance, "definitionPaused").await;
        assert_eq!((&reason["by"]["name"], &reason["why"]), (&json!("tests"), &json!("the text is wrong")));
        instances.push(instance);
    }
    // A new version is saved and paused, too.
    engine.app.put(&path, sample::pong()).await.expect(200);
    assert_eq!(engine.app.get(&format!("{path}/state")).await.expect(200)["state"], "paused");
    assert!(engine.outbox().await.is_empty());
    engine.app.patch(&instances[2], json!({"status": "terminate"})).await.expect_empty(200);
    tell(&engine, &definition, "resume").await;
    until_complete(&engine, &instances[..2]).await;
    assert_eq!(engine.outbox().await.len(), 2);
    assert_eq!(status(&engine, &instances[2]).await, "Terminated");
    let actions = engine.app.get(&format!("/audit?object={definition}")).await.expect(200);
    let actions: Vec<&str> =
        actions.as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["definition.resume", "definition.update", "definition.pause", "definition.create"]);
    engine.finish().await;
}

/// What came while it was paused is there when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_paused_definition_is_kept() {
    let mut engine = Engine::start().await;
    let steps = json!([{"id": "ask", "stepType": "WaitForReply",
        "inputs": {"from": "+6590001111", "channel": "sms"},
        "outputs": {"text": "{{step.reply.payload.body}}"}}]);
    let path = engine.run(steps, json!({})).await.path;
    let definition = path.split('/').nth(2).unwrap().to_owned();
    engine.stop_worker().await;
    tell(&engine, &definition, "pause").await;
    engine.start_worker(Settings::default());
    engine.app.webhook(inbound_sms("m-1", "acme_sms")).await.expect_status(200);
    until_blocked(&engine, &path, "definitionPaused").await;
    tell(&engine, &definition, "resume").await;
    until_complete(&engine, std::slice::from_ref(&path)).await;
    assert_eq!(engine.app.get(&path).await.expect(200)["data"]["text"], "hi");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_definition_ends_what_runs_and_starts_nothing() {
    let engine = Engine::start().await;
    let mut waits = sample::enabled("inbound_sms", None);
    waits["definition"]["steps"] =
        json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:10:00"}}]);
    let definition = engine.app.define(waits).await;
    let key = |request: reqwest::RequestBuilder| request.header("Idempotency-Key", "once").json(&json!({}));
    let path = format!("/definitions/{definition}/workflows");
    let start = || key(engine.app.account_request(Method::POST, &path));
    Answer::of(start()).await.expect_empty(201);
    let running = engine.newest(&definition).await.unwrap();
    engine.run_until_idle().await;
    tell(&engine, &definition, "drain").await;
    let message = engine.app.post(&path, json!({})).await.expect_error(409, 1000);
    let expected =
        format!("Definition {definition} is being drained: nothing of it is started until it is resumed.");
    assert_eq!(message, expected);
    Answer::of(start()).await.expect_empty(201);
    engine.app.webhook(inbound_sms("m-1", "acme_sms")).await.expect_status(200);
    assert_eq!(engine.app.instances_of(&definition).await.len(), 1, "nothing else was started");
    engine.pass_time(601.0).await;
    assert_eq!(running.status().await, "Complete");
    let rerun = format!("/instances/{}/rerun", running.path.rsplit('/').next().unwrap());
    let message = engine.app.post(&rerun, json!({"from": "start"})).await.expect_error(400, 1000);
    assert!(message.contains("its definition is being drained"), "{message}");
    tell(&engine, &definition, "resume").await;
    engine.app.webhook(inbound_sms("m-2", "acme_sms")).await.expect_status(200);
    assert_eq!(engine.app.instances_of(&definition).await.len(), 2);
    engine.finish().await;
}

#[tokio::test]
async fn schedules_of_a_drained_definition_start_nothing() {
    let app = TestApp::start().await;
    let mut scheduled = sample::enabled("schedule", None);
    // So seldom that no other time comes between.
    scheduled["schedule"] = json!({"cron": "0 0 1 1 *", "timeZone": "UTC"});
    let definition = app.define(scheduled).await;
    let due = "update schedules set next_at = now() - interval '10 s'";
    for (verb, instances) in [("drain", 0), ("resume", 1)] {
        app.post(&format!("/definitions/{definition}/{verb}"), json!({})).await.expect(200);
        sqlx::query(due).execute(app.store().pool()).await.unwrap();
        app.store().start_scheduled().await.unwrap();
        assert_eq!(app.instances_of(&definition).await.len(), instances, "after {verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_deleted_while_it_is_paused_leaves_nothing() {
    let mut engine = Engine::start_without_worker().await;
    let definition = sends(&engine).await;
    tell(&engine, &definition, "pause").await;
    engine.start_worker(Settings::default());
    let instance = engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await;
    until_blocked(&engine, &instance, "definitionPaused").await;
    engine.app.delete(&format!("/definitions/{definition}")).await.expect_status(202);
    engine.app.post(&format!("/definitions/{definition}/resume"), json!({})).await.expect_error(404, 1300);
    until("its rows are gone", async || {
        let left: i64 =
            sqlx::query_scalar("select (select count(*) from leaves) + (select count(*) from instances)")
                .fetch_one(engine.app.store().pool())
                .await
                .unwrap();
        left == 0
    })
    .await;
    let unknown = "/definitions/00000000-0000-4000-8000-000000000000";
    engine.app.post(&format!("{unknown}/pause"), json!({})).await.expect_error(404, 1300);
    engine.finish().await;
}
