//! What becomes of sent messages: states that are kept, waits for them, definitions that they start.

use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;

use crate::support::{Engine, enabled, inbound_sms, sample, until};

const SMS: &str = "/api/v1/subaccounts/acme_sms/messages";
const UMID: &str = "0D9C2F60-1111-4A2B-9D3E-5B1F0A7C8E21";

fn accepted(umid: &str) -> Value {
    json!({"umid": umid, "destination": "6590001111", "encoding": "GSM7",
        "status": {"code": "QUEUED", "description": "SMS is accepted and queued for processing"}})
}

/// Sends, then waits for a receipt with one of `states`.
fn sends_and_waits(states: Value) -> Value {
    json!([
        {"id": "send", "stepType": "SMS", "inputs": {"subAccountId": "acme_sms", "destination": "+6590001111", "text": "hi"},
            "outputs": {"umid": "{{step.umid}}"}, "nextStepId": "wait"},
        {"id": "wait", "stepType": "WaitForReceipt",
            "inputs": {"umid": "{{data.umid}}", "states": states, "timeout": "00:05:00"},
            "outputs": {"receipt": "{{step.receipt}}", "state": "{{step.receipt.payload.status.state}}"},
            "selectNextStep": {"came": "{{step.receipt != null}}", "silence": null}},
        {"id": "came", "stepType": "If"},
        {"id": "silence", "stepType": "If"},
    ])
}

async fn engine() -> Engine {
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    engine.endpoint.script(SMS, &[(200, accepted(UMID))]);
    engine
}

#[tokio::test]
async fn a_receipt_with_an_awaited_state_resumes_with_the_whole_webhook() {
    let engine = engine().await;
    let run = engine.run(sends_and_waits(json!(["undelivered", "Failed"])), json!({})).await;
    assert_eq!(run.logs().await, ["send:Complete", "wait:WaitingForEvent"]);
    for state in ["sent", "delivered"] {
        engine.app.webhook(sample::receipt(&UMID.to_lowercase(), state)).await.expect_empty(200);
        engine.run_until_idle().await;
        assert_eq!(run.status().await, "Runnable", "{state}");
    }
    let receipt = sample::receipt(UMID, "undelivered");
    engine.app.webhook(receipt.clone()).await.expect_empty(200);
    engine.run_until_idle().await;
    assert_eq!(run.steps().await, ["send", "wait", "came"]);
    assert_eq!(run.data().await["receipt"], receipt);
    engine.finish().await;
}

#[tokio::test]
async fn without_a_receipt_the_wait_ends_with_null() {
    let engine = engine().await;
    let run = engine.run(sends_and_waits(json!("undelivered")), json!({})).await;
    engine.pass_time(301.0).await;
    assert_eq!(run.logs().await, ["send:Complete", "wait:Cancelled", "silence:Complete"]);
    assert_eq!(run.data().await["receipt"], Value::Null);
    engine.finish().await;
}

#[tokio::test]
async fn a_receipt_that_comes_before_the_sends_own_answer_is_joined_later() {
    let engine = engine().await;
    engine.endpoint.hold_answers();
    let definition = engine.app.define(crate::support::definition(sends_and_waits(Value::Null))).await;
    let path = engine.app.start_instance(&definition, json!({})).await;
    until("the message is handed in", || async { !engine.endpoint.received().is_empty() }).await;
    engine.app.webhook(sample::receipt(UMID, "delivered")).await.expect_empty(200);
    let id = UMID.to_lowercase();
    let state =
        || async { engine.app.store().message_state(engine.app.account(), &id).await.unwrap().unwrap() };
    assert_eq!((state().await.state.as_str(), state().await.instance_id), ("delivered", None));
    engine.endpoint.give_answers();
    engine.run_until_idle().await;
    // Joined: who sent it is known, and its state did not go back.
    let joined = state().await;
    assert_eq!((joined.state.as_str(), joined.n), ("delivered", Some(1)));
    let instance = crate::support::instance_id(&path);
    assert_eq!(joined.instance_id.as_deref(), Some(&instance.as_bytes()[..]));
    let shown = engine.app.get(&path).await.expect(200);
    assert_eq!((&shown["status"], &shown["data"]["state"]), (&json!("Complete"), &json!("delivered")));
    engine.finish().await;
}

/// No receipt need follow a message that was not even taken, so nobody waits for one.
#[tokio::test]
async fn an_answer_that_the_message_is_rejected_is_its_receipt() {
    let engine = engine().await;
    let started = engine.app.define(enabled("delivery_receipt", None)).await;
    let mut rejected = accepted(UMID);
    rejected["status"] = json!({"code": "REJECTED", "description": "Invalid destination"});
    engine.endpoint.script(SMS, &[(200, rejected)]);
    let run = engine.run(sends_and_waits(json!(["delivered", "rejected"])), json!({})).await;
    assert_eq!(run.logs().await, ["send:Complete", "wait:Complete", "came:Complete"]);
    let payload = run.data().await["receipt"]["payload"].clone();
    assert_eq!((&payload["umid"], &payload["status"]["state"]), (&json!(UMID), &json!("rejected")));
    assert_eq!(payload["status"]["errorMessage"], "Invalid destination");
    assert!(engine.app.instances_of(&started).await.is_empty());
    engine.finish().await;
}

#[tokio::test]
async fn a_receipt_starts_the_definitions_that_ask_for_it_once() {
    let engine = engine().await;
    let definition = engine.app.define(enabled("delivery_receipt", None)).await;
    let elsewhere = engine.app.define(enabled("delivery_receipt", Some("other"))).await;
    let messages = engine.app.define(enabled("inbound_sms", None)).await;
    let receipt = sample::receipt(UMID, "delivered");
    for _ in 0..2 {
        engine.app.webhook(receipt.clone()).await.expect_empty(200);
    }
    engine.app.webhook(inbound_sms("m-1", "acme_sms")).await.expect_empty(200);
    engine.run_until_idle().await;
    let instances = engine.app.instances_of(&definition).await;
    assert_eq!(instances.len(), 1);
    assert_eq!(instances[0]["data"]["payload"], receipt["payload"]);
    assert_eq!(instances[0]["data"]["subAccountId"], "acme_sms");
    assert!(engine.app.instances_of(&elsewhere).await.is_empty());
    assert_eq!(engine.app.instances_of(&messages).await.len(), 1);
    engine.finish().await;
}

#[tokio::test]
async fn states_that_are_no_states_fault_the_step() {
    let engine = engine().await;
    let run = engine.run(sends_and_waits(json!("{{[]}}")), json!({})).await;
    assert_eq!(run.error().await, "Step 'wait': input 'states' must be a state or an array of states.");
    engine.finish().await;
}

#[tokio::test]
async fn ids_of_messages_match_in_any_letter_case() {
    let engine = engine().await;
    engine.endpoint.script(SMS, &[(200, accepted("Msg-AbC-3"))]);
    let run = engine.run(sends_and_waits(json!("delivered")), json!({})).await;
    engine.app.webhook(sample::receipt("Msg-AbC-3", "delivered")).await.expect_empty(200);
    engine.run_until_idle().await;
    assert_eq!(run.steps().await, ["send", "wait", "came"]);
    engine.finish().await;
}
