//! The extension `retry`, and what an installation decides about failures.

use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_workers::{Rules, TextAnswers};
use trunkline_workflow::retry::RetryPolicy;

use crate::support::{Engine, until};

const SMS: &str = "/api/v1/subaccounts/acme_sms/messages";

fn call(engine: &Engine, retry: Value) -> Value {
    json!([{"id": "call", "stepType": "HttpRequest", "inputs": {"url": format!("{}/flaky", engine.endpoint.url), "method": "GET"},
        "outputs": {"code": "{{step.responseCode}}"}, "retry": retry}])
}

fn send(retry: Value) -> Value {
    let mut step = json!({"id": "send", "stepType": "SMS",
        "inputs": {"subAccountId": "acme_sms", "destination": "+6590001111", "text": "hi"},
        "outputs": {"umid": "{{step.umid}}"}});
    if !retry.is_null() {
        step["retry"] = retry;
    }
    json!([step])
}

fn quickly(attempts: i32) -> Value {
    json!({"maxAttempts": attempts, "initialInterval": "00:00:00.01", "maxInterval": "00:00:00.02"})
}

#[tokio::test]
async fn an_answer_that_says_later_is_asked_for_again_and_the_last_one_stands() {
    let engine = Engine::start().await;
    let unavailable = (503, json!({"down": true}));
    engine.endpoint.script("/flaky", &[unavailable.clone(), unavailable.clone(), (200, json!({}))]);
    let run = engine.run(call(&engine, quickly(5)), json!({})).await;
    assert_eq!(run.data().await["code"], 200);
    assert_eq!(run.logs().await, ["call:Complete"]);
    let received = engine.endpoint.received();
    assert_eq!(received.len(), 3);
    let keys: Vec<_> = received.iter().map(|request| request.header("idempotency-key")).collect();
    assert!(keys.windows(2).all(|pair| pair[0].is_some() && pair[0] == pair[1]));

    engine.endpoint.script("/flaky", std::slice::from_ref(&unavailable));
    let run = engine.run(call(&engine, quickly(3)), json!({})).await;
    assert_eq!((run.status().await, run.data().await["code"].clone()), ("Complete".to_owned(), json!(503)));
    assert_eq!(engine.endpoint.received().len(), 6);

    // Without the extension a code is an answer like any other (U-02).
    let run = engine.run(call(&engine, Value::Null), json!({})).await;
    assert_eq!(run.data().await["code"], 503);
    assert_eq!(engine.endpoint.received().len(), 7);
    engine.finish().await;
}

#[tokio::test]
async fn a_send_that_failed_is_tried_again_where_the_step_asks_for_it_and_then_faults() {
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    let broken = (500, json!({"code": 2000, "message": "Internal server error", "errorId": "e-1"}));
    let taken = (200, json!({"umid": "u-1", "status": {"code": "QUEUED"}}));
    engine.endpoint.script(SMS, &[broken.clone(), taken]);
    let run = engine.run(send(quickly(2)), json!({})).await;
    assert_eq!(run.data().await["umid"], "u-1", "{:?}", run.errors().await);

    engine.endpoint.script(SMS, std::slice::from_ref(&broken));
    let before = engine.endpoint.received().len();
    let run = engine.run(send(quickly(3)), json!({})).await;
    assert_eq!(run.error().await, "Failed to send SMS because Internal server error. Error id: e-1");
    assert_eq!(engine.endpoint.received().len(), before + 3);

    // Without the extension nothing is repeated that may have been accepted (U-01).
    let run = engine.run(send(Value::Null), json!({})).await;
    assert_eq!(run.status().await, "Terminated");
    assert_eq!(engine.endpoint.received().len(), before + 4);
    engine.finish().await;
}

#[tokio::test]
async fn an_installation_may_retry_all_sends_and_keep_texts() {
    let mut engine = Engine::start().await;
    engine.stop_worker().await;
    engine.start_worker_with_rules(Rules {
        send_retry: Some(RetryPolicy::read(&quickly(6)).unwrap()),
        text_answers: TextAnswers::Keep,
        ..Rules::default()
    });
    engine.connect_endpoint(VoiceApi::Callflows).await;
    // More often than without the rule; and still nothing that may have been accepted (8.1).
    let later = (429, json!({"code": 429, "message": "Quota exceeded."}));
    let mut answers = vec![later; 5];
    answers.push((200, json!({"umid": "u-2", "status": {"code": "QUEUED"}})));
    engine.endpoint.script(SMS, &answers);
    let run = engine.run(send(Value::Null), json!({})).await;
    assert_eq!(run.data().await["umid"], "u-2", "{:?}", run.errors().await);
    engine.endpoint.script(SMS, &[(500, json!({"message": "Internal server error"}))]);
    let before = engine.endpoint.received().len();
    assert_eq!(engine.run(send(Value::Null), json!({})).await.status().await, "Terminated");
    assert_eq!(engine.endpoint.received().len(), before + 1);
    let url = format!("{}/html", engine.endpoint.url);
    let steps = json!([{"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"},
        "outputs": {"body": "{{step.responseBody}}"}}]);
    assert_eq!(engine.run(steps, json!({})).await.data().await["body"], "<html></html>");
    engine.finish().await;
}

