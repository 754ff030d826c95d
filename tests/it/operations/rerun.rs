//! What has ended is run again.

use reqwest::Method;
use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::usage::QuotaChange;

use crate::support::{Answer, Engine, Run, TestApp, instance_id, sample};

fn id(path: &str) -> String {
    instance_id(path).to_string()
}

async fn rerun(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post(&format!("/instances/{}/rerun", id(path)), body).await
}

/// The new instance, run until nothing can be done.
async fn run_again<'a>(engine: &'a Engine, path: &str, body: Value) -> Run<'a> {
    let answer = rerun(&engine.app, path, body).await;
    let started = answer.expect(201);
    let new = engine.path_of(answer.header("location").unwrap());
    assert_eq!(started, json!({"instanceId": id(&new)}));
    engine.run_until_idle().await;
    engine.at(new)
}

async fn explain(app: &TestApp, path: &str) -> Value {
    app.get(&format!("/instances/{}", id(path))).await.expect(200)
}

/// A step that fails unless the context has a `gate`, and goes on when it is open.
fn gate(id: &str, next: &str) -> Value {
    let outputs = json!({"passed": "{{data.gate == 'open' || noSuchFunction()}}"});
    json!({"id": id, "stepType": "If", "outputs": outputs, "nextStepId": next})
}

fn step(id: &str, outputs: Value) -> Value {
    json!({"id": id, "stepType": "If", "outputs": outputs})
}

fn counted() -> Value {
    json!([
        {"id": "count", "stepType": "If", "outputs": {"n": "{{data.n + 1}}"}, "nextStepId": "gate"},
        gate("gate", "end"),
        step("end", json!({"n": "{{data.n + 10}}"})),
    ])
}

fn open_gate() -> Value {
    json!({"gate": "open"})
}

#[tokio::test]
async fn each_beginning_has_its_context() {
    let engine = Engine::start().await;
    let origin = engine.run(counted(), json!({"n": 0, "old": 1})).await;
    assert_eq!(origin.status().await, "Terminated");
    assert_eq!(origin.data().await["n"], 1);

    let again = run_again(&engine, &origin.path, json!({})).await;
    assert_eq!(again.logs().await, ["gate:Failed"], "nothing has changed");
    let context = json!({"gate": "open", "old": null});
    let failed = run_again(&engine, &origin.path, json!({ "context": context })).await;
    assert_eq!(failed.steps().await, ["gate", "end"]);
    let data = failed.data().await;
    assert_eq!((&data["n"], data.get("old"), &data["accountId"]), (&json!(11), None, &json!("acme")));

    let start = run_again(&engine, &origin.path, json!({"from": "start", "context": open_gate()})).await;
    assert_eq!(start.steps().await, ["count", "gate", "end"]);
    assert_eq!((&start.data().await["n"], &start.data().await["old"]), (&json!(11), &json!(1)));
    // What a re-run was started with is not what the whole was started with.
    let from_rerun = json!({"from": "start", "context": open_gate()});
    let from_rerun = run_again(&engine, &failed.path, from_rerun).await;
    assert_eq!((&from_rerun.data().await["n"], &from_rerun.data().await["old"]), (&json!(11), &json!(1)));

    let chosen = run_again(&engine, &origin.path, json!({"from": {"step": "end"}})).await;
    assert_eq!((chosen.steps().await, &chosen.data().await["n"]), (vec!["end".to_owned()], &json!(11)));
    // What completed may be run again, too.
    let complete = run_again(&engine, &chosen.path, json!({"from": {"step": "end"}})).await;
    assert_eq!(complete.data().await["n"], 21);

    let origin_id = id(&origin.path);
    let shown = explain(&engine.app, &failed.path).await;
    assert_eq!(shown["origin"]["instanceId"], origin_id);
    assert_eq!(shown["origin"]["choice"], json!({"from": "failed", "version": "same"}));
    assert_eq!(shown["reruns"][0]["instanceId"], id(&from_rerun.path));
    let shown = explain(&engine.app, &origin.path).await;
    assert_eq!((&shown["origin"], shown["reruns"].as_array().unwrap().len()), (&json!(null), 4));
    engine.finish().await;
}

