//! Moments that a reviewer found: each was a stuck, doubled or wrongly ended instance once.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use trunkline::api::ApiConfig;
use trunkline_connectors::correlation::reply_key;
use trunkline_store::audit::By;
use trunkline_store::dispatches::{Begun, Echo};
use trunkline_store::events::Recipients;
use trunkline_store::jobs::{self, LowWaterMark};
use trunkline_store::pools::Steps;
use trunkline_store::transitions::{self, Completion, Written};
use trunkline_store::{PgPool, StoreError, workers};
use trunkline_workflow::control::Command;
use trunkline_workflow::dispatch::Channel;
use trunkline_workflow::graph::Landing;
use trunkline_workflow::outcome::{Awaited, AwaitedEvent, Wait};
use trunkline_workflow::{Graph, Outcome};
use uuid::Uuid;

use crate::support::{Engine, TestApp, definition, inbound_chat, inbound_sms, instance_id};

/// A claim whose answer never came: the jobs are leased to a worker that lives and knows nothing of them.
#[tokio::test]
async fn what_a_worker_holds_without_knowing_goes_back_to_the_queue() {
    let app = TestApp::start().await;
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    let known = app.start_instance(&id, json!({})).await;
    let unknown = app.start_instance(&id, json!({})).await;
    let mut connection = app.store().hot_connection().await.unwrap();
    let worker =
        workers::register(&mut connection, "w", 10, "0", Duration::from_secs(60), false).await.unwrap();
    let mut mark = LowWaterMark::default();
    assert_eq!(jobs::claim(&mut connection, worker, 10, &mut mark).await.unwrap().len(), 2);
    let in_hand = [instance_id(&known)];
    assert_eq!(jobs::release_others(&mut connection, worker, &in_hand).await.unwrap(), 1);
    let again = jobs::claim(&mut connection, worker, 10, &mut mark).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].instance, instance_id(&unknown));
}

/// A worker that was declared lost and does not know it yet claims nothing more.
#[tokio::test]
async fn a_lost_worker_claims_nothing() {
    let app = TestApp::start().await;
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    app.start_instance(&id, json!({})).await;
    let mut connection = app.store().hot_connection().await.unwrap();
    let worker =
        workers::register(&mut connection, "w", 10, "0", Duration::from_secs(60), false).await.unwrap();
    sqlx::query("update workers set lost_at = now()").execute(app.store().pool()).await.unwrap();
    let claimed = jobs::claim(&mut connection, worker, 10, &mut LowWaterMark::default()).await.unwrap();
    assert!(claimed.is_empty());
}

/// A worker that is slow to withdraw a message, when another one already builds on its having been begun.
#[tokio::test]
async fn a_message_is_withdrawn_by_who_holds_its_job_and_by_nobody_else() {
    let app = TestApp::start().await;
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    app.start_instance(&id, json!({})).await;
    let mut connection = app.store().hot_connection().await.unwrap();
    let lease = Duration::from_secs(60);
    let first = workers::register(&mut connection, "first", 10, "0", lease, false).await.unwrap();
    let second = workers::register(&mut connection, "second", 10, "0", lease, false).await.unwrap();
    let claimed = jobs::claim(&mut connection, second, 10, &mut LowWaterMark::default()).await.unwrap();
    let (job, path) = (claimed[0].id(), claimed[0].path.path);
    let (store, account, message) = (app.store(), app.account(), Uuid::new_v4());
    let echo = Echo { to: json!("1"), from: json!("2"), client_ref: None, link: None, application: None };
    let begin = async || store.begin_message(account, job, message, Channel::Sms, &echo).await.unwrap();
    let withdraw = async |worker| store.withdraw_message(account, message, path, worker).await.unwrap();
    assert_eq!(begin().await, Begun::Now);
    withdraw(first).await;
    assert_eq!(begin().await, Begun::Before(None));
    withdraw(second).await;
    assert_eq!(begin().await, Begun::Now);
    // Its job is gone: its instance was terminated.
    sqlx::query("delete from jobs").execute(store.pool()).await.unwrap();
    withdraw(first).await;
    assert_eq!(begin().await, Begun::Now);
}

/// The message matched, then waited for the instance; meanwhile the path went on to another wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_ends_the_wait_it_matched_and_no_other() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "ask", "stepType": "WaitForReply", "inputs": {"from": "+6590001111", "channel": "sms"}}]);
    let run = engine.run(steps, json!({})).await;
    let pool = engine.app.store().pool();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select from instances for update").execute(&mut *holder).await.unwrap();
    let message = engine.app.webhook(inbound_sms("m-1", "acme_sms"));
    let meanwhile = async {
        crate::support::until("the message waits for the instance", || async {
            waiting_for_locks(pool).await > 0
        })
        .await;
        sqlx::query("update waits set n = n + 1, kind = 'timer', key = null")
            .execute(&mut *holder)
            .await
            .unwrap();
        holder.commit().await.unwrap();
    };
    let (answer, ()) = futures::future::join(message, meanwhile).await;
    answer.expect_status(200);
    assert_eq!(run.logs().await, ["ask:Sleeping"], "the other wait goes on");
}

