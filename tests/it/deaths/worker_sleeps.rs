//! A worker that was stopped beyond its lease and goes on: its late result is refused.

use rustix::process::Signal;
use serde_json::json;

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_late_result_is_refused() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let steps = json!([
        {"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": format!("{}/count", endpoint.url), "method": "POST", "timeoutSeconds": 60},
            "outputs": {"count": "{{step.responseBody.count}}"}},
    ]);
    let id = app.define(definition(steps)).await;
    endpoint.hold_answers();
    let sleeper = WorkerProcess::start(app.database_url());
    let path = app.start_instance(&id, json!({})).await;
    until("the call is made", || async { endpoint.received().len() == 1 }).await;
    sleeper.signal(Signal::STOP);

    let _other = WorkerProcess::start(app.database_url());
    until("another worker calls again", || async { endpoint.received().len() == 2 }).await;
    endpoint.give_answers();
    let show = || async { app.get(&format!("{path}?includeLogs=true")).await.expect(200) };
    until("the other worker completes", || async { show().await["status"] == "Complete" }).await;
    let before = show().await;
    assert_eq!(before["data"]["count"], 2);

    sleeper.signal(Signal::CONT);
    until("the late result is refused", || async { sleeper.results_refused() >= 1 }).await;
    assert_eq!(sleeper.results_refused(), 1);
    assert_eq!(show().await, before, "nothing of it is seen");
    let keys: Vec<String> =
        endpoint.received().iter().map(|r| r.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys[0], keys[1]);
    until("it begins a new life", || async { sleeper.log().matches("worker registered").count() == 2 }).await;
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
