//! Whoever was in the hands of one worker after another that died may be why, or innocent.

use serde_json::json;

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, until};

const INSTANCES: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn suspects_run_at_different_times_and_not_for_ever() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    endpoint.hold_answers();
    let mut worker = WorkerProcess::start(app.database_url());
    let call = json!({
        "id": "call", "stepType": "HttpRequest", "inputs": {"url": format!("{}/json", endpoint.url), "method": "POST"},
    });
    let id = app.define(definition(json!([call]))).await;
    let starts = (0..=INSTANCES).map(|n| app.start_instance(&id, json!({"n": n})));
    let paths = futures::future::join_all(starts).await;
    until("all of them call", || async { endpoint.received().len() > INSTANCES }).await;
    worker.kill();
    // As if that had happened before, and to one of them much more often.
    let guilty = paths[0].rsplit('/').next().unwrap();
    sqlx::query("update jobs set attempt = case when encode(instance_id, 'hex') = $1 then 50 else 7 end")
        .bind(guilty)
        .execute(app.store().pool())
        .await
        .unwrap();

    let _next = WorkerProcess::start(app.database_url());
    let called = || endpoint.received().len() - INSTANCES - 1;
    let parked = async || {
        let count = "select count(*) from waits where kind = 'retry'";
        sqlx::query_scalar::<_, i64>(count).fetch_one(app.store().pool()).await.unwrap()
    };
    until("some call again at once, and others wait", || async { called() > 0 && parked().await > 0 }).await;
    endpoint.give_answers();
    for path in &paths[1..] {
        let complete = || async { app.get(path).await.expect(200)["status"] == "Complete" };
        until("the innocent ones end well", complete).await;
    }
    assert_eq!(called(), INSTANCES);
    until("the other one ends", || async { app.get(&paths[0]).await.expect(200)["completedAt"].is_string() })
        .await;
    let errors = app.get(&format!("{}/errors", paths[0])).await.expect(200);
    assert_eq!(errors[0]["message"], "Step interrupted.");
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