/// Any server that a step calls may ask for anything.
#[tokio::test]
async fn an_answer_may_ask_for_five_minutes_at_most() {
    let engine = Engine::start().await;
    let url = format!("{}/much-later", engine.endpoint.url);
    let step = json!([{"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"},
        "retry": quickly(2)}]);
    let definition = engine.app.define(crate::support::definition(step)).await;
    let path = engine.app.start_instance(&definition, json!({})).await;
    let due_in = || async {
        sqlx::query_scalar::<_, f64>(
            "select extract(epoch from due_at - now())::float8 from waits where kind = 'retry'",
        )
        .fetch_optional(engine.app.store().pool())
        .await
        .unwrap()
    };
    until("the step is parked", || async { due_in().await.is_some() }).await;
    let seconds = due_in().await.unwrap();
    assert!((250.0..=300.0).contains(&seconds), "{seconds}");
    engine.pass_time(301.0).await;
    assert_eq!(engine.app.get(&path).await.expect(200)["status"], "Complete");
    engine.finish().await;
}

#[tokio::test]
async fn a_definition_that_is_sealed_with_another_key_waits_for_the_key() {
    let engine = Engine::start().await;
    let definition = engine.app.define(crate::support::pong()).await;
    let swap_steps = async |steps: String| {
        sqlx::query_scalar::<_, String>(
            "with before as (select steps from definition_versions)
             update definition_versions set steps = $1 from before returning before.steps",
        )
        .bind(steps)
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap()
    };
    let sealed = swap_steps("v1.deadbeef.AAAA".to_owned()).await;
    let data = json!({"payload": {"source": "+6590001111"}});
    let path = engine.app.start_instance(&definition, data).await;
    let note = || async {
        sqlx::query_scalar::<_, String>("select note from waits")
            .fetch_optional(engine.app.store().pool())
            .await
            .unwrap()
    };
    until("the job is put off", || async { note().await.is_some() }).await;
    assert_eq!(note().await.unwrap(), "The definition is sealed with another master key.");
    // However often it was looked for, no attempt was made.
    let put_off = async |hours: f64| {
        let before: f64 = sqlx::query_scalar(
            "update waits set due_at = now(), started_at = started_at - $1 * interval '1 hour'
             returning extract(epoch from due_at)::float8",
        )
        .bind(hours)
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
        let due = || async {
            sqlx::query_scalar::<_, f64>("select extract(epoch from due_at)::float8 from waits")
                .fetch_optional(engine.app.store().pool())
                .await
                .unwrap()
        };
        until("it is put off again", || async { due().await.is_some_and(|due| due > before) }).await;
        sqlx::query_as::<_, (i32, f64)>(
            "select attempt, extract(epoch from due_at - now())::float8 from waits",
        )
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap()
    };
    for hours in [0.0, 0.0, 5.0] {
        let (attempt, seconds) = put_off(hours).await;
        assert_eq!(attempt, 0);
        let expected = if hours == 0.0 { 50.0..=60.0 } else { 1790.0..=1801.0 };
        assert!(expected.contains(&seconds), "{seconds}");
    }
    swap_steps(sealed).await;
    until("the definition is read", || async {
        sqlx::query("update waits set due_at = now()").execute(engine.app.store().pool()).await.unwrap();
        engine.app.get(&path).await.expect(200)["status"] == "Complete"
    })
    .await;
    engine.finish().await;
}

#[tokio::test]
async fn a_subaccount_is_looked_up_as_it_is_sent() {
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    let settings = json!({"smsUrl": engine.endpoint.url});
    let connector = NewConnector {
        account: engine.app.account(),
        kind: ConnectorKind::EightByEight,
        subaccount: Some("sub_own"),
        settings: &settings,
        secret: Some("own-key"),
    };
    assert!(engine.app.store().set_connector(connector, &By::trunkline()).await.unwrap());
    let path = "/api/v1/subaccounts/sub_own/messages";
    engine.endpoint.script(path, &[(200, json!({"umid": "u-1", "status": {"code": "QUEUED"}}))]);
    let send_as = async |subaccount: &str| {
        let mut steps = send(Value::Null);
        steps[0]["inputs"]["subAccountId"] = "{{data.sub.replace('NUL', String.fromCharCode(0))}}".into();
        engine.run(steps, json!({"sub": subaccount})).await
    };
    assert_eq!(send_as(" sub_own ").await.status().await, "Complete");
    let request = engine.endpoint.received().pop().unwrap();
    assert_eq!((request.target.as_str(), request.header("authorization")), (path, Some("Bearer own-key")));
    // What no subaccount can be called holds nobody up.
    for wrong in ["abcNULd", "a/b", "  "] {
        assert_eq!(send_as(wrong).await.error().await, "Invalid subaccount id.", "{wrong:?}");
    }
    engine.finish().await;
}
