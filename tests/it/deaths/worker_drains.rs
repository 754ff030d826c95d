//! SIGTERM: finish what is running, take nothing new, give back the rest, exit 0.

use rustix::process::Signal;
use serde_json::json;

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_finishes_its_step_and_leaves_the_next() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let steps = json!([
        {"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": format!("{}/json", endpoint.url), "method": "POST", "timeoutSeconds": 60},
            "outputs": {"ok": "{{step.responseBody.ok}}"}, "nextStepId": "next"},
        {"id": "next", "stepType": "If"},
    ]);
    let id = app.define(definition(steps)).await;
    endpoint.hold_answers();
    let mut worker = WorkerProcess::start(app.database_url());
    let path = app.start_instance(&id, json!({})).await;
    until("the call is made", || async { endpoint.received().len() == 1 }).await;
    worker.signal(Signal::TERM);
    until("it drains", || async { worker.log().contains("drain") || worker.log().contains("stopping") })
        .await;
    let second = app.start_instance(&id, json!({})).await;
    endpoint.give_answers();
    let mut status = None;
    for _ in 0..12_000 {
        status = worker.exited();
        if status.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(status.is_some_and(|status| status.success()), "{status:?} {}", worker.log());
    let show = app.get(&format!("{path}?includeLogs=true")).await.expect(200);
    assert_eq!(show["data"]["ok"], true, "what was running is written");
    assert_eq!(show["logs"][0]["status"], "Complete");
    assert_eq!(show["logs"][1]["status"], "Pending", "the next step is left to others");
    let untouched = app.get(&format!("{second}?includeLogs=true")).await.expect(200);
    assert_eq!(untouched["logs"][0]["status"], "Pending");
    let _other = WorkerProcess::start(app.database_url());
    for path in [path, second] {
        until("another worker ends it", || async {
            app.get(&path).await.expect(200)["status"] == "Complete"
        })
        .await;
    }
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
