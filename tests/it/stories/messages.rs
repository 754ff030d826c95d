//! Messages out, through the carrier's own wire (spec 3.5.1, 3.5.2, 8).

use serde_json::{Value, json};

use crate::support::{Engine, pong, sms};

fn send(destination: &str) -> Value {
    json!([{"id": "send", "stepType": "sms",
        "inputs": {"subaccountId": "acme_sms", "destination": destination, "text": "Hi {{data.who}}", "encoding": "Auto"},
        "outputs": {"umid": "{{step.umid}}", "state": "{{step.status}}", "why": "{{step.description}}",
            "to": "{{step.destination}}", "encoding": "{{step.encoding}}", "client": "{{step.clientMessageId}}"}}])
}

#[tokio::test]
async fn an_inbound_sms_gets_its_reply() {
    let engine = Engine::start().await;
    let mut definition = pong();
    definition["status"] = "enabled".into();
    let definition = engine.app.define(definition).await;
    engine.sms("+6590001111", "ping").await;
    let run = engine.newest(&definition).await.unwrap();
    assert_eq!(run.logs().await, ["pong:Complete"]);
    let outbox = engine.outbox().await;
    assert_eq!(outbox.len(), 1);
    assert_eq!((&outbox[0]["destination"], &outbox[0]["body"]), (&json!("+6590001111"), &json!("Pong")));
    assert_eq!(outbox[0]["idempotencyKey"], run.show().await["logs"][0]["id"]);
    engine.finish().await;
}

#[tokio::test]
async fn c_036_c_160_c_161_an_sms_exposes_what_the_platform_answered() {
    let engine = Engine::start().await;
    let run = engine.run(send("+6590001111"), json!({"who": "Mei"})).await;
    let outbox = engine.outbox().await;
    assert_eq!((&outbox[0]["body"], &outbox[0]["subAccountId"]), (&json!("Hi Mei"), &json!("acme_sms")));
    let data = run.data().await;
    assert_eq!((&data["umid"], &data["state"]), (&outbox[0]["umid"], &json!("QUEUED")));
    assert!(data["why"].is_string() && data["encoding"].is_string() && data["to"].is_string());
    assert_eq!(data["client"], outbox[0]["clientMessageId"]);

    let mut untyped = sms("untyped");
    untyped.as_object_mut().unwrap().remove("stepType");
    let run = engine.run(json!([untyped]), json!({"payload": {"source": "+6590002222"}})).await;
    assert_eq!(run.logs().await, ["untyped:Complete"]);
    assert_eq!(engine.outbox().await.len(), 2);
    engine.finish().await;
}

#[tokio::test]
async fn c_162_a_refused_sms_faults_with_the_platforms_words() {
    let engine = Engine::start().await;
    let error = engine.run(send("+6590000400"), json!({})).await.error().await;
    assert!(error.starts_with("Failed to send SMS because ") && error.contains("Error id: "), "{error}");
    assert!(engine.outbox().await.is_empty());
    let rejected = engine.run(send("+6590000999"), json!({})).await;
    assert_eq!(rejected.data().await["state"], "REJECTED", "a rejected message is no fault");
    let missing = json!([{"id": "send", "inputs": {"subAccountId": "{{data.no}}", "destination": "+6590001111", "text": "x"}}]);
    assert_eq!(engine.run(missing, json!({})).await.error().await, "Invalid subaccount id.");
    engine.finish().await;
}

/// 429 is certainly not sent: the job waits as long as it is told and tries again with the same key.
#[tokio::test]
async fn too_many_requests_are_waited_out() {
    let engine = Engine::start().await;
    let run = engine.run(send("+6590000429"), json!({})).await;
    assert_eq!(run.status().await, "Complete");
    assert_eq!(engine.outbox().await.len(), 1);
    let (attempt,): (i32,) =
        sqlx::query_as("select attempt from steps").fetch_one(engine.app.store().pool()).await.unwrap();
    assert_eq!(attempt, 2);
    engine.finish().await;
}

#[tokio::test]
async fn c_163_c_164_c_165_a_chat_message_goes_out_and_its_state_comes_back() {
    let engine = Engine::start().await;
    let chat = |number: &str| {
        json!([{"id": "send", "stepType": "ChatAppsMessage",
            "inputs": {"subAccountId": "acme_chat", "user": {"msisdn": number}, "type": "text",
                "content": {"text": "{{data.text}}", "sms": {"encoding": "AUTO"}}},
            "outputs": {"state": "{{step.status}}", "umid": "{{step.umid}}"}}])
    };
    let run = engine.run(chat("+6590001111"), json!({"text": "Pick 1 or 2"})).await;
    let outbox = engine.outbox().await;
    assert_eq!(
        (&outbox[0]["body"], &outbox[0]["subAccountId"]),
        (&json!("Pick 1 or 2"), &json!("acme_chat"))
    );
    assert_eq!(run.data().await["umid"], outbox[0]["umid"]);
    assert_eq!(run.data().await["state"], "queued");
    let error = engine.run(chat("+6590000400"), json!({"text": "x"})).await.error().await;
    assert!(
        error.starts_with("Failed to send chat apps message because ") && error.contains(". Error id: "),
        "{error}"
    );
    engine.finish().await;
}

#[tokio::test]
async fn a_chat_message_gets_its_reply_on_the_same_channel() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "reply", "stepType": "ChatAppsMessage",
        "inputs": {"subAccountId": "{{data.subAccountId}}", "user": {"msisdn": "{{data.payload.user.msisdn}}"},
            "type": "Text", "content": {"text": "You wrote {{data.payload.content.text}}"}}}]);
    let definition = json!({"trigger": "inbound_chat_apps", "status": "enabled", "subAccountId": "acme_chat",
        "definition": {"name": "Echo", "steps": steps}});
    let id = engine.app.define(definition).await;
    engine.chat(json!({"from": "+6590001111", "to": "acme", "text": "menu"})).await;
    assert_eq!(engine.newest(&id).await.unwrap().status().await, "Complete");
    assert_eq!(engine.outbox().await[0]["body"], "You wrote menu");
    engine.finish().await;
}
