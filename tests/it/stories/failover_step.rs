//! `Failover`: a step that is a whole workflow of the Workflows API.

use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_store::audit::By;
use trunkline_store::dispatches::{NewDispatch, Parent};
use trunkline_workers::{Rules, Settings};
use trunkline_workflow::dispatch::{self, Flavour, Link, Status};
use uuid::Uuid;

use super::failover::{engine, handed_in, says, two};
use crate::support::{Engine, Run, instance_id, until};

/// Fails over, then goes by what came of it.
fn steps() -> Value {
    json!([
        {"id": "notify", "stepType": "Failover", "inputs": {"workflow": "{{data.messages}}"},
            "outputs": {"end": "{{step}}"},
            "selectNextStep": {
                "sms": "{{step.channel == 'sms'}}",
                "nothing": "{{step.status == 'error'}}",
                "stopped": null,
            }},
        {"id": "sms", "stepType": "If"},
        {"id": "nothing", "stepType": "If"},
        {"id": "stopped", "stepType": "If"},
    ])
}

async fn run<'e>(engine: &'e Engine, condition: &str) -> Run<'e> {
    engine.run(steps(), json!({"messages": two(condition)})).await
}

/// The workflow that the step started, as its client sees it.
async fn dispatches(engine: &Engine) -> Vec<(String, String)> {
    sqlx::query_as(
        "select d.id::text, coalesce(d.outcome, i.status)
         from dispatches d
         join instances i on i.id = d.instance_id",
    )
    .fetch_all(engine.app.store().pool())
    .await
    .unwrap()
}

fn new_dispatch(engine: &Engine, parent: Option<Parent>) -> NewDispatch {
    let body = json!({"template": "failover", "workflow": two("read")}).to_string();
    NewDispatch {
        link: Link { id: Uuid::new_v4(), flavour: Flavour::Dispatch },
        account: engine.app.account().clone(),
        application: None,
        request: dispatch::parse(body.as_bytes()).unwrap(),
        parent,
        at: clock::now(),
    }
}

#[tokio::test]
async fn a_step_fails_over_and_says_which_channel_won() {
    let engine = engine().await;
    let run = run(&engine, "delivered").await;
    assert_eq!(run.logs().await, ["notify:WaitingForEvent"]);
    let [first] = handed_in(&engine)[..] else { panic!("the first message") };
    says(&engine, first, Status::Undeliverable, None).await;
    let [_, second] = handed_in(&engine)[..] else { panic!("the second message") };
    assert_eq!(run.logs().await, ["notify:WaitingForEvent"]);
    says(&engine, second, Status::Delivered, None).await;
    assert_eq!(run.logs().await, ["notify:Complete", "sms:Complete"]);
    let [(dispatch, outcome)] = &dispatches(&engine).await[..] else { panic!("one workflow") };
    assert_eq!(outcome, "completed");
    assert_eq!(
        run.data().await["end"],
        json!({"dispatchUuid": dispatch, "status": "completed", "channel": "sms", "messageUuid": second,
        "messages": [
            {"messageUuid": first, "channel": "sms", "status": "undeliverable"},
            {"messageUuid": second, "channel": "sms", "status": "delivered"},
        ]})
    );
    engine.finish().await;
}

#[tokio::test]
async fn a_step_whose_messages_all_fail_goes_on_with_an_error() {
    let engine = engine().await;
    let run = run(&engine, "read").await;
    for message in 0..2 {
        says(&engine, handed_in(&engine)[message], Status::Rejected, None).await;
    }
    assert_eq!(run.logs().await, ["notify:Complete", "nothing:Complete"]);
    let end = &run.data().await["end"];
    assert_eq!((&end["channel"], &end["messageUuid"]), (&json!(null), &json!(null)));
    assert_eq!(end["messages"].as_array().unwrap().len(), 2);
    engine.finish().await;
}

#[tokio::test]
async fn with_the_instance_its_workflow_ends() {
    let engine = engine().await;
    let run = run(&engine, "read").await;
    run.command("terminate").await;
    let [(_, status)] = &dispatches(&engine).await[..] else { panic!("one workflow") };
    assert_eq!(status, "cancelled");
    engine.pass_time(700.0).await;
    assert_eq!(handed_in(&engine).len(), 1, "no other message");
    engine.finish().await;
}

#[tokio::test]
async fn with_the_instance_its_workflow_is_suspended_and_goes_on() {
    let engine = engine().await;
    let run = run(&engine, "delivered").await;
    run.command("suspend").await;
    let status = async || dispatches(&engine).await.pop().unwrap().1;
    assert_eq!(status().await, "Suspended");
    engine.pass_time(700.0).await;
    assert_eq!(handed_in(&engine).len(), 1, "no other message while it is suspended");
    run.command("resume").await;
    let [_, second] = handed_in(&engine)[..] else { panic!("the second message") };
    says(&engine, second, Status::Delivered, None).await;
    assert_eq!(run.logs().await, ["notify:Complete", "sms:Complete"]);
    assert_eq!(status().await, "completed");
    engine.finish().await;
}

