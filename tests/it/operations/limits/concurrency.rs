//! So many steps are under way at once, and no more.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::jobs::{self, LeasedJob, LowWaterMark};
use trunkline_store::limits::{Ask, Leave};
use trunkline_store::workers::{self, Incarnation};
use trunkline_workflow::InstanceId;
use trunkline_workflow::limits::{Reason, read_settings};

use super::{blocked_on, limited, until_blocked, until_complete};
use crate::support::{Engine, TestApp, open_store, sample, until};

/// A definition that calls the endpoint once.
async fn calls(engine: &Engine, path: &str) -> String {
    let url = format!("{}{path}", engine.endpoint.url);
    let step = json!({"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": url, "method": "GET", "timeoutSeconds": 60}});
    engine.app.define(sample::definition(json!([step]))).await
}

async fn start(engine: &Engine, definition: &str, count: usize) -> Vec<String> {
    let mut instances = Vec::new();
    for _ in 0..count {
        instances.push(engine.app.start_instance(definition, json!({})).await);
    }
    instances
}

/// How many wait for others to end.
async fn crowd(engine: &Engine, instances: &[String]) -> usize {
    let mut waiting = 0;
    for instance in instances {
        waiting += usize::from(blocked_on(engine, instance).await["reason"] == "concurrency");
    }
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_beyond_the_concurrency_wait_for_the_end_of_others() {
    let engine = limited(json!({"concurrency": 2})).await;
    engine.endpoint.hold_answers();
    let definition = calls(&engine, "/slow").await;
    let instances = start(&engine, &definition, 6).await;
    until("four wait", async || crowd(&engine, &instances).await == 4).await;
    assert_eq!(engine.endpoint.received().len(), 2);
    let mut reasons: Vec<Value> = Vec::new();
    for instance in &instances {
        reasons.push(blocked_on(&engine, instance).await);
    }
    let reason = reasons.iter().find(|reason| reason["reason"] == "concurrency").unwrap();
    assert_eq!((&reason["limit"], &reason["most"]), (&json!("account"), &json!(2)));
    engine.endpoint.give_answers();
    until_complete(&engine, &instances).await;
    assert_eq!(engine.endpoint.received().len(), 6);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_slow_holds_up_itself_alone() {
    let mut engine = Engine::start_without_worker().await;
    let (slow, quick) = (calls(&engine, "/slow").await, calls(&engine, "/quick").await);
    let limits = json!({"definitions": [{"definitionId": slow, "concurrency": 1}]});
    engine.app.put("/limits", limits).await.expect(200);
    engine.start_worker(trunkline_workers::Settings::default());
    engine.endpoint.hold_answers();
    let waiting = start(&engine, &slow, 3).await;
    until("two wait", async || crowd(&engine, &waiting).await == 2).await;
    let others = start(&engine, &quick, 3).await;
    until("the others are under way", async || engine.endpoint.received().len() == 4).await;
    assert_eq!(crowd(&engine, &others).await, 0);
    // Who waits is not in the way of who waits for nothing, and goes when the limit does.
    engine.app.put("/limits", json!({})).await.expect(200);
    until("all are under way", async || engine.endpoint.received().len() == 6).await;
    engine.endpoint.give_answers();
    until_complete(&engine, &[waiting, others].concat()).await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_terminated_instance_makes_room() {
    let engine = limited(json!({"concurrency": 1})).await;
    engine.endpoint.hold_answers();
    let definition = calls(&engine, "/slow").await;
    let first = start(&engine, &definition, 1).await.remove(0);
    until("it is under way", async || engine.endpoint.received().len() == 1).await;
    let second = start(&engine, &definition, 1).await.remove(0);
    until_blocked(&engine, &second, "concurrency").await;
    engine.app.patch(&first, json!({"status": "terminate"})).await.expect_empty(200);
    until("the other one is under way", async || engine.endpoint.received().len() == 2).await;
    engine.endpoint.give_answers();
    until_complete(&engine, std::slice::from_ref(&second)).await;
    engine.finish().await;
}

fn ask(job: &LeasedJob, worker: Incarnation) -> Ask {
    let (path, n) = (job.path.path, job.path.n);
    Ask { instance: job.instance, path, n, definition: job.definition, worker, send: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_have_no_more_under_way_and_a_death_leaves_nothing() {
    const MOST: usize = 7;
    let app = TestApp::start().await;
    let settings = read_settings(json!({"concurrency": MOST}).as_object().unwrap()).unwrap();
    app.store().set_limits(app.account(), &settings, &By::trunkline()).await.unwrap();
    let definition = app.define(sample::pong()).await;
    for _ in 0..40 {
        app.start_instance(&definition, json!({})).await;
    }
    // Each claims ten and asks for one after the other, all at the same time.
    let claiming = (0..4).map(|number| {
        let (store, account) = (open_store(app.database_url()), app.account().clone());
        tokio::spawn(async move {
            let mut connection = store.hot_connection().await.unwrap();
            let (name, long) = (format!("w{number}"), Duration::from_secs(60));
            let worker = workers::register(&mut connection, &name, 10, "0", long, false).await.unwrap();
            let claimed =
                jobs::claim(&mut connection, worker, 10, &mut LowWaterMark::default()).await.unwrap();
            let mut leaves = Vec::new();
            for job in claimed {
                let leave = store.ask_leave(&account, &[ask(&job, worker)]).await.unwrap().remove(0);
                leaves.push((job, worker, leave));
            }
            leaves
        })
    });
    let leaves: Vec<_> = join_all(claiming).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(leaves.len(), 40);
    let given = leaves.iter().filter(|(.., leave)| matches!(leave, Leave::Given { .. }));
    let given: Vec<&(LeasedJob, Incarnation, Leave)> = given.collect();
    assert_eq!(given.len(), MOST);
    for (.., leave) in &leaves {
        if let Leave::Waits { reason, .. } = leave {
            let expected = Reason::Concurrency { limit: "account".to_owned(), most: 7 };
            assert_eq!(*reason, expected);
        }
    }
    // Whoever asks again has it already.
    let (job, worker, _) = given[0];
    let again = app.store().ask_leave(app.account(), &[ask(job, *worker)]).await.unwrap();
    assert!(matches!(again[0], Leave::Given { .. }));
    // One worker dies: what it had under way counts no more, and what others have does.
    let dead = given[0].1;
    sqlx::query("update jobs set worker = null where worker = $1")
        .bind(dead.0)
        .execute(app.store().pool())
        .await
        .unwrap();
    let freed = given.iter().filter(|(_, worker, _)| *worker == dead).count();
    let has_it: HashSet<InstanceId> = given.iter().map(|(job, ..)| job.instance).collect();
    let mut gone_on = 0;
    for (job, worker, _) in
        leaves.iter().filter(|(job, worker, _)| *worker != dead && !has_it.contains(&job.instance))
    {
        let leave = app.store().ask_leave(app.account(), &[ask(job, *worker)]).await.unwrap().remove(0);
        gone_on += usize::from(matches!(leave, Leave::Given { .. }));
    }
    assert!(gone_on <= freed, "{gone_on} for {freed}");
    let under_way: i64 = sqlx::query_scalar(
        "select count(*) from effects e join jobs j using (instance_id, n) where j.worker = e.worker",
    )
    .fetch_one(app.store().pool())
    .await
    .unwrap();
    assert!(usize::try_from(under_way).unwrap() <= MOST);
}

/// Who comes under two limits stands in one line at a time, and keeps its age in both.
#[tokio::test(flavor = "multi_thread")]
async fn steps_under_two_limits_are_not_overtaken_by_those_under_one() {
    let mut engine = Engine::start_without_worker().await;
    let (both, one) = (calls(&engine, "/both").await, calls(&engine, "/one").await);
    let limits = json!({"concurrency": 4, "definitions": [{"definitionId": both, "concurrency": 2}]});
    engine.app.put("/limits", limits).await.expect(200);
    engine.start_worker(trunkline_workers::Settings::default());
    // Age is that of the question: all of the first have asked before the others begin.
    engine.endpoint.hold_answers();
    let mut instances = start(&engine, &both, 12).await;
    until("ten of them wait", async || crowd(&engine, &instances).await == 10).await;
    instances.extend(start(&engine, &one, 120).await);
    engine.endpoint.give_answers();
    until_complete(&engine, &instances).await;
    let received = engine.endpoint.received();
    let last = received.iter().rposition(|call| call.target == "/both").unwrap();
    let before = received[..last].iter().filter(|call| call.target == "/one").count();
    assert!(before < 90, "{before} of those who came later overtook");
    engine.finish().await;
}

/// They come back by themselves should nobody let them; many of them would do nothing but that.
#[tokio::test]
async fn those_of_a_long_queue_do_not_all_come_back_every_minute() {
    let app = TestApp::start().await;
    let settings = read_settings(json!({"concurrency": 1}).as_object().unwrap()).unwrap();
    app.store().set_limits(app.account(), &settings, &By::trunkline()).await.unwrap();
    let definition = app.define(sample::pong()).await;
    for _ in 0..4 {
        app.start_instance(&definition, json!({})).await;
    }
    let mut connection = app.store().hot_connection().await.unwrap();
    let long = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "w", 10, "0", long, false).await.unwrap();
    let jobs = jobs::claim(&mut connection, worker, 10, &mut LowWaterMark::default()).await.unwrap();
    let mut comes_back = Vec::new();
    for (job, waiting) in jobs.iter().zip([0, 0, 2_000, 10_000]) {
        sqlx::query(
            "insert into leaves (instance_id, n, path, account_id, queue, by_time, reason, asked_at, looked_at)
             select decode(lpad(to_hex(i), 24, '0'), 'hex'), 1, 1, $1, 'concurrency/account', false, '{}', now(), now()
             from generate_series(1, $2) as i
             on conflict do nothing",
        )
        .bind(app.account().as_str())
        .bind(waiting)
        .execute(app.store().pool())
        .await
        .unwrap();
        match app.store().ask_leave(app.account(), &[ask(job, worker)]).await.unwrap().remove(0) {
            Leave::Given { .. } => comes_back.push(0),
            Leave::Waits { after, .. } => comes_back.push(after.as_secs()),
        }
    }
    assert_eq!(comes_back, [0, 60, 260, 3_600]);
}
