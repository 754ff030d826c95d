//! Versions and deletion while instances run (spec 2.5, 2.6).

use reqwest::Method;
use serde_json::{Map, Value, json};
use trunkline::api::ApiConfig;
use trunkline_store::starts::NewInstance;

use crate::support::{Answer, Engine, TestApp, definition, http_client, open_store, serve, until};

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

/// A server remembers what it started last; others change it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_started_is_the_newest_version_whatever_a_server_remembers() {
    let app = TestApp::start().await;
    let elsewhere = serve(open_store(app.database_url()), ApiConfig::default()).await;
    let told_elsewhere = async |method: Method, path: String, body: Value| {
        let url = format!("{elsewhere}/api/v1/accounts/{}{path}", app.account());
        Answer::of(http_client().request(method, url).bearer_auth(app.key()).json(&body)).await
    };
    let [changed, same] = [app.define(waits_then("old")).await, app.define(waits_then("old")).await];
    let start = async |id: &String| app.post(&format!("/definitions/{id}/workflows"), json!({})).await;
    for id in [&changed, &changed, &same, &same] {
        start(id).await.expect_empty(201);
    }
    let account = app.account();
    let last_found = app.store().last_found(account, changed.parse().unwrap()).unwrap();
    let outdated = || NewInstance {
        account: account.clone(),
        definition: changed.parse().unwrap(),
        version: last_found.version,
        data: Map::new().into(),
    };
    assert!(app.store().start_if_newest(outdated()).await.unwrap().is_some());
    told_elsewhere(Method::PUT, format!("/definitions/{changed}"), waits_then("new")).await.expect(200);
    assert!(app.store().start_if_newest(outdated()).await.unwrap().is_none());
    // Some of them share a commit.
    let both = (0..20).map(|n| start(if n % 2 == 0 { &changed } else { &same }));
    for answer in futures::future::join_all(both).await {
        answer.expect_empty(201);
    }
    let versions = async |id: &String| {
        sqlx::query_as::<_, (i32, i64)>(
            "select version, count(*) from instances where definition_id = $1::uuid group by 1 order by 1",
        )
        .bind(id)
        .fetch_all(app.store().pool())
        .await
        .unwrap()
    };
    assert_eq!(versions(&changed).await, [(1, 3), (2, 10)]);
    assert_eq!(versions(&same).await, [(1, 12)]);
    told_elsewhere(Method::POST, format!("/definitions/{changed}/drain"), json!({})).await.expect(200);
    start(&changed).await.expect_error(409, 1000);
    told_elsewhere(Method::POST, format!("/definitions/{changed}/resume"), json!({})).await.expect(200);
    start(&changed).await.expect_empty(201);
    told_elsewhere(Method::DELETE, format!("/definitions/{same}"), Value::Null).await.expect_empty(202);
    start(&same).await.expect_error(404, 1300);
    assert_eq!(versions(&changed).await, [(1, 3), (2, 11)]);
    assert_eq!(app.get("/usage").await.expect(200)[0]["executedWorkflowCount"], 26, "each is counted once");
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