/// Its step was under way when the instance was suspended.
#[tokio::test]
async fn a_suspended_instance_starts_a_workflow_that_is_suspended_too() {
    let engine = engine().await;
    let pause = json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:10:00"}}]);
    let run = engine.run(pause, json!({})).await;
    run.command("suspend").await;
    let parent = Some(Parent { instance: instance_id(&run.path), key: "receipt:x".to_owned() });
    engine.app.store().start_dispatch(new_dispatch(&engine, parent)).await.unwrap();
    engine.run_until_idle().await;
    assert_eq!(dispatches(&engine).await[0].1, "Suspended");
    assert!(handed_in(&engine).is_empty());
    run.command("resume").await;
    assert_eq!(handed_in(&engine).len(), 1);
    run.command("terminate").await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_definition_is_paused_a_workflow_sends_nothing_more() {
    let mut engine = engine().await;
    let path = run(&engine, "delivered").await.path;
    let definition = path.split('/').nth(2).unwrap();
    let tell = async |engine: &Engine, verb: &str| {
        engine.app.post(&format!("/definitions/{definition}/{verb}"), json!({})).await.expect(200);
    };
    engine.stop_worker().await;
    tell(&engine, "pause").await;
    // The message's time is over, and the next one would go out.
    sqlx::query("update waits set due_at = due_at - interval '700 seconds' where due_at is not null")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    engine.start_worker(Settings::default());
    let waiting = async || -> i64 {
        let query = "select count(*) from leaves where queue is not null";
        sqlx::query_scalar(query).fetch_one(engine.app.store().pool()).await.unwrap()
    };
    until("the workflow waits", async || waiting().await == 1).await;
    assert_eq!(handed_in(&engine).len(), 1);
    tell(&engine, "resume").await;
    until("it goes on", async || handed_in(&engine).len() == 2).await;
    engine.run_until_idle().await;
    says(&engine, handed_in(&engine)[1], Status::Delivered, None).await;
    assert_eq!(engine.at(path.clone()).logs().await, ["notify:Complete", "sms:Complete"]);
    engine.finish().await;
}

/// Nobody is left who could report it: upkeep does.
#[tokio::test]
async fn a_workflow_that_faults_is_reported_and_its_step_goes_on() {
    let mut engine = engine().await;
    let instance = {
        let run = run(&engine, "read").await;
        run.path.clone()
    };
    let [first] = handed_in(&engine)[..] else { panic!("the first message") };
    engine.stop_worker().await;
    let body = json!({"message_uuid": "p", "client_ref": first, "status": "read"});
    engine.app.webhook_to("message-status", body).await.expect_empty(200);
    // It has taken too many workers down with it.
    let tried =
        sqlx::query("update jobs set attempt = 100").execute(engine.app.store().pool()).await.unwrap();
    assert_eq!(tried.rows_affected(), 1);
    engine.start_worker(Settings::default());
    until("the step goes on", || async {
        engine.app.get(&instance).await.expect(200)["status"] == "Complete"
    })
    .await;
    let end = engine.app.get(&instance).await.expect(200)["data"]["end"].clone();
    assert_eq!((&end["status"], &end["channel"]), (&json!("error"), &json!(null)));
    let reports =
        || engine.endpoint.bodies_at("/st").into_iter().filter(|body| body.get("template").is_some());
    until("it is reported", || async { reports().count() == 1 }).await;
    assert_eq!(reports().next().unwrap()["status"], "error");
    engine.finish().await;
}

#[tokio::test]
async fn with_an_instance_that_faults_its_workflow_ends() {
    let engine = engine().await;
    let mut steps = steps();
    let fork = json!({"id": "fork", "stepType": "Branch", "selectNextStep": {"notify": "{{true}}", "fault": "{{true}}"}});
    let fault = json!({"id": "fault", "stepType": "HttpRequest", "inputs": {"url": "gopher://crm.example", "method": "GET"}});
    steps.as_array_mut().unwrap().insert(0, fork);
    steps.as_array_mut().unwrap().push(fault);
    let run = engine.run(steps, json!({"messages": two("read")})).await;
    assert_eq!(run.status().await, "Terminated");
    until("its workflow is cancelled", || async {
        dispatches(&engine).await.iter().all(|(_, outcome)| outcome == "cancelled")
    })
    .await;
    engine.finish().await;
}

#[tokio::test]
async fn an_instance_that_has_ended_starts_no_workflow() {
    let engine = engine().await;
    let run = engine.run(json!([{"id": "only", "stepType": "If"}]), json!({})).await;
    let parent = Some(Parent { instance: instance_id(&run.path), key: "receipt:x".to_owned() });
    engine.app.store().start_dispatch(new_dispatch(&engine, parent)).await.unwrap();
    assert!(dispatches(&engine).await.is_empty());
    engine.finish().await;
}

#[tokio::test]
async fn a_workflow_that_is_cancelled_lets_its_step_go_on() {
    let engine = engine().await;
    let run = run(&engine, "read").await;
    let [(dispatch, _)] = &dispatches(&engine).await[..] else { panic!("one workflow") };
    let store = engine.app.store();
    let found = store.find_dispatch(engine.app.account(), dispatch.parse().unwrap()).await.unwrap().unwrap();
    store.cancel_dispatch(engine.app.account(), &found, &By::trunkline()).await.unwrap();
    engine.run_until_idle().await;
    assert_eq!(run.logs().await, ["notify:Complete", "stopped:Complete"]);
    assert_eq!(run.data().await["end"]["status"], "cancelled");
    engine.finish().await;
}

#[tokio::test]
async fn the_rules_of_the_installation_hold_for_the_step_too() {
    let mut engine = engine().await;
    engine.stop_worker().await;
    let dispatch = dispatch::Rules { most_steps: 1, ..dispatch::Rules::default() };
    engine.start_worker_with_rules(Rules { dispatch, ..Rules::default() });
    let run = run(&engine, "delivered").await;
    assert_eq!(run.error().await, "Step 'notify': input 'workflow' must have at most 1 steps.");
    assert!(dispatches(&engine).await.is_empty());
    engine.finish().await;
}

#[tokio::test]
async fn messages_that_are_no_good_are_named_and_nothing_is_sent() {
    let engine = engine().await;
    for (messages, error) in [
        (json!(null), "Step 'notify': input 'workflow' is required."),
        (json!([]), "Step 'notify': input 'workflow' must have at least one step."),
        (
            json!([{"from": {"type": "sms", "number": "447700900001"}, "to": {"type": "sms", "number": "+4477"},
                "message": {"content": {"type": "text"}}}]),
            "Step 'notify': input 'workflow[0].to.number' must not start with +; \
             'workflow[0].message.content.text' is required.",
        ),
    ] {
        let run = engine.run(steps(), json!({ "messages": messages })).await;
        assert_eq!(run.error().await, error);
    }
    assert!(handed_in(&engine).is_empty());
    assert!(dispatches(&engine).await.is_empty());
    engine.finish().await;
}

#[tokio::test]
async fn a_step_that_is_run_again_has_a_workflow_of_its_own_and_that_alone_is_not_run_again() {
    let engine = engine().await;
    let run = run(&engine, "read").await;
    for message in 0..2 {
        says(&engine, handed_in(&engine)[message], Status::Rejected, None).await;
    }
    let parent = instance_id(&run.path).to_string();
    let child: String = sqlx::query_scalar("select encode(instance_id, 'hex') from dispatches")
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
    let rerun = async |instance: &str, body: Value| {
        engine.app.post(&format!("/instances/{instance}/rerun"), body).await
    };
    let refused = rerun(&child, json!({"from": "start"})).await.expect_error(400, 1000);
    let why = format!("it is the workflow of a step of instance {parent}: run that one again");
    assert_eq!(refused, format!("Workflow {child} cannot be run again: {why}."));
    rerun(&parent, json!({"from": {"message": 1}})).await.expect_error(400, 1000);

    let again = rerun(&parent, json!({"from": {"step": "notify"}})).await.expect(201);
    engine.run_until_idle().await;
    let [.., third] = handed_in(&engine)[..] else { panic!("a message") };
    says(&engine, third, Status::Read, None).await;
    assert_eq!(handed_in(&engine).len(), 3);
    let shown = engine.app.get(&format!("/instances/{}", again["instanceId"].as_str().unwrap())).await;
    let shown = shown.expect(200);
    assert_eq!((&shown["status"], &shown["data"]["end"]["messageUuid"]), (&json!("Complete"), &json!(third)));
    assert_eq!(dispatches(&engine).await.len(), 2);
    engine.finish().await;
}

#[tokio::test]
async fn an_instance_is_not_run_again_while_a_workflow_of_it_may_still_send() {
    let engine = engine().await;
    let run = run(&engine, "read").await;
    let instance = instance_id(&run.path).to_string();
    // As if it had ended by a fault, and upkeep had not come by yet.
    sqlx::query(
        "update instances set status = 'Terminated', completed_at = now() where id = decode($1, 'hex')",
    )
    .bind(&instance)
    .execute(engine.app.store().pool())
    .await
    .unwrap();
    let path = format!("/instances/{instance}/rerun");
    let refused = engine.app.post(&path, json!({"from": "start"})).await.expect_error(400, 1000);
    assert!(refused.contains("has not ended: try again in a moment"), "{refused}");
}
