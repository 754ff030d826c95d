//! Messages wait for the end of quiet hours.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::{Value, json};
use trunkline_connectors::clock;

use super::{limited, sends, until_blocked, until_complete};
use crate::support::until;

/// From an hour ago until in two hours.
fn now_in(zone: &str) -> Value {
    let minute = |hours: i64| {
        let time = clock::now() + TimeDelta::hours(hours);
        format!("{:02}:{:02}", time.hour(), time.minute())
    };
    json!({"from": minute(-1), "to": minute(2), "timeZone": zone})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_quiet_hours_waits_for_their_end() {
    let engine = limited(json!({"quietHours": [now_in("UTC")]})).await;
    let definition = sends(&engine).await;
    let instance = engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await;
    let reason = until_blocked(&engine, &instance, "quietHours").await;
    let window = now_in("UTC");
    let expected = format!("{}-{}", window["from"].as_str().unwrap(), window["to"].as_str().unwrap());
    assert_eq!((&reason["window"], &reason["zone"]), (&json!(expected), &json!("UTC")));
    let until_then: DateTime<Utc> = reason["until"].as_str().unwrap().parse().unwrap();
    let due: DateTime<Utc> =
        sqlx::query_scalar("select due_at from waits").fetch_one(engine.app.store().pool()).await.unwrap();
    assert!((due - until_then).abs() < TimeDelta::seconds(2), "{due} {until_then}");
    assert!(engine.outbox().await.is_empty());
    // Whoever comes back too early waits again.
    sqlx::query("update waits set due_at = now()").execute(engine.app.store().pool()).await.unwrap();
    until("it was asked again", async || {
        let looked: bool = sqlx::query_scalar("select looked_at > asked_at from leaves")
            .fetch_one(engine.app.store().pool())
            .await
            .unwrap();
        looked
    })
    .await;
    until_blocked(&engine, &instance, "quietHours").await;
    assert!(engine.outbox().await.is_empty());
    // The account changes its mind.
    engine.app.put("/limits", json!({})).await.expect(200);
    until_complete(&engine, std::slice::from_ref(&instance)).await;
    assert_eq!(engine.outbox().await.len(), 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_of_one_channel_are_no_others() {
    let mut hours = now_in("UTC");
    hours["channels"] = json!(["voice"]);
    let engine = limited(json!({"quietHours": [hours]})).await;
    let definition = sends(&engine).await;
    let instance = engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await;
    until_complete(&engine, std::slice::from_ref(&instance)).await;
    engine.finish().await;
}
