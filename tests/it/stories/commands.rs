//! Suspend, resume, terminate while things happen (spec 5.5).

use serde_json::{Value, json};

use crate::support::{Engine, Run, until};

fn two_waits() -> Value {
    json!([
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "01:00:00"}, "nextStepId": "after"},
        {"id": "after", "stepType": "If", "outputs": {"done": "{{true}}"}},
    ])
}

#[tokio::test]
async fn c_117_c_118_c_124_c_125_a_wait_that_ran_out_while_suspended_goes_on_at_resume() {
    let engine = Engine::start().await;
    let run = engine.run(two_waits(), json!({})).await;
    run.command("suspend").await;
    assert_eq!(run.status().await, "Suspended");
    engine.pass_time(3600.0).await;
    let waits =
        || sqlx::query_scalar::<_, i64>("select count(*) from waits").fetch_one(engine.app.store().pool());
    until("the timer has run out", || async { waits().await.unwrap() == 0 }).await;
    assert_eq!(run.logs().await, ["pause:Sleeping"], "nothing runs");
    assert_eq!(run.status().await, "Suspended");
    assert!(run.steps().await.is_empty(), "a suspended instance executes nothing");
    run.command("resume").await;
    assert_eq!(run.logs().await, ["pause:Complete", "after:Complete"]);
    engine.finish().await;
}

#[tokio::test]
async fn c_126_a_reply_during_suspension_is_used_after_resume() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "ask", "stepType": "WaitForReply", "inputs": {"from": "+6590001111", "channel": "sms"},
        "outputs": {"answer": "{{step.reply.payload.body}}"}}]);
    let run = engine.run(steps, json!({})).await;
    run.command("suspend").await;
    engine.sms("+6590001111", "kept").await;
    assert_eq!(run.data().await["answer"], Value::Null);
    engine.pass_time(90_000.0).await;
    run.command("resume").await;
    assert_eq!((run.status().await.as_str(), &run.data().await["answer"]), ("Complete", &json!("kept")));
    engine.finish().await;
}

#[tokio::test]
async fn a_deadline_that_passes_during_suspension_counts() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "ask", "stepType": "WaitForReply",
        "inputs": {"from": "+6590001111", "channel": "sms", "timeout": "00:00:10"}}]);
    let run = engine.run(steps, json!({})).await;
    run.command("suspend").await;
    engine.pass_time(10.0).await;
    run.command("resume").await;
    assert_eq!(run.logs().await, ["ask:Cancelled"]);
    engine.finish().await;
}

/// Suspends, then answers the call that the step was waiting for.
#[tokio::test]
async fn c_124_a_running_step_finishes_and_its_successor_waits() {
    let engine = Engine::start().await;
    let url = format!("{}/hangs", engine.endpoint.url);
    let steps = json!([
        {"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET", "timeoutSeconds": 1},
            "selectNextStep": {"next": "{{true}}"}},
        {"id": "next", "stepType": "If"},
    ]);
    let definition = engine.app.define(crate::support::definition(steps)).await;
    let path = engine.app.start_instance(&definition, json!({})).await;
    until("the call is made", || async { !engine.endpoint.received().is_empty() }).await;
    let logs = engine.app.get(&format!("{path}?includeLogs=true")).await.expect(200)["logs"].clone();
    assert_eq!(logs[0]["status"], "Running");
    engine.app.patch(&path, json!({"status": "suspend"})).await.expect_empty(200);
    engine.run_until_idle().await;
    // The hanging call faults, and a fault ends the instance whether it is suspended or not.
    assert_eq!(engine.app.get(&path).await.expect(200)["status"], "Terminated");
    engine.finish().await;
}

#[tokio::test]
async fn c_119_c_120_c_121_c_127_terminate_cancels_what_is_open() {
    let engine = Engine::start().await;
    for suspended in [false, true] {
        let run = engine.run(two_waits(), json!({})).await;
        if suspended {
            run.command("suspend").await;
        }
        run.command("terminate").await;
        let show = run.show().await;
        assert_eq!(show["status"], "Terminated");
        assert_eq!(run.logs().await, ["pause:Cancelled"]);
        assert_eq!(show["logs"][0]["completedAt"], show["completedAt"]);
        assert_eq!(run.errors().await, Vec::<Value>::new());
        refused(&engine, &run, "Terminated").await;
    }
    let complete = engine.run(json!([{"id": "end", "stepType": "If"}]), json!({})).await;
    refused(&engine, &complete, "Complete").await;
    engine.finish().await;
}

async fn refused(engine: &Engine, run: &Run<'_>, status: &str) {
    let id = run.path.rsplit('/').next().unwrap();
    for (command, participle) in
        [("suspend", "suspended"), ("resume", "resumed"), ("terminate", "terminated")]
    {
        let message = engine.app.patch(&run.path, json!({"status": command})).await.expect_error(400, 1000);
        assert_eq!(message, format!("Workflow {id} cannot be {participle} because it is {status}."));
    }
}

/// The step's answer comes after the instance was terminated: it is dropped.
#[tokio::test]
async fn nothing_follows_a_terminated_step() {
    let engine = Engine::start().await;
    let url = format!("{}/hangs", engine.endpoint.url);
    let steps = json!([{"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": url, "method": "GET", "timeoutSeconds": 1}}]);
    let definition = engine.app.define(crate::support::definition(steps)).await;
    let path = engine.app.start_instance(&definition, json!({})).await;
    until("the call is made", || async { !engine.endpoint.received().is_empty() }).await;
    engine.app.patch(&path, json!({"status": "terminate"})).await.expect_empty(200);
    let show = engine.app.get(&format!("{path}?includeLogs=true")).await.expect(200);
    assert_eq!(show["logs"][0]["status"], "Cancelled");
    assert_eq!(engine.app.get(&format!("{path}/errors")).await.expect(200), json!([]));
    engine.finish().await;
}
