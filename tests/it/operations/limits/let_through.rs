//! Those who wait go on, whatever happens meanwhile to their limits and to others.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::jobs::{self, LeasedJob, LowWaterMark};
use trunkline_store::limits::{Ask, Leave, QueueMark};
use trunkline_store::pools::Steps;
use trunkline_store::transitions::{self, Completion};
use trunkline_store::waits::{DueMark, Released};
use trunkline_store::workers::{self, Incarnation};
use trunkline_store::{HotConnection, Store};
use trunkline_workflow::limits::{Channel, Outgoing, read_settings};
use trunkline_workflow::{AccountId, Outcome};

use super::{blocked_on, sends, status, until_blocked};
use crate::support::{Engine, TestApp, sample};

async fn set(store: &Store, account: &AccountId, limits: Value) {
    let settings = read_settings(limits.as_object().unwrap()).unwrap();
    store.set_limits(account, &settings, &By::trunkline()).await.unwrap();
}

/// The worker's own job asks for leave to send, and gets none yet.
async fn wait(store: &Store, job: &LeasedJob, worker: Incarnation) -> Duration {
    let send = Outgoing {
        channel: Channel::Sms,
        senders: vec!["acme".to_owned()],
        recipient: Some("+6590001111".to_owned()),
    };
    let (path, n) = (job.path.path, job.path.n);
    let ask = Ask { instance: job.instance, path, n, definition: job.definition, worker, send: Some(send) };
    match store.ask_leave(&job.account, &[ask]).await.unwrap().remove(0) {
        Leave::Waits { after, .. } => after,
        given @ Leave::Given { .. } => panic!("{given:?}"),
    }
}

async fn park(connection: &mut HotConnection, worker: Incarnation, job: LeasedJob, after: Duration) {
    let outcome = Outcome::Postponed { after, message: String::new() };
    let completion = Completion {
        job: Arc::new(job),
        graph: Arc::default(),
        outcome,
        keep: false,
        steps: Steps::All,
        attempt: None,
    };
    transitions::complete(connection, worker, vec![completion]).await.unwrap();
}

/// As if the account's messages of a day had been sent long after now.
async fn fill_day(app: &TestApp) {
    sqlx::query("insert into rates values ($1, 'account/day', '[[' || $2 || ',2]]', now())")
        .bind(app.account().as_str())
        .bind("32503680000000000")
        .execute(app.store().pool())
        .await
        .unwrap();
}

async fn count(store: &Store, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(store.pool()).await.unwrap()
}

#[tokio::test]
async fn who_is_being_parked_when_quiet_hours_are_lifted_does_not_wait_for_their_end() {
    let app = TestApp::start().await;
    let store = app.store();
    set(store, app.account(), json!({"quietHours": [{"from": "00:00", "to": "00:00"}]})).await;
    let definition = app.define(sample::pong()).await;
    app.start_instance(&definition, json!({})).await;
    let mut connection = store.hot_connection().await.unwrap();
    let long = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "w", 1, "0", long, false).await.unwrap();
    let job = jobs::claim(&mut connection, worker, 1, &mut LowWaterMark::default()).await.unwrap().remove(0);
    let after = wait(store, &job, worker).await;
    set(store, app.account(), json!({})).await;
    // The worker was told, and has not written it down yet.
    for _ in 0..3 {
        store.let_through(&mut QueueMark::default()).await.unwrap();
    }
    park(&mut connection, worker, job, after).await;
    assert_eq!(count(store, "select count(*) from waits").await, 1);
    store.let_through(&mut QueueMark::default()).await.unwrap();
    assert_eq!(count(store, "select count(*) from waits").await, 0);
    store.let_through(&mut QueueMark::default()).await.unwrap();
    assert_eq!(count(store, "select count(*) from limits where not looked_over").await, 0);
}

