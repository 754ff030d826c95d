//! Who did what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, sample};

async fn audit(app: &TestApp, query: &str) -> Vec<Value> {
    app.get(&format!("/audit{query}")).await.expect(200).as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_done_is_written_down_with_actor_and_reason() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    app.put(&format!("/definitions/{definition}"), sample::pong()).await.expect(200);
    let instance = app.start_instance(&definition, json!({})).await;
    let request = app.account_request(Method::PATCH, &instance).json(&json!({"status": "suspend"}));
    Answer::of(request.header("Trunkline-Reason", "Übung, Fall 7")).await.expect_empty(200);
    app.patch(&instance, json!({"status": "terminate"})).await.expect_empty(200);
    app.patch(&instance, json!({"status": "terminate"})).await.expect_error(400, 1000);
    app.delete(&format!("/definitions/{definition}")).await.expect_empty(202);

    let all = audit(&app, "").await;
    let expected = [
        "definition.delete",
        "instance.terminate",
        "instance.suspend",
        "definition.update",
        "definition.create",
        "key.create",
    ];
    assert_eq!(actions(&all), expected);
    let id = instance.rsplit('/').next().unwrap();
    let suspended = &all[2];
    assert_eq!((&suspended["object"], &suspended["reason"]), (&json!(id), &json!("Übung, Fall 7")));
    assert_eq!((&suspended["actor"]["kind"], &suspended["actor"]["name"]), (&json!("key"), &json!("tests")));
    let key = app.store().list_keys(app.account()).await.unwrap()[0].id;
    assert_eq!(suspended["actor"]["id"], json!(key));
    assert_eq!(all[3]["detail"], json!({"version": 2, "name": "Sample", "enabled": false}));
    assert_eq!(all[5]["actor"], json!({"kind": "trunkline", "id": null, "name": null}));
}

#[tokio::test]
async fn pages_follow_each_other_and_filters_narrow() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        app.define(sample::pong()).await;
    }
    let first = audit(&app, "?limit=2").await;
    // What is done meanwhile moves nothing.
    let last = app.define(sample::pong()).await;
    let second = audit(&app, &format!("?limit=10&before={}", first[1]["id"])).await;
    assert_eq!(actions(&second), ["definition.create", "key.create"]);
    assert_eq!(audit(&app, "?action=key.create").await.len(), 1);
    assert_eq!(audit(&app, &format!("?object={last}")).await.len(), 1);
    for wrong in ["?before=0", "?before=x", "?limit=0", "?action=", "?object=%00"] {
        app.get(&format!("/audit{wrong}")).await.expect_error(400, 1000);
    }
    let long = "x".repeat(501);
    let request = app.account_request(Method::DELETE, &format!("/definitions/{last}"));
    let answer = Answer::of(request.header("Trunkline-Reason", long)).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid Trunkline-Reason.");
    let (_, key) = app.other_account("other").await;
    let request = app.request(Method::GET, "/api/v1/accounts/other/audit").bearer_auth(&key);
    assert_eq!(Answer::of(request).await.expect(200).as_array().unwrap().len(), 1, "its own key");
}

#[tokio::test]
async fn nothing_in_it_can_be_changed() {
    let app = TestApp::start().await;
    app.define(sample::pong()).await;
    for statement in ["update audit set action = 'x'", "delete from audit", "truncate audit"] {
        let refused = sqlx::query(statement).execute(app.store().pool()).await.unwrap_err();
        assert!(refused.to_string().contains("only appended to"), "{statement}: {refused}");
    }
    assert_eq!(audit(&app, "").await.len(), 2);
}
