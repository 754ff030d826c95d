//! Workflows are run again, suspended, terminated and looked at as the instances that they are.

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use trunkline_store::dispatches::{DEFINITION, MESSAGE_DEFINITION};

use super::dispatches::{Desk, MESSAGES, workflow};
use super::site::expect_accepted;
use crate::support::{Answer, until};

const FIRST: &str = "Grüße 📦";
const SECOND: &str = "Your parcel is here";

/// A workflow, and the instance that it is.
struct Started {
    dispatch: String,
    instance: String,
}

impl Desk {
    async fn start(&self) -> Started {
        let accepted = self.post_as(&self.token, "/v0.1/dispatch", &workflow().to_string()).await;
        let dispatch = expect_accepted(&accepted)["dispatch_uuid"].as_str().unwrap().to_owned();
        self.engine.run_until_idle().await;
        let instance = self.shown(&dispatch).await["workflow_id"].as_str().unwrap().to_owned();
        Started { dispatch, instance }
    }

    /// Neither of its messages gets through.
    async fn start_in_vain(&self) -> Started {
        let started = self.start().await;
        self.say_of_last("undeliverable").await;
        self.say_of_last("undeliverable").await;
        assert_eq!(self.shown(&started.dispatch).await["status"], "error");
        started
    }

    async fn shown(&self, dispatch: &str) -> Value {
        let path = format!("/v0.1/dispatch/{dispatch}");
        let request = self.engine.app.request(Method::GET, &path).header(AUTHORIZATION, &self.secret);
        Answer::of(request).await.expect(200)
    }

    /// The texts of the messages that were handed in, with their ids.
    fn handed_in(&self) -> Vec<(String, String)> {
        let bodies = self.engine.endpoint.bodies_at(MESSAGES);
        let text = |body: &Value| body["message"]["content"]["text"].as_str().unwrap().to_owned();
        bodies.iter().map(|body| (text(body), body["client_ref"].as_str().unwrap().to_owned())).collect()
    }

    async fn say_of_last(&self, status: &str) {
        let (_, message) = self.handed_in().pop().unwrap();
        let mut body = json!({"message_uuid": "p", "status": status, "client_ref": message,
            "timestamp": "2026-02-03T04:05:06.117Z"});
        if status == "undeliverable" {
            body["error"] = json!({"code": 1120, "reason": "Illegal sender"});
        }
        self.engine.app.webhook_to("message-status", body).await.expect_empty(200);
        self.engine.run_until_idle().await;
    }

    async fn rerun(&self, instance: &str, body: Value) -> Answer {
        self.engine.app.post(&format!("/instances/{instance}/rerun"), body).await
    }

    /// What was handed in since there were so many.
    async fn run_again(&self, origin: &Started, body: Value) -> (Started, Vec<(String, String)>) {
        let before = self.handed_in().len();
        let answer = self.rerun(&origin.instance, body).await.expect(201);
        self.engine.run_until_idle().await;
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        let started = Started { dispatch: text("dispatchUuid"), instance: text("instanceId") };
        (started, self.handed_in().split_off(before))
    }

    /// What was told of a workflow and its messages, once it is so much.
    async fn told_of(&self, dispatch: &str, count: usize) -> Vec<Value> {
        let of_it = |body: &Value| {
            body["dispatch_uuid"] == dispatch || body["_links"]["dispatch"]["dispatch_uuid"] == dispatch
        };
        let told = || -> Vec<Value> {
            self.engine.endpoint.bodies_at("/application").into_iter().filter(of_it).collect()
        };
        until("all is told", || async { told().len() >= count }).await;
        told()
    }
}

/// By the alphabet: what is told of different messages has no order.
fn statuses(told: &[Value]) -> Vec<&str> {
    let mut statuses: Vec<&str> = told.iter().map(|body| body["status"].as_str().unwrap()).collect();
    statuses.sort_unstable();
    statuses
}

/// Of the workflow's end.
fn report(told: &[Value]) -> &Value {
    told.iter().find(|body| body.get("template").is_some()).unwrap()
}

