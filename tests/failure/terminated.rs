//! Instances that are terminated while a worker has them in hand, before it has come to them: nothing begins after the
//! command was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::StreamExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use serde_json::json;

use crate::fleet::Fleet;
use crate::processes::WorkerProcess;
use crate::support::extent::{either, pass};
use crate::support::{definition, until};
use crate::verify::verify;

const SEED: u64 = 20_261_123;
const INSTANCES: usize = 60;
/// A call that had begun before the command was answered may arrive after it.
const ON_ITS_WAY: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_after_terminate_was_answered() {
    let fleet = Fleet::start(1, 0).await;
    // They wait for the only evaluator, all of them claimed.
    let steps = json!([{"id": "call", "stepType": "HttpRequest", "inputs": {
        "url": format!("{}/json", fleet.endpoint.url), "method": "POST",
        "body": {"n": "{{data.n}}", "takes": "{{Array.from({length: 50000}, (_, i) => i % 7).length}}"}}}]);
    let definition = fleet.app.define(definition(steps)).await;
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut before, mut in_hand) = (0, 0);
    for round in 0..either(1, 50) {
        let worker = WorkerProcess::start(fleet.app.database_url());
        let mut paths = BTreeMap::new();
        for n in round * INSTANCES..(round + 1) * INSTANCES {
            paths.insert(n, fleet.app.start_instance(&definition, json!({"n": n})).await);
        }
        let made = fleet.endpoint.received().len();
        until("the first are done", || async { fleet.endpoint.received().len() > made + 2 }).await;
        in_hand += fleet.count("select count(*) from jobs where worker is not null").await;
        let mut chosen: Vec<usize> = paths.keys().copied().collect();
        chosen.shuffle(&mut chance);
        chosen.truncate(INSTANCES / 2);
        let terminated = chosen.iter().map(|n| {
            let pause = Duration::from_millis(chance.random_range(0..500));
            let (app, path) = (&fleet.app, &paths[n]);
            async move {
                pass(pause).await;
                let answer = app.patch(path, json!({"status": "terminate"})).await;
                // One that had ended is refused.
                (answer.status == 200).then(|| (*n, Instant::now()))
            }
        });
        let terminated = futures::stream::iter(terminated).buffer_unordered(INSTANCES);
        let terminated: BTreeMap<usize, Instant> = terminated.filter_map(async |one| one).collect().await;
        assert!(!terminated.is_empty(), "{round}: all had ended");
        until("all instances end", || async {
            fleet.count("select count(*) from instances where completed_at is null").await == 0
        })
        .await;
        // It finishes what it has in hand.
        worker.signal(Signal::TERM);
        let worker = Mutex::new(worker);
        until("the worker ends", async || worker.lock().unwrap().exited().is_some()).await;
        let calls = fleet.endpoint.received();
        let called: BTreeSet<usize> = calls.iter().map(n_of).collect();
        for call in &calls {
            if let Some(answered) = terminated.get(&n_of(call)) {
                let late = call.at.saturating_duration_since(*answered);
                assert!(late < ON_ITS_WAY, "{} is called {late:?} after it was terminated", n_of(call));
            }
        }
        for n in paths.keys() {
            assert!(
                terminated.contains_key(n) || called.contains(n),
                "{n} was not terminated, and never called"
            );
        }
        before += terminated.keys().filter(|n| !called.contains(n)).count();
    }
    println!("{before} were terminated before their calls; {in_hand} were in the worker's hands");
    assert!(before > 0 && in_hand > INSTANCES / 2, "{before} {in_hand}");
    verify(fleet.app.database_url()).await;
    fleet.end().await;
}

fn n_of(call: &crate::support::endpoint::Received) -> usize {
    usize::try_from(call.json()["n"].as_u64().unwrap()).unwrap()
}