/// Two waits know the user by different ids, so they hold different locks when they look back at a message that
/// is for one of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_message_for_the_newest_wait_alone_is_not_given_to_two() {
    let app = TestApp::start_with(ApiConfig { recipients: Recipients::Newest, ..ApiConfig::default() }).await;
    let steps = json!([{"id": "ask", "stepType": "WaitForReply", "inputs": {"from": "{{data.x}}", "channel": "whatsapp"}}]);
    let id = app.define(definition(steps.clone())).await;
    for _ in 0..2 {
        app.start_instance(&id, json!({})).await;
    }
    let mut message = inbound_chat("m-1", "acme_chat");
    message["payload"]["user"]["channelUserId"] = "SG.90817263544536271".into();
    app.webhook(message).await.expect_status(200);

    let mut connections =
        [app.store().hot_connection().await.unwrap(), app.store().hot_connection().await.unwrap()];
    let worker =
        workers::register(&mut connections[0], "w", 10, "0", Duration::from_secs(60), false).await.unwrap();
    let claimed = jobs::claim(&mut connections[0], worker, 10, &mut LowWaterMark::default()).await.unwrap();
    let graph = Arc::new(Graph::new(&steps));
    let pool = app.store().pool();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select from events for update").execute(&mut *holder).await.unwrap();
    let ids = ["+6590001111", "SG.90817263544536271"];
    let looking = connections.iter_mut().zip(claimed).zip(ids).map(|((connection, job), id)| {
        let awaited = Awaited { event: AwaitedEvent::Reply, key: reply_key("whatsapp", id) };
        let wait = Outcome::Waiting { wait: Wait::Event(awaited), due_after: Duration::from_secs(600) };
        let (job, graph) = (Arc::new(job), graph.clone());
        let completion =
            Completion { job, graph, outcome: wait, keep: false, steps: Steps::All, attempt: None };
        transitions::complete(connection, worker, vec![completion])
    });
    let meanwhile = async {
        crate::support::until("both look at the message", || async { waiting_for_locks(pool).await == 2 })
            .await;
        holder.commit().await.unwrap();
    };
    let (written, ()) = futures::future::join(join_all(looking), meanwhile).await;
    assert!(written.into_iter().all(|written| written.is_ok()));
    let uses: i64 = sqlx::query_scalar("select count(*) from event_uses").fetch_one(pool).await.unwrap();
    let waits: i64 = sqlx::query_scalar("select count(*) from waits").fetch_one(pool).await.unwrap();
    assert_eq!((uses, waits), (1, 1));
}

/// The batch waits for the row of another instance, and this one is suspended and resumed meanwhile: its job is won, and what
/// goes with it is written to rows that somebody changed after the statement began. Once a third one was taken away, so
/// that the statement has to ask which were won.
#[tokio::test(flavor = "multi_thread")]
async fn no_result_is_lost_when_its_instance_is_suspended_and_resumed_while_the_batch_waits() {
    for (is_one_taken_away, ends) in [(false, false), (false, true), (true, false), (true, true)] {
        let app = TestApp::start().await;
        let steps = json!([
            {"id": "one", "stepType": "If", "nextStepId": "two"},
            {"id": "two", "stepType": "If"}
        ]);
        let id = app.define(definition(steps.clone())).await;
        for _ in 0..3 {
            app.start_instance(&id, json!({})).await;
        }
        let store = app.store();
        let mut connection = store.hot_connection().await.unwrap();
        let worker =
            workers::register(&mut connection, "w", 10, "0", Duration::from_secs(60), false).await.unwrap();
        let claimed = jobs::claim(&mut connection, worker, 10, &mut LowWaterMark::default()).await.unwrap();
        let [first, second, third] = [0, 1, 2].map(|at: usize| claimed[at].instance);
        let graph = Arc::new(Graph::new(&steps));
        let next = if ends { Vec::new() } else { vec![Landing { step: 1, leaves: 0 }] };
        let completions = claimed.into_iter().map(|job| {
            let data = Some(json!({"said": "yes"}).to_string());
            let outcome = Outcome::Completed { result: None, data, timed_out: false, next: next.clone() };
            let (job, graph) = (Arc::new(job), graph.clone());
            Completion { job, graph, outcome, keep: true, steps: Steps::All, attempt: None }
        });
        let pool = store.pool();
        let taken_away = sqlx::query("update jobs set worker = null where instance_id = $1 and $2")
            .bind(&third.as_bytes()[..])
            .bind(is_one_taken_away)
            .execute(pool);
        taken_away.await.unwrap();
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("select from jobs where instance_id = $1 for update")
            .bind(&first.as_bytes()[..])
            .execute(&mut *holder)
            .await
            .unwrap();
        let batch = transitions::complete(&mut connection, worker, completions.collect());
        let meanwhile = async {
            crate::support::until("the batch waits", || async { waiting_for_locks(pool).await == 1 }).await;
            for command in [Command::Suspend, Command::Resume] {
                store
                    .control(app.account(), id.parse().unwrap(), second, command, &By::trunkline())
                    .await
                    .unwrap();
            }
            holder.commit().await.unwrap();
        };
        let (written, ()) = futures::future::join(batch, meanwhile).await;
        let refused = written.unwrap().iter().map(|one| matches!(one, Written::Refused)).collect::<Vec<_>>();
        assert_eq!(refused, [false, false, is_one_taken_away]);
        let written = if is_one_taken_away { 2 } else { 3 };
        let status = if ends { "Complete" } else { "Runnable" };
        for (what, statement) in [
            ("instances", "select count(*) from instances where data = '{\"said\":\"yes\"}' and status = $1"),
            ("the log", "select count(*) from steps where $1 <> ''"),
            (
                "jobs",
                "select count(*) from instances where $1 = 'Complete' or id in (select instance_id from jobs where n = 2)",
            ),
        ] {
            let found: i64 = sqlx::query_scalar(statement).bind(status).fetch_one(pool).await.unwrap();
            let expected = if ends && what == "jobs" { 3 } else { written };
            assert_eq!(found, expected, "{what}, {is_one_taken_away}, {ends}");
        }
        assert!(store.verify().await.unwrap().is_empty());
    }
}