#[tokio::test]
async fn it_is_written_down_who_did_it_and_why_and_it_is_counted() {
    let engine = Engine::start().await;
    let origin = engine.run(counted(), json!({"n": 0})).await;
    let path = format!("/instances/{}/rerun", id(&origin.path));
    let request = engine.app.account_request(Method::POST, &path).header("Trunkline-Reason", "outage");
    let new = Answer::of(request).await.expect(201)["instanceId"].clone();
    engine.run_until_idle().await;
    let lines = engine.app.get("/audit?action=instance.rerun").await.expect(200);
    assert_eq!((&lines[0]["object"], &lines[0]["reason"]), (&json!(id(&origin.path)), &json!("outage")));
    assert_eq!(lines[0]["detail"], json!({"from": "failed", "version": 1, "instance": new}));
    let executed =
        async || engine.app.get("/usage").await.expect(200)[0]["executedWorkflowCount"].as_i64().unwrap();
    assert_eq!(executed().await, 2);

    let quota = QuotaChange { allowed: Some(Some(2)), overage: Some(false), overage_price: None };
    assert!(engine.app.store().change_quota(engine.app.account(), quota, &By::trunkline()).await.unwrap());
    rerun(&engine.app, &origin.path, json!({})).await.expect_error(403, 1201);
    assert_eq!(executed().await, 2);
    engine.finish().await;
}

#[tokio::test]
async fn paths_that_ended_with_the_instance_begin_their_steps_again() {
    let engine = Engine::start().await;
    let pause = |id: &str, next: &str| json!({"id": id, "stepType": "Wait", "inputs": {"duration": "01:00:00"}, "nextStepId": next});
    let steps = json!([
        {"id": "fork", "stepType": "Branch", "selectNextStep": {"outer": "{{true}}", "wait": "{{true}}"}},
        {"id": "outer", "stepType": "If", "inputs": {"condition": "{{true}}"}, "nextStepId": "behind", "do": [
            [gate("gate", "inner"),
             {"id": "inner", "stepType": "If", "inputs": {"condition": "{{true}}"}, "do": [
                [{"id": "deep", "stepType": "If", "outputs": {"deep": "{{data.late || noSuchFunction()}}"}}],
             ]}],
            [pause("pause", "paused"), step("paused", json!({}))],
        ]},
        pause("wait", "waited"),
        step("waited", json!({})),
        step("behind", json!({"behind": "{{true}}"})),
    ]);
    let origin = engine.run(steps, json!({})).await;
    let mut cancelled = origin.logs().await;
    cancelled.sort();
    let expected = ["fork:Complete", "gate:Failed", "outer:Cancelled", "pause:Cancelled", "wait:Cancelled"];
    assert_eq!(cancelled, expected);

    let again = run_again(&engine, &origin.path, json!({"context": open_gate()})).await;
    let mut open = again.logs().await;
    open.sort();
    assert_eq!(
        open,
        [
            "deep:Failed",
            "gate:Complete",
            "inner:Cancelled",
            "outer:Cancelled",
            "pause:Cancelled",
            "wait:Cancelled"
        ]
    );
    let context = json!({"late": "late"});
    let last = run_again(&engine, &again.path, json!({ "context": context })).await;
    let mut open = last.logs().await;
    open.sort();
    assert_eq!(open, ["deep:Complete", "inner:Complete", "outer:Running", "pause:Sleeping", "wait:Sleeping"]);
    engine.pass_time(4000.0).await;
    assert_eq!(last.status().await, "Complete");
    let mut steps = last.steps().await;
    steps.sort();
    assert_eq!(steps, ["behind", "deep", "inner", "outer", "pause", "paused", "wait", "waited"]);
    assert_eq!((&last.data().await["deep"], &last.data().await["behind"]), (&json!("late"), &json!(true)));

    // A step in a body goes on behind the `If`s around it.
    let chosen = json!({"from": {"step": "deep"}, "context": context});
    let chosen = run_again(&engine, &origin.path, chosen).await;
    assert_eq!(chosen.status().await, "Complete");
    assert_eq!(chosen.data().await["behind"], true);
    let mut steps = chosen.steps().await;
    steps.sort();
    assert_eq!(steps, ["behind", "deep", "inner", "outer"]);
    engine.finish().await;
}