#[tokio::test]
async fn a_workflow_that_failed_is_run_again_as_one_of_its_own() {
    let desk = Desk::open().await;
    let origin = desk.start_in_vain().await;
    let told_of_origin = desk.told_of(&origin.dispatch, 5).await;
    let executed = async || {
        desk.engine.app.get("/usage").await.expect(200)[0]["executedWorkflowCount"].as_i64().unwrap()
    };
    assert_eq!(executed().await, 1);

    let (start, sent) = desk.run_again(&origin, json!({"from": "start"})).await;
    assert_eq!(sent.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), [FIRST]);
    desk.say_of_last("undeliverable").await;
    desk.say_of_last("delivered").await;
    let told = desk.told_of(&start.dispatch, 5).await;
    let expected = ["completed", "delivered", "submitted", "submitted", "undeliverable"];
    assert_eq!(statuses(&told), expected);
    assert_eq!(report(&told)["_links"]["messages"].as_array().unwrap().len(), 2);

    let (second, sent) = desk.run_again(&origin, json!({"from": {"message": 2}})).await;
    assert_eq!(sent.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), [SECOND]);
    desk.say_of_last("delivered").await;
    let told = desk.told_of(&second.dispatch, 3).await;
    assert_eq!(statuses(&told), ["completed", "delivered", "submitted"]);
    let of_message = told.iter().find(|body| body["status"] == "delivered").unwrap();
    let expected = (&json!(sent[0].1), &json!("order-8812"));
    assert_eq!((&of_message["message_uuid"], &of_message["client_ref"]), expected);
    assert_eq!(report(&told)["_links"]["messages"].as_array().unwrap().len(), 1);

    // The one that failed is the last.
    let (failed, sent) = desk.run_again(&origin, json!({})).await;
    assert_eq!(sent.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), [SECOND]);
    desk.say_of_last("undeliverable").await;
    assert_eq!(statuses(&desk.told_of(&failed.dispatch, 3).await), ["error", "submitted", "undeliverable"]);
    let (again, _) = desk.run_again(&failed, json!({"from": "start"})).await;
    assert_eq!(desk.handed_in().pop().unwrap().0, FIRST, "from the start of all");
    desk.say_of_last("read").await;
    desk.told_of(&again.dispatch, 3).await;

    let told = desk.told_of(&origin.dispatch, 5).await;
    assert_eq!(told, told_of_origin, "nothing more is told of the origin");
    let mut ids: Vec<_> = desk.handed_in().into_iter().map(|(_, id)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), desk.handed_in().len(), executed().await), (7, 7, 5));

    let shown = desk.shown(&origin.dispatch).await;
    assert_eq!(shown["reruns"], json!([start.dispatch, second.dispatch, failed.dispatch]));
    assert_eq!((&shown["rerun_of"], &shown["status"]), (&json!(null), &json!("error")));
    let shown = desk.shown(&failed.dispatch).await;
    assert_eq!((&shown["rerun_of"], &shown["reruns"]), (&json!(origin.dispatch), &json!([again.dispatch])));
    let shown = desk.engine.app.get(&format!("/instances/{}", second.instance)).await.expect(200);
    let link = &shown["origin"];
    assert_eq!(
        (&link["instanceId"], &link["dispatchUuid"]),
        (&json!(origin.instance), &json!(origin.dispatch))
    );
    assert_eq!(link["choice"], json!({"from": {"message": 2}, "version": "same"}));
    assert_eq!(shown["dispatches"], json!([second.dispatch]));
    let noted = &desk.engine.app.get("/audit?action=instance.rerun").await.expect(200)[0];
    assert_eq!(
        (&noted["object"], &noted["detail"]["dispatch"]),
        (&json!(failed.instance), &json!(again.dispatch))
    );

    for (instance, body, why) in [
        (&origin, json!({"from": {"message": 3}}), "it has 2 messages, and none is number 3"),
        (
            &origin,
            json!({"from": {"step": "message"}}),
            "it is a workflow of the Workflows API: choose one of its messages, not a step",
        ),
        (
            &origin,
            json!({"from": "start", "context": {"workflow": []}}),
            "what the Workflows API was asked to send was checked there and cannot be replaced",
        ),
        (&origin, json!({"from": "start", "version": 2}), "the definition has no version 2"),
        (&second, json!({}), "it did not fail: choose `start` or a message"),
    ] {
        let message = desk.rerun(&instance.instance, body).await.expect_error(400, 1000);
        assert_eq!(message, format!("Workflow {} cannot be run again: {why}.", instance.instance));
    }
    assert_eq!(desk.handed_in().len(), 7);
    desk.engine.finish().await;
}

#[tokio::test]
async fn a_workflow_is_looked_at_suspended_and_terminated_as_an_instance() {
    let desk = Desk::open().await;
    let (app, engine) = (&desk.engine.app, &desk.engine);
    let workflow = desk.start().await;
    let run = engine.at(format!("/definitions/{DEFINITION}/workflows/{}", workflow.instance));
    assert_eq!(run.logs().await, ["message:Complete", "status:WaitingForEvent"]);
    let shown = app.get(&format!("/instances/{}", workflow.instance)).await.expect(200);
    assert_eq!(shown["steps"][0]["messages"][0]["id"], desk.handed_in()[0].1);
    let search = format!("/instances?definitionId={DEFINITION}&status=runnable");
    assert_eq!(app.get(&search).await.expect(200)["items"][0]["instanceId"], workflow.instance);

    run.command("suspend").await;
    engine.pass_time(601.0).await;
    assert_eq!((desk.handed_in().len(), run.status().await.as_str()), (1, "Suspended"));
    run.command("resume").await;
    assert_eq!(desk.handed_in().len(), 2, "its time had passed meanwhile");
    run.command("terminate").await;
    assert_eq!(desk.shown(&workflow.dispatch).await["status"], "cancelled");
    assert_eq!(run.logs().await.last().unwrap(), "status:Cancelled");

    desk.rerun(&workflow.instance, json!({})).await.expect_error(400, 1000);
    let (again, sent) = desk.run_again(&workflow, json!({"from": {"message": 2}})).await;
    assert_eq!(sent[0].0, SECOND);
    let refused = desk.rerun(&again.instance, json!({"from": "start"})).await.expect_error(400, 1000);
    assert!(refused.contains("it is Runnable"), "{refused}");
    desk.say_of_last("delivered").await;
    assert_eq!(desk.shown(&again.dispatch).await["status"], "completed");
    sqlx::query("delete from dispatches where id = $1::uuid")
        .bind(&again.dispatch)
        .execute(app.store().pool())
        .await
        .unwrap();
    let refused = desk.rerun(&again.instance, json!({"from": "start"})).await.expect_error(400, 1000);
    assert!(refused.ends_with("the workflow that it is was removed."), "{refused}");
    // Nobody starts it by hand, or changes it: what it sends is checked where it is asked for.
    for path in [format!("/definitions/{DEFINITION}/workflows"), format!("/definitions/{DEFINITION}")] {
        let put = app.account_request(if path.ends_with('s') { Method::POST } else { Method::PUT }, &path);
        Answer::of(put.json(&json!({}))).await.expect_status(403);
    }
    desk.engine.finish().await;
}