/// What somebody ended or forbade on the side of the database is no reason to end an instance.
#[tokio::test]
async fn statements_that_were_cancelled_may_be_repeated_and_refused_rows_may_not() {
    let app = TestApp::start().await;
    let error = async |statement: &'static str| {
        let mut transaction = app.store().pool().begin().await.unwrap();
        StoreError::from(sqlx::raw_sql(statement).execute(&mut *transaction).await.unwrap_err())
    };
    for statement in [
        "set local statement_timeout = '1ms'; select pg_sleep(60)",
        "select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)",
        "set local role pg_monitor; select * from jobs",
    ] {
        assert!(error(statement).await.may_pass(), "{statement}");
    }
    for statement in ["select 1 / 0", "insert into accounts (id) values (null)"] {
        let error = error(statement).await;
        assert!(!error.may_pass() && error.is_refusal(), "{statement} {error:?}");
    }
    assert!(!StoreError::Damaged(String::new()).may_pass() && !StoreError::NoMasterKey.may_pass());
}

/// Suspending and resuming while batches of single and parallel paths are written: nobody is left behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_commands_leaves_nobody_behind() {
    let engine = Engine::start().await;
    let loops = json!([
        {"id": "fork", "stepType": "Branch", "selectNextStep": {"a": "{{true}}", "b": "{{data.two}}"}},
        {"id": "a", "stepType": "If", "outputs": {"a": "{{(data.a || 0) + 1}}"}, "nextStepId": "more_a"},
        {"id": "more_a", "stepType": "Branch", "selectNextStep": {"a": "{{data.a < 60}}"}},
        {"id": "b", "stepType": "If", "outputs": {"b": "{{(data.b || 0) + 1}}"}, "nextStepId": "more_b"},
        {"id": "more_b", "stepType": "Branch", "selectNextStep": {"b": "{{data.b < 60}}"}},
    ]);
    let id = engine.app.define(definition(loops)).await;
    let paths = join_all((0..24).map(|n| engine.app.start_instance(&id, json!({"two": n % 3 == 0})))).await;
    let store = engine.app.store();
    let (account, definition_id) = (engine.app.account(), id.parse().unwrap());
    let commanding = paths.iter().map(|path| async {
        for _ in 0..15 {
            for command in [Command::Suspend, Command::Resume] {
                store
                    .control(account, definition_id, instance_id(path), command, &By::trunkline())
                    .await
                    .unwrap();
            }
        }
    });
    join_all(commanding).await;
    engine.run_until_idle().await;
    for (n, path) in paths.iter().enumerate() {
        let show = engine.app.get(path).await.expect(200);
        assert_eq!((&show["status"], &show["data"]["a"]), (&json!("Complete"), &json!(60)), "{n}");
        if n % 3 == 0 {
            assert_eq!(show["data"]["b"], 60, "{n}");
        }
    }
    engine.finish().await;
}

/// What is read back stops at 128 levels, so what comes in stops before.
#[tokio::test]
async fn a_body_too_deep_to_be_read_back_is_refused_at_the_door() {
    let app = TestApp::start().await;
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    let nested = |levels: usize| {
        let text = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    app.start_instance(&id, nested(99)).await;
    let path = format!("/definitions/{id}/workflows");
    app.post(&path, nested(100)).await.expect_error(400, 1000);
    app.post("/triggers/http_request", nested(100)).await.expect_error(400, 1000);
}

async fn waiting_for_locks(pool: &PgPool) -> i64 {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap()
}