#[tokio::test]
async fn bodies_that_were_run_once_are_not_run_by_a_re_run_of_a_re_run() {
    let engine = Engine::start().await;
    let after = json!({"passed": "{{data.gate == 'open' || noSuchFunction()}}"});
    let condition = json!({"condition": "{{true}}"});
    let steps = json!([
        {"id": "around", "stepType": "If", "inputs": condition, "outputs": after, "do": [[sample::sms("s")]]},
    ]);
    let origin = engine.run(steps, json!({"payload": {"source": "+6590001111"}})).await;
    let mut logs = origin.logs().await;
    logs.sort();
    assert_eq!(logs, ["around:Failed", "s:Complete"]);
    let first = run_again(&engine, &origin.path, json!({})).await;
    assert_eq!(first.logs().await, ["around:Failed"]);
    let second = run_again(&engine, &first.path, json!({})).await;
    assert_eq!(second.logs().await, ["around:Failed"]);
    let third = run_again(&engine, &second.path, json!({"context": open_gate()})).await;
    assert_eq!(
        (third.logs().await, third.status().await),
        (vec!["around:Complete".to_owned()], "Complete".to_owned())
    );
    assert_eq!(engine.outbox().await.len(), 1);
    engine.finish().await;
}

#[tokio::test]
async fn a_context_that_an_older_worker_changed_is_not_the_one_at_the_start() {
    let engine = Engine::start().await;
    let origin = engine.run(counted(), json!({"n": 0})).await;
    // Such a worker writes no `started_data`.
    let forget = sqlx::query("update instances set started_data = null where id = $1");
    let forget = forget.bind(instance_id(&origin.path).as_bytes().as_slice());
    assert_eq!(forget.execute(engine.app.store().pool()).await.unwrap().rows_affected(), 1);
    let start = json!({"from": "start"});
    let refused = rerun(&engine.app, &origin.path, start.clone()).await.expect_error(400, 1000);
    assert!(refused.contains("is not known"), "{refused}");
    // Nor is it known of what goes on from there.
    for from in [json!({}), json!({"from": {"step": "gate"}})] {
        let again = run_again(&engine, &origin.path, from).await;
        assert_eq!(again.logs().await, ["gate:Failed"]);
        rerun(&engine.app, &again.path, start.clone()).await.expect_error(400, 1000);
    }
    engine.finish().await;
}

#[tokio::test]
async fn another_version_goes_on_where_the_steps_are_the_same() {
    let engine = Engine::start().await;
    let definition = engine.app.define(sample::definition(counted())).await;
    let origin = engine.run_definition(&definition, json!({"n": 0})).await;
    let update = async |steps: Value| {
        let path = format!("/definitions/{definition}");
        engine.app.put(&path, sample::definition(steps)).await.expect(200);
    };
    update(json!([
        step("new", json!({})),
        {"id": "gate", "stepType": "Branch", "selectNextStep": {"end": null}},
        step("end", json!({"n": "{{data.n + 100}}"})),
    ]))
    .await;
    update(json!([{"id": "around", "stepType": "If", "do": [[gate("gate", "gate")]]}])).await;

    let second = run_again(&engine, &origin.path, json!({"version": 2})).await;
    assert_eq!((second.steps().await.len(), &second.data().await["n"]), (2, &json!(101)));
    assert_eq!(second.show().await["version"], 2);
    let start = run_again(&engine, &origin.path, json!({"from": "start", "version": 2})).await;
    assert_eq!(start.steps().await, ["new"]);
    let same = run_again(&engine, &origin.path, json!({"version": 1})).await;
    assert_eq!(same.logs().await, ["gate:Failed"]);

    let message = |why: &str| format!("Workflow {} cannot be run again: {why}.", id(&origin.path));
    for (body, why) in [
        (json!({"version": "newest"}), "step `gate` is in other `If`s in version 3"),
        (json!({"version": 3, "from": {"step": "end"}}), "version 3 has no step `end`"),
        (json!({"version": 4}), "the definition has no version 4"),
        (json!({"version": 99_999_999_999_i64}), "the definition has no version 2147483647"),
    ] {
        assert_eq!(rerun(&engine.app, &origin.path, body).await.expect_error(400, 1000), message(why));
    }
    engine.finish().await;
}

