//! Moments that a reviewer found: each was a stuck, doubled or wrongly ended instance once.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use trunkline_store::jobs::{self, LowWaterMark};
use trunkline_store::workers;
use trunkline_workflow::control::Command;

use crate::support::{Engine, TestApp, definition, inbound_sms, instance_id};

/// A claim whose answer never came: the jobs are leased to a worker that lives and knows nothing of them.
#[tokio::test]
async fn what_a_worker_holds_without_knowing_goes_back_to_the_queue() {
    let app = TestApp::start().await;
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    let known = app.start_instance(&id, json!({})).await;
    let unknown = app.start_instance(&id, json!({})).await;
    let mut connection = app.store().hot_connection().await.unwrap();
    let worker = workers::register(&mut connection, "w", 10, "0", Duration::from_secs(60)).await.unwrap();
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
    let worker = workers::register(&mut connection, "w", 10, "0", Duration::from_secs(60)).await.unwrap();
    sqlx::query("update workers set lost_at = now()").execute(app.store().pool()).await.unwrap();
    let claimed = jobs::claim(&mut connection, worker, 10, &mut LowWaterMark::default()).await.unwrap();
    assert!(claimed.is_empty());
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
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(pool)
            .await
            .unwrap();
            waiting > 0
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
                store.control(account, definition_id, instance_id(path), command).await.unwrap();
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
