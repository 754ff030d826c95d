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

/// When it goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Another worker is still at the same steps.
    Meanwhile,
    /// Another worker has done them.
    Afterwards,
}

#[tokio::test(flavor = "multi_thread")]
async fn late_results_are_refused_every_time() {
    for _ in 0..either(1, 5) {
        tokio::join!(all_are_refused(Moment::Meanwhile), all_are_refused(Moment::Afterwards));
    }
}

async fn all_are_refused(moment: Moment) {
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
    if moment == Moment::Meanwhile {
        // Its answers wait for it; those of the other are held.
        endpoint.give_answers();
        until("all calls are answered", || async { endpoint.answered() == STEPS }).await;
        endpoint.hold_answers();
    }

    let _other = WorkerProcess::start(app.direct_url());
    until("another worker makes them again", || async { endpoint.received().len() == 2 * STEPS }).await;
    let three = Duration::from_secs(3 * LEASE.parse::<u64>().unwrap());
    pass(three.saturating_sub(begun.elapsed())).await;
    let show = async |path: &str| app.get(&format!("{path}?includeLogs=true")).await.expect(200);
    let complete = async || {
        endpoint.give_answers();
        for path in &paths {
            let is_complete = || async { show(path).await["status"] == "Complete" };
            until("the other worker completes", is_complete).await;
        }
    };
    if moment == Moment::Afterwards {
        complete().await;
    }
    let mut before = Vec::new();
    for path in &paths {
        before.push(show(path).await);
    }

    paused.signal(Signal::CONT);
    until("every late result is refused", || async { paused.results_refused() >= STEPS }).await;
    assert_eq!(paused.results_refused(), STEPS);
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(show(path).await, before, "nothing of it is seen");
    }
    complete().await;
    for path in &paths {
        let show = show(path).await;
        assert!(usize::try_from(show["data"]["count"].as_u64().unwrap()).unwrap() > STEPS, "{show}");
    }
    assert_eq!(endpoint.received().len(), 2 * STEPS);
    verify(app.direct_url()).await;
}
