//! A worker that stands still for three leases after the side effect, as a virtual machine that is moved, and goes on
//! as if nothing had been: nothing that it says then is believed.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::processes::{LEASE, WorkerProcess};
use crate::support::extent::{either, pass};
use crate::support::{Endpoint, TestApp, definition, until};
use crate::verify::verify;

/// Steps that it holds.
const STEPS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn late_results_are_refused_every_time() {
    for _ in 0..either(1, 10) {
        all_are_refused().await;
    }
}

async fn all_are_refused() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let steps = json!([{"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": format!("{}/count", endpoint.url), "method": "POST", "timeoutSeconds": 120},
        "outputs": {"count": "{{step.responseBody.count}}"}}]);
    let id = app.define(definition(steps)).await;
    endpoint.hold_answers();
    let paused = WorkerProcess::start(app.direct_url());
    let mut paths = Vec::new();
    for _ in 0..STEPS {
        paths.push(app.start_instance(&id, json!({})).await);
    }
    until("all calls are made", || async { endpoint.received().len() == STEPS }).await;
    paused.signal(Signal::STOP);
    let begun = Instant::now();

    let _other = WorkerProcess::start(app.direct_url());
    until("another worker makes them again", || async { endpoint.received().len() == 2 * STEPS }).await;
    let three = Duration::from_secs(3 * LEASE.parse::<u64>().unwrap());
    pass(three.saturating_sub(begun.elapsed())).await;
    endpoint.give_answers();
    let mut ended = Vec::new();
    for path in &paths {
        let show = || async { app.get(&format!("{path}?includeLogs=true")).await.expect(200) };
        until("the other worker completes", || async { show().await["status"] == "Complete" }).await;
        ended.push(show().await);
    }

    paused.signal(Signal::CONT);
    until("every late result is refused", || async { refused(&paused.log()) == STEPS }).await;
    for (path, ended) in paths.iter().zip(ended) {
        let show = app.get(&format!("{path}?includeLogs=true")).await.expect(200);
        assert_eq!(show, ended, "nothing of it is seen");
        assert!(usize::try_from(show["data"]["count"].as_u64().unwrap()).unwrap() > STEPS, "{show}");
    }
    assert_eq!(endpoint.received().len(), 2 * STEPS);
    verify(app.direct_url()).await;
}

/// Results that it says it dropped, one by one or several at once.
fn refused(log: &str) -> usize {
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_default());
    let count = lines.map(|line| {
        let text = line.to_string();
        if text.contains("refused a late result") {
            return 1;
        }
        if !text.contains("dropped late results") {
            return 0;
        }
        let jobs = line["jobs"].as_u64().or_else(|| line["fields"]["jobs"].as_u64()).unwrap();
        usize::try_from(jobs).unwrap()
    });
    count.sum()
}