#[tokio::test]
async fn a_message_by_itself_is_sent_again_as_it_was() {
    let desk = Desk::open().await;
    let body = workflow()["workflow"][1].to_string();
    expect_accepted(&desk.post(MESSAGES, &body).await);
    desk.engine.run_until_idle().await;
    let search = format!("/instances?definitionId={MESSAGE_DEFINITION}");
    let found = desk.engine.app.get(&search).await.expect(200);
    let instance = found["items"][0]["instanceId"].as_str().unwrap();
    let edited = json!({"from": "start", "context": {"message": {"channel": "sms"}}});
    let refused = desk.rerun(instance, edited).await.expect_error(400, 1000);
    assert!(refused.contains("cannot be replaced"), "{refused}");
    let started = desk.rerun(instance, json!({"from": "start"})).await.expect(201);
    assert!(started.get("dispatchUuid").is_none(), "{started}");
    desk.engine.run_until_idle().await;
    let [(first, id), (second, other)] = &desk.handed_in()[..] else { panic!("two messages") };
    assert!(first == second && id != other, "{id} {other}");
    desk.engine.finish().await;
}

#[tokio::test]
async fn a_workflow_of_the_first_era_is_run_again_as_one() {
    let desk = Desk::open().await;
    let mut body = workflow();
    body["workflow"].as_array_mut().unwrap().remove(0);
    let accepted = expect_accepted(&desk.post("/beta/workflows", &body.to_string()).await);
    desk.engine.run_until_idle().await;
    desk.say_of_last("undeliverable").await;
    let shown = desk.shown(accepted["workflow_uuid"].as_str().unwrap()).await;
    let instance = shown["workflow_id"].as_str().unwrap();
    let again = desk.rerun(instance, json!({})).await.expect(201);
    desk.engine.run_until_idle().await;
    desk.say_of_last("delivered").await;
    let told = desk.told("/account", 6).await;
    let of_again = |body: &&Value| {
        body["workflow_uuid"] == again["dispatchUuid"]
            || body["_links"]["workflow"]["workflow_uuid"] == again["dispatchUuid"]
    };
    let of_again: Vec<Value> = told.iter().filter(of_again).cloned().collect();
    assert_eq!(statuses(&of_again), ["completed", "delivered", "submitted"]);
    desk.engine.finish().await;
}

#[tokio::test]
async fn a_batch_runs_workflows_again_that_failed() {
    let desk = Desk::open().await;
    let app = &desk.engine.app;
    let origins = [desk.start_in_vain().await, desk.start_in_vain().await];
    // Of those that did not fail nothing is asked.
    desk.start().await;
    desk.say_of_last("read").await;
    desk.start().await;
    let sent = desk.handed_in().len();
    let filter = json!({"definitionId": DEFINITION, "status": "complete", "context": {"isMet": false}});
    let body = json!({"action": "rerun", "filter": filter, "rerun": {"from": {"message": 2}}});
    let path =
        format!("/batches/{}", app.post("/batches", body).await.expect(201)["batchId"].as_str().unwrap());
    until("it is done", || async { app.get(&path).await.expect(200)["state"] == "done" }).await;
    desk.engine.run_until_idle().await;
    let progress = &app.get(&path).await.expect(200)["progress"];
    assert_eq!((&progress["total"], &progress["done"]), (&json!(2), &json!(2)));
    for origin in &origins {
        let reruns = desk.shown(&origin.dispatch).await["reruns"].clone();
        assert_eq!(desk.shown(reruns[0].as_str().unwrap()).await["rerun_of"], origin.dispatch);
    }
    let texts: Vec<_> = desk.handed_in().into_iter().skip(sent).map(|(text, _)| text).collect();
    assert_eq!(texts, [SECOND, SECOND]);
    desk.engine.finish().await;
}
