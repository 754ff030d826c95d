//! `kill -9` of one of two workers at each of three points of a step, twenty rounds each: every instance
//! reaches its end, each step's completion is applied once, all attempts carry the same idempotency key.

use serde_json::{Value, json};
use sqlx::Row;

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, definition, instance_id, until};

const ROUNDS: usize = 20;

/// A script that computes for a second or more.
const SLOW: &str =
    "Array.from({length: 6000}).map((x, i) => Array.from({length: 1000}).map((y, j) => i * j).length).length";

struct House {
    app: TestApp,
    endpoint: Endpoint,
    workers: Vec<WorkerProcess>,
}

impl House {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let workers = (0..2).map(|_| WorkerProcess::start(app.database_url())).collect();
        Self { app, endpoint: Endpoint::start().await, workers }
    }

    /// The worker that holds the instance's job, once one does.
    async fn holder(&self, path: &str) -> usize {
        let id = instance_id(path);
        let holder = || async {
            let row = sqlx::query(
                "select w.name from jobs j join workers w on w.id = j.worker where j.instance_id = $1",
            )
            .bind(id.as_bytes().as_slice())
            .fetch_optional(self.app.store().pool())
            .await
            .unwrap();
            row.and_then(|row| {
                let name: String = row.get(0);
                self.workers.iter().position(|worker| worker.name == name)
            })
        };
        until("a worker holds the job", || async { holder().await.is_some() }).await;
        holder().await.expect("it was held a moment ago and nobody gives it up")
    }

    fn kill(&mut self, worker: usize) {
        self.workers[worker].kill();
        self.workers[worker] = WorkerProcess::start(self.app.database_url());
    }

    async fn ends(&self, path: &str) -> Value {
        let show = || async { self.app.get(&format!("{path}?includeLogs=true")).await.expect(200) };
        until("the instance ends", || async { show().await["completedAt"].is_string() }).await;
        show().await
    }

    /// The instance completed, its step is logged once, and every call carried the job's id.
    async fn check(&self, path: &str, calls: std::ops::RangeInclusive<usize>) {
        let show = self.ends(path).await;
        assert_eq!(show["status"], "Complete", "{show}");
        let logs = show["logs"].as_array().unwrap();
        assert_eq!(logs.len(), 2, "{logs:?}");
        let key = logs[0]["id"].as_str().unwrap();
        let target = format!("/json?round={}", show["data"]["round"]);
        let received = self.endpoint.received();
        let keys: Vec<&str> = received
            .iter()
            .filter(|r| r.target == target)
            .filter_map(|r| r.header("idempotency-key"))
            .collect();
        assert!(calls.contains(&keys.len()), "{keys:?}");
        assert!(keys.iter().all(|given| *given == key), "{keys:?} {key}");
    }

    async fn finish(self) {
        let violations = self.app.store().verify().await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

/// One call with its instance's id, then a step that ends.
fn calls(url: &str, before: &str, after: &str) -> Value {
    definition(json!([
        {"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": url, "method": "POST", "body": {"slow": before},
                "parameters": {"round": "{{data.round}}"}, "timeoutSeconds": 60},
            "outputs": {"slow": after}, "nextStepId": "end"},
        {"id": "end", "stepType": "If"},
    ]))
}

/// Each round's calls can be told apart.
async fn start(app: &TestApp, definition: &str, round: usize) -> String {
    app.start_instance(definition, json!({"round": round})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_the_claim_is_replaced() {
    let mut house = House::start().await;
    let url = format!("{}/json", house.endpoint.url);
    let id = house.app.define(calls(&url, &format!("{{{{{SLOW}}}}}"), "none")).await;
    for round in 0..ROUNDS {
        let path = start(&house.app, &id, round).await;
        let holder = house.holder(&path).await;
        house.kill(holder);
        house.check(&path, 1..=1).await;
    }
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_the_side_effect_is_replaced() {
    let mut house = House::start().await;
    let url = format!("{}/json", house.endpoint.url);
    let id = house.app.define(calls(&url, "none", "none")).await;
    for round in 0..ROUNDS {
        house.endpoint.hold_answers();
        let path = start(&house.app, &id, round).await;
        until("the call is made", || async { house.endpoint.received().len() > 2 * round }).await;
        let holder = house.holder(&path).await;
        house.kill(holder);
        house.endpoint.give_answers();
        house.check(&path, 2..=2).await;
    }
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_the_completion_is_replaced() {
    let mut house = House::start().await;
    let url = format!("{}/json", house.endpoint.url);
    let id = house.app.define(calls(&url, "none", &format!("{{{{{SLOW}}}}}"))).await;
    for round in 0..ROUNDS {
        let path = start(&house.app, &id, round).await;
        until("the call is made", || async { house.endpoint.received().len() > 2 * round }).await;
        let holder = house.holder(&path).await;
        // Its outputs are being evaluated: the answer is there, nothing of it is written.
        house.workers[holder].evaluates().await;
        house.kill(holder);
        house.check(&path, 2..=2).await;
    }
    house.finish().await;
}
