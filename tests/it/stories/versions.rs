//! Versions and deletion while instances run (spec 2.5, 2.6).

use serde_json::{Value, json};

use crate::support::{Engine, definition, until};

fn waits_then(last: &str) -> Value {
    definition(json!([
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "1"}, "nextStepId": last},
        {"id": last, "stepType": "If"},
    ]))
}

#[tokio::test]
async fn c_075_c_076_an_instance_keeps_its_version() {
    let engine = Engine::start().await;
    let id = engine.app.define(waits_then("old")).await;
    let first = engine.run_definition(&id, json!({})).await;
    engine.app.put(&format!("/definitions/{id}"), waits_then("new")).await.expect(200);
    let second = engine.run_definition(&id, json!({})).await;
    engine.pass_time(86_400.0).await;
    assert_eq!(
        (&first.show().await["version"], first.steps().await),
        (&json!(1), vec!["pause".to_owned(), "old".to_owned()])
    );
    assert_eq!(
        (&second.show().await["version"], second.steps().await),
        (&json!(2), vec!["pause".to_owned(), "new".to_owned()])
    );
    engine.finish().await;
}

#[tokio::test]
async fn c_082_c_083_c_086_deletion_ends_instances_and_removes_everything() {
    let engine = Engine::start().await;
    let mut asking = definition(json!([{"id": "ask", "stepType": "WaitForReply",
        "inputs": {"from": "+6590001111", "channel": "sms"}}]));
    asking["status"] = "enabled".into();
    let id = engine.app.define(asking).await;
    let run = engine.run_definition(&id, json!({})).await;
    engine.app.delete(&format!("/definitions/{id}")).await.expect_empty(202);
    engine.app.get(&run.path).await.expect_error(404, 1300);
    let left = || async {
        let (left,): (i64,) = sqlx::query_as(
            "select (select count(*) from waits) + (select count(*) from instances)
                 + (select count(*) from steps)",
        )
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
        left == 0
    };
    until("everything of it is gone", left).await;
    engine.sms("+6590001111", "anybody?").await;
    assert!(left().await, "its trigger starts nothing");
    sqlx::query("update definition_versions set deleted_at = deleted_at - interval '1 minute'")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    engine.app.store().remove_deleted_versions().await.unwrap();
    let (definitions,): (i64,) = sqlx::query_as("select count(*) from definitions")
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
    assert_eq!(definitions, 0);
    engine.finish().await;
}