#[tokio::test]
async fn what_cannot_be_run_again_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let running = app.start_instance(&definition, json!({})).await;
    let complete = app.start_instance(&definition, json!({})).await;
    app.complete(&complete).await;
    let terminated = app.start_instance(&definition, json!({})).await;
    app.patch(&terminated, json!({"status": "terminate"})).await.expect_empty(200);
    let unfailed = "none of its steps failed: choose `start` or a step";
    for (path, body, why) in [
        (&running, json!({}), "it is Runnable, and only what has ended can be run again"),
        (&complete, json!({}), unfailed),
        (&terminated, json!({}), unfailed),
        (&complete, json!({"from": {"step": "nowhere"}}), "version 1 has no step `nowhere`"),
        (
            &complete,
            json!({"from": {"message": 1}}),
            "it is no workflow of the Workflows API, and those alone begin at a message: choose a step",
        ),
    ] {
        let message = format!("Workflow {} cannot be run again: {why}.", id(path));
        assert_eq!(rerun(&app, path, body).await.expect_error(400, 1000), message);
    }
    for body in [
        json!([]),
        json!({"from": "end"}),
        json!({"from": {}}),
        json!({"version": 0}),
        json!({"context": 1}),
        json!({"context": null}),
        json!({"context": {"accountId": "other"}}),
        json!({"context": {"a": "x".repeat(65_536)}}),
        json!({"form": "start"}),
    ] {
        rerun(&app, &complete, body).await.expect_error(400, 1000);
    }
    app.post("/instances/0123456789abcdef01234567/rerun", json!({})).await.expect_error(404, 1300);
    let (_, key) = app.other_account("other").await;
    let path = format!("/api/v1/accounts/other/instances/{}/rerun", id(&complete));
    Answer::of(app.request(Method::POST, &path).bearer_auth(key)).await.expect_error(404, 1300);
    assert_eq!(app.instances_of(&definition).await.len(), 3, "nothing was started");

    // From before what it was started with was kept: nothing of it changes its context, so that is known.
    for (started_data, status) in [("", 201), ("{\"payload\":{}}", 201)] {
        sqlx::query("update instances set started_data = $1 where id = $2")
            .bind(started_data)
            .bind(instance_id(&complete).as_bytes().as_slice())
            .execute(app.store().pool())
            .await
            .unwrap();
        rerun(&app, &complete, json!({"from": "start"})).await.expect(status);
    }
    let writing = app.define(sample::definition(counted())).await;
    let old = app.start_instance(&writing, json!({})).await;
    app.complete(&old).await;
    sqlx::query("update instances set started_data = ''").execute(app.store().pool()).await.unwrap();
    let refused = rerun(&app, &old, json!({"from": "start"})).await.expect_error(400, 1000);
    assert!(refused.contains("is not known"), "{refused}");
    rerun(&app, &old, json!({"from": {"step": "end"}})).await.expect(201);
}

#[tokio::test]
async fn a_repeated_request_starts_one_instance() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let origin = app.start_instance(&definition, json!({})).await;
    app.complete(&origin).await;
    let ask = async |body: Value| {
        let path = format!("/instances/{}/rerun", id(&origin));
        let request = app.account_request(Method::POST, &path).header("Idempotency-Key", "k").json(&body);
        Answer::of(request).await
    };
    ask(json!({})).await.expect_error(400, 1000);
    let start = || json!({"from": "start"});
    let answers = futures::future::join_all((0..6).map(|_| ask(start()))).await;
    for answer in &answers {
        assert_eq!(answer.expect(201), answers[0].json());
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    ask(json!({"from": {"step": "pong"}})).await.expect_error(409, 1000);
    assert_eq!(app.instances_of(&definition).await.len(), 2);
    let quota = QuotaChange { allowed: Some(Some(0)), overage: Some(false), overage_price: None };
    assert!(app.store().change_quota(app.account(), quota, &By::trunkline()).await.unwrap());
    assert_eq!(ask(start()).await.expect(201), answers[0].json(), "that is no new start");
}

#[tokio::test]
async fn a_re_run_belongs_to_the_trace_of_whoever_asked_for_it() {
    let engine = Engine::start().await;
    let origin = engine.run(counted(), json!({"n": 0})).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = engine
        .app
        .account_request(Method::POST, &format!("/instances/{}/rerun", id(&origin.path)))
        .header("traceparent", traceparent);
    let again = Answer::of(request.json(&json!({}))).await.expect(201);
    let trace: Option<String> =
        sqlx::query_scalar("select trace from instances where id = decode($1, 'hex')")
            .bind(again["instanceId"].as_str().unwrap())
            .fetch_one(engine.app.store().pool())
            .await
            .unwrap();
    assert_eq!(trace.as_deref(), Some(traceparent));
}
