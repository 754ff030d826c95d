//! Messages wait for their rates, and none is lost.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_workers::Settings;

use super::{blocked_on, limited, sends, status, until_blocked, until_complete};
use crate::support::{Engine, until};

async fn start(engine: &Engine, definition: &str, count: u32) -> Vec<String> {
    let mut instances = Vec::new();
    for number in 0..count {
        let data = json!({"to": format!("+65900010{number:02}")});
        instances.push(engine.app.start_instance(definition, data).await);
    }
    instances
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_beyond_the_rate_are_sent_later_each_once() {
    let engine = limited(json!({"rates": [{"messages": 4, "per": "second"}]})).await;
    let definition = sends(&engine).await;
    let instances = start(&engine, &definition, 14).await;
    until_complete(&engine, &instances).await;
    assert_eq!(engine.outbox().await.len(), 14);
    let mut given: Vec<DateTime<Utc>> =
        sqlx::query_scalar("select given_at from leaves").fetch_all(engine.app.store().pool()).await.unwrap();
    given.sort_unstable();
    assert_eq!(given.len(), 14);
    for (first, fifth) in given.iter().zip(given.iter().skip(4)) {
        assert!(*fifth - *first >= TimeDelta::seconds(1), "{given:?}");
    }
    let attempts: Vec<i32> =
        sqlx::query_scalar("select attempt from steps").fetch_all(engine.app.store().pool()).await.unwrap();
    assert!(attempts.iter().all(|attempt| *attempt == 1), "to wait is no try: {attempts:?}");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_says_for_what_and_goes_when_the_limit_does() {
    let engine =
        limited(json!({"senders": [{"sender": "acme_sms", "rates": [{"messages": 1, "per": "hour"}]}]}))
            .await;
    let definition = sends(&engine).await;
    let instances = start(&engine, &definition, 3).await;
    let reasons = async || {
        let mut reasons: Vec<Value> = Vec::new();
        for instance in &instances {
            reasons.push(blocked_on(&engine, instance).await);
        }
        reasons.retain(|reason| !reason.is_null());
        reasons
    };
    until("two wait, and the third is over", async || {
        let reasons = reasons().await;
        reasons.len() == 2 && reasons.iter().all(|reason| reason["reason"] == "rateLimited")
    })
    .await;
    for reason in &reasons().await {
        assert_eq!((&reason["limit"], &reason["sender"]), (&json!("sender"), &json!("acme_sms")), "{reason}");
        assert_eq!((&reason["most"], &reason["per"]), (&json!(1), &json!("hour")));
        assert!(reason["until"].is_string());
        let message = reason["message"].as_str().unwrap();
        assert!(message.starts_with("Sender acme_sms sends no more than 1 message per hour: "), "{message}");
    }
    assert_eq!(engine.outbox().await.len(), 1);
    engine.app.put("/limits", json!({})).await.expect(200);
    until_complete(&engine, &instances).await;
    assert_eq!(engine.outbox().await.len(), 3);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_a_recipient_go_when_the_limit_is_raised() {
    let engine = limited(json!({"recipients": [{"messages": 1, "per": "day"}]})).await;
    let definition = sends(&engine).await;
    let mut instances = Vec::new();
    for _ in 0..3 {
        instances.push(engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await);
    }
    until("one is sent, two wait", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from leaves l join waits w using (instance_id, n) where l.queue is not null",
        )
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
        waiting == 2
    })
    .await;
    engine.app.put("/limits", json!({"recipients": [{"messages": 2, "per": "day"}]})).await.expect(200);
    until("two are sent", async || engine.outbox().await.len() == 2).await;
    engine.app.put("/limits", json!({"recipients": [{"messages": 5, "per": "day"}]})).await.expect(200);
    until_complete(&engine, &instances).await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_are_terminated_or_suspended_hold_nobody_up() {
    let engine = limited(json!({"rates": [{"messages": 1, "per": "day"}]})).await;
    let definition = sends(&engine).await;
    let first = engine.app.start_instance(&definition, json!({"to": "+6590001100"})).await;
    until_complete(&engine, std::slice::from_ref(&first)).await;
    let mut waiting = Vec::new();
    for number in 1..4 {
        let data = json!({"to": format!("+659000110{number}")});
        let instance = engine.app.start_instance(&definition, data).await;
        until_blocked(&engine, &instance, "rateLimited").await;
        waiting.push(instance);
    }
    engine.app.patch(&waiting[0], json!({"status": "terminate"})).await.expect_empty(200);
    engine.app.patch(&waiting[1], json!({"status": "suspend"})).await.expect_empty(200);
    assert_eq!(status(&engine, &waiting[1]).await, "Suspended");
    engine.app.put("/limits", json!({"rates": [{"messages": 2, "per": "day"}]})).await.expect(200);
    until_complete(&engine, &waiting[2..]).await;
    assert_eq!(engine.outbox().await.len(), 2);
    assert_eq!(status(&engine, &waiting[1]).await, "Suspended");
    engine.app.put("/limits", json!({})).await.expect(200);
    engine.app.patch(&waiting[1], json!({"status": "resume"})).await.expect_empty(200);
    until_complete(&engine, &waiting[1..2]).await;
    assert_eq!(engine.outbox().await.len(), 3);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_is_tried_again_takes_one_leave() {
    let engine = limited(json!({"rates": [{"messages": 1, "per": "day"}]})).await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    let taken = json!({"umid": "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21", "destination": "6590001111",
        "encoding": "GSM7", "status": {"code": "QUEUED", "description": "ok"}});
    let busy = json!({"message": "later"});
    let path = "/api/v1/subaccounts/acme_sms/messages";
    engine.endpoint.script(path, &[(429, busy.clone()), (429, busy), (200, taken)]);
    let definition = sends(&engine).await;
    let instance = engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await;
    until_complete(&engine, std::slice::from_ref(&instance)).await;
    assert_eq!(engine.endpoint.bodies_at(path).len(), 3, "it was tried three times");
    engine.finish().await;
}

/// The workflow of the Workflows API: its message waits, and its own time with it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_failover_wait_before_their_time_begins() {
    let engine = limited(json!({"recipients": [{"messages": 1, "per": "day"}]})).await;
    let message = |text: &str| {
        json!({"from": {"type": "sms", "number": "ACME"}, "to": {"type": "sms", "number": "6590001111"},
            "message": {"content": {"type": "text", "text": text}}})
    };
    let mut first = message("first");
    first["failover"] = json!({"expiry_time": 15, "condition_status": "delivered"});
    let step = json!([{"id": "reach", "stepType": "Failover", "inputs": {"workflow": "{{data.messages}}"}}]);
    let definition = sends(&engine).await;
    let once = engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await;
    until_complete(&engine, std::slice::from_ref(&once)).await;
    let reaching = engine.app.define(crate::support::sample::definition(step)).await;
    let parent = engine.app.start_instance(&reaching, json!({"messages": [first, message("second")]})).await;
    let queues = async || -> Vec<String> {
        sqlx::query_scalar("select queue from leaves where queue is not null")
            .fetch_all(engine.app.store().pool())
            .await
            .unwrap()
    };
    until("the first message waits", async || queues().await.len() == 1).await;
    // Long after the message's own time.
    sqlx::query("update waits set started_at = started_at - interval '1 hour'")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    engine.app.put("/limits", json!({})).await.expect(200);
    until("it is sent", async || engine.outbox().await.len() == 2).await;
    assert_eq!(status(&engine, &parent).await, "Runnable");
    let texts: Vec<Value> = engine.outbox().await;
    assert!(texts[1].to_string().contains("first"), "{texts:?}");
    engine.app.patch(&parent, json!({"status": "terminate"})).await.expect_empty(200);
    engine.finish().await;
}

/// Two lives of a worker, the first one ended while messages waited.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_goes_on_with_another_worker() {
    let mut engine = limited(json!({"rates": [{"messages": 2, "per": "second"}]})).await;
    let definition = sends(&engine).await;
    let instances = start(&engine, &definition, 8).await;
    until("some wait", async || {
        let waiting: i64 = sqlx::query_scalar("select count(*) from leaves where queue is not null")
            .fetch_one(engine.app.store().pool())
            .await
            .unwrap();
        waiting > 0
    })
    .await;
    engine.stop_worker().await;
    sqlx::query("update upkeep set leased_until = now() - interval '1 s'")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    engine.start_worker(Settings { lease: Duration::from_secs(10), ..Settings::default() });
    until_complete(&engine, &instances).await;
    assert_eq!(engine.outbox().await.len(), 8);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_limits_asks_nobody() {
    let engine = limited(json!({"timeZone": "UTC"})).await;
    let (other, _) = engine.app.other_account("other").await;
    sqlx::query("insert into limits (account_id, settings) values ($1, '{\"concurrency\": 1}')")
        .bind(other.as_str())
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    let definition = sends(&engine).await;
    let instances = start(&engine, &definition, 5).await;
    until_complete(&engine, &instances).await;
    let rows: i64 = sqlx::query_scalar(
        "select (select count(*) from leaves) + (select count(*) from rates) + (select count(*) from effects)",
    )
    .fetch_one(engine.app.store().pool())
    .await
    .unwrap();
    assert_eq!(rows, 0);
    engine.finish().await;
}