/// However many they are, nobody has to look past them; and they have lost nothing. One is told to go on, the time of
/// the other one runs out.
#[tokio::test]
async fn who_is_suspended_steps_aside_and_keeps_its_age() {
    let app = TestApp::start().await;
    let store = app.store();
    let definition = app.define(sample::pong()).await;
    let mut paths = Vec::new();
    for _ in 0..3 {
        paths.push(app.start_instance(&definition, json!({})).await);
    }
    let mut connection = store.hot_connection().await.unwrap();
    let long = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "w", 3, "0", long, false).await.unwrap();
    let claimed = jobs::claim(&mut connection, worker, 3, &mut LowWaterMark::default()).await.unwrap();
    set(store, app.account(), json!({"rates": [{"messages": 2, "per": "day"}]})).await;
    fill_day(&app).await;
    for job in claimed {
        let after = wait(store, &job, worker).await;
        park(&mut connection, worker, job, after).await;
    }
    assert_eq!(count(store, "select count(*) from leaves where queue is not null").await, 3);
    for path in &paths[..2] {
        app.patch(path, json!({"status": "suspend"})).await.expect_empty(200);
    }
    let last = "update waits
                set due_at = now()
                where instance_id = (select id from instances where status = 'Suspended' order by id desc limit 1)";
    sqlx::query(last).execute(store.pool()).await.unwrap();
    assert_eq!(
        store.release_due(&mut DueMark::default()).await.unwrap(),
        Released::Later,
        "and there is no other"
    );
    let aside =
        "select count(*) from leaves l join jobs j using (instance_id, n) where l.queue is null and j.held";
    assert_eq!(count(store, aside).await, 1);
    sqlx::query("truncate rates").execute(store.pool()).await.unwrap();
    for _ in 0..2 {
        store.let_through(&mut QueueMark::default()).await.unwrap();
    }
    assert_eq!(count(store, aside).await, 2);
    assert_eq!(count(store, "select count(*) from jobs where not held").await, 1, "the third one goes on");
    assert_eq!(
        count(store, "select count(*) from leaves where queue is not null").await,
        1,
        "and asks again"
    );

    app.patch(&paths[0], json!({"status": "resume"})).await.expect_empty(200);
    let claimed = jobs::claim(&mut connection, worker, 3, &mut LowWaterMark::default()).await.unwrap();
    let resumed = claimed.into_iter().find(|job| paths[0].ends_with(&job.instance.to_string())).unwrap();
    fill_day(&app).await;
    wait(store, &resumed, worker).await;
    let first =
        "select instance_id from leaves where queue is not null order by asked_at, instance_id, n limit 1";
    let first: Vec<u8> = sqlx::query_scalar(first).fetch_one(store.pool()).await.unwrap();
    assert_eq!(first, resumed.instance.as_bytes(), "it stands where it stood");
}

#[tokio::test]
async fn limits_that_cannot_be_read_hold_up_nobody_elses_steps() {
    let app = TestApp::start().await;
    let store = app.store();
    // Before ours in any order.
    let other = AccountId::new("0-newer");
    assert!(store.create_account(&other).await.unwrap());
    for account in [&other, app.account()] {
        set(store, account, json!({"rates": [{"messages": 1, "per": "minute"}]})).await;
    }
    let definition = app.define(sample::pong()).await;
    for _ in 0..2 {
        app.start_instance(&definition, json!({})).await;
    }
    let mut connection = store.hot_connection().await.unwrap();
    let long = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "w", 2, "0", long, false).await.unwrap();
    let job = jobs::claim(&mut connection, worker, 1, &mut LowWaterMark::default()).await.unwrap().remove(0);
    sqlx::query("insert into rates values ($1, 'account/minute', '[[' || $2 || ',1]]', now())")
        .bind(app.account().as_str())
        .bind("32503680000000000")
        .execute(store.pool())
        .await
        .unwrap();
    let after = wait(store, &job, worker).await;
    park(&mut connection, worker, job, after).await;
    for statement in [
        "insert into leaves (instance_id, n, path, account_id, queue, by_time, reason, asked_at, looked_at)
         values ('x', 1, 1, '0-newer', 'account/minute', false, '{}', now(), now())",
        "update limits set settings = '{\"rates\":[{\"messages\":1,\"per\":\"moon\"}]}' where account_id = '0-newer'",
        "truncate rates",
    ] {
        sqlx::query(statement).execute(store.pool()).await.unwrap();
    }
    store.let_through(&mut QueueMark::default()).await.unwrap();
    assert_eq!(count(store, "select count(*) from waits").await, 0, "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_while_their_limits_cannot_be_read() {
    let mut engine = Engine::start_without_worker().await;
    engine.app.put("/limits", json!({"rates": [{"messages": 100, "per": "minute"}]})).await.expect(200);
    sqlx::query("update limits set settings = '{\"rates\":[{\"messages\":1,\"per\":\"moon\"}]}'")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    engine.start_worker(trunkline_workers::Settings::default());
    let definition = sends(&engine).await;
    let instance = engine.app.start_instance(&definition, json!({"to": "+6590001111"})).await;
    until_blocked(&engine, &instance, "retry").await;
    let reason = blocked_on(&engine, &instance).await;
    assert_eq!(reason["error"], "The limits of the account cannot be read.");
    assert_eq!(status(&engine, &instance).await, "Runnable");
    engine.app.patch(&instance, json!({"status": "terminate"})).await.expect_empty(200);
    engine.finish().await;
}
