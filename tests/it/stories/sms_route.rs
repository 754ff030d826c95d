//! SMS of workflows that go by the account's other provider (Dispatch 12).

use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_store::audit::By;
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::dispatches::NewDispatch;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_workflow::dispatch::{self, Flavour, Link};
use uuid::Uuid;

use crate::support::{Engine, enabled, sample, until};

const MESSAGES: &str = "/v0.1/messages";
const SMS: &str = "/api/v1/subaccounts/acme_sms/messages";
const STATUSES: &str = "/st";

async fn engine() -> Engine {
    let engine = Engine::start().await;
    let settings = json!({"baseUrl": engine.endpoint.url, "auth": {"type": "basic", "apiKey": "key"}, "sms": "8x8",
        "smsSubAccountId": "acme_sms"});
    engine.connect(ConnectorKind::MessagesApi, &settings, "secret").await;
    engine.endpoint.script(MESSAGES, &[(202, json!({"message_uuid": "provider-1"}))]);
    engine.endpoint.script(STATUSES, &[(204, json!(null))]);
    let store = engine.app.store();
    store.ensure_nexmo_account(engine.app.account(), "abcd1234", &By::trunkline()).await.unwrap().unwrap();
    let urls = CallbackUrls { status: Some(format!("{}{STATUSES}", engine.endpoint.url)), inbound: None };
    assert!(store.set_account_callbacks(engine.app.account(), &urls, &By::trunkline()).await.unwrap());
    engine
}

fn sms(number: &str, failover: Option<u32>) -> Value {
    let mut step = json!({"from": {"type": "sms", "number": "ACME"}, "to": {"type": "sms", "number": number},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}}});
    if let Some(seconds) = failover {
        step["failover"] = json!({"expiry_time": seconds, "condition_status": "delivered"});
    }
    step
}

fn messenger() -> Value {
    json!({"from": {"type": "messenger", "id": "1"}, "to": {"type": "messenger", "id": "2"},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}},
        "failover": {"expiry_time": 600, "condition_status": "read"}})
}

async fn start(engine: &Engine, workflow: Value) {
    let body = json!({"template": "failover", "workflow": workflow}).to_string();
    let new = NewDispatch {
        link: Link { id: Uuid::new_v4(), flavour: Flavour::Dispatch },
        account: engine.app.account().clone(),
        application: None,
        request: dispatch::parse(body.as_bytes()).unwrap(),
        parent: None,
        at: clock::now(),
    };
    engine.app.store().start_dispatch(new).await.unwrap();
    engine.run_until_idle().await;
}

/// What the platform says of a message of ours, by our reference or by its own id alone.
async fn receipt(engine: &Engine, umid: &str, reference: Option<&str>, state: &str, error: i64) {
    let mut body = sample::receipt(umid, state);
    body["payload"]["status"]["errorCode"] = json!(error);
    if let Some(reference) = reference {
        body["payload"]["clientMessageId"] = json!(reference);
    }
    engine.app.webhook(body).await.expect_empty(200);
    engine.run_until_idle().await;
}

/// What was told, once it is so much; each message's in order: message and status, the end's status alone.
async fn told(engine: &Engine, count: usize) -> Vec<Value> {
    until("all is told", || async { engine.endpoint.bodies_at(STATUSES).len() >= count }).await;
    let bodies = engine.endpoint.bodies_at(STATUSES);
    assert_eq!(bodies.len(), count, "{bodies:#?}");
    bodies
}

fn statuses_of<'a>(told: &'a [Value], message: &str) -> Vec<&'a str> {
    let of_message = told.iter().filter(|body| body["message_uuid"] == message);
    of_message.map(|body| body["status"].as_str().unwrap()).collect()
}

fn report(told: &[Value]) -> &Value {
    told.iter().find(|body| body.get("template").is_some()).unwrap_or_else(|| panic!("{told:#?}"))
}

#[tokio::test]
async fn an_sms_that_takes_over_goes_by_the_other_provider_and_its_receipts_are_statuses() {
    // Without a connector of its own, the other provider is the sandbox.
    let engine = engine().await;
    let receipts = engine.app.define(enabled("delivery_receipt", None)).await;
    start(&engine, json!([messenger(), sms("447700900020", None)])).await;
    assert_eq!(engine.endpoint.bodies_at(MESSAGES).len(), 1);
    engine.pass_time(601.0).await;
    assert_eq!(engine.endpoint.bodies_at(MESSAGES).len(), 1, "the SMS does not go there");
    let [sent] = &engine.outbox().await[..] else { panic!("one SMS") };
    assert_eq!(sent["destination"], "+447700900020", "{sent}");
    assert_eq!(
        (&sent["request"]["source"], &sent["request"]["text"]),
        (&json!("ACME"), &json!("Your parcel is here"))
    );
    let message = sent["clientMessageId"].as_str().unwrap();
    let umid = sent["umid"].as_str().unwrap();
    assert_eq!(statuses_of(&told(&engine, 2).await, message), ["submitted"]);

    receipt(&engine, umid, Some(message), "queued", 0).await;
    receipt(&engine, umid, Some(message), "something-new", 0).await;
    receipt(&engine, &umid.to_uppercase(), None, "delivered", 0).await;
    let told = told(&engine, 4).await;
    assert_eq!(statuses_of(&told, message), ["submitted", "delivered"]);
    let report = report(&told);
    assert_eq!(report["status"], "completed");
    let messages = report["_links"]["messages"].as_array().unwrap();
    let ends: Vec<_> = messages.iter().map(|message| [&message["channel"], &message["status"]]).collect();
    assert_eq!(ends, [["messenger", "submitted"], ["sms", "delivered"]]);
    // They are this message's alone.
    assert!(engine.app.instances_of(&receipts).await.is_empty());
    receipt(&engine, "m-1", Some(&Uuid::new_v4().to_string()), "delivered", 0).await;
    assert_eq!(engine.app.instances_of(&receipts).await.len(), 1);
    engine.finish().await;
}

#[tokio::test]
async fn what_the_other_provider_refuses_or_does_not_deliver_fails_over() {
    let engine = engine().await;
    engine.connect_endpoint(VoiceApi::default()).await;
    engine.endpoint.script(
        SMS,
        &[
            (400, json!({"code": 1002, "message": "Invalid MSISDN format"})),
            (200, json!({"umid": "u-2", "status": {"code": "REJECTED", "description": "No coverage"}})),
            (200, json!({"umid": "u-3", "status": {"code": "QUEUED"}})),
            (200, json!({"umid": "u-4", "status": {"code": "QUEUED"}})),
        ],
    );
    let next = Some(600);
    let numbers = ["447700900010", "447700900020", "447700900030"];
    let [first, second, third] = numbers.map(|number| sms(number, next));
    start(&engine, json!([first, second, third, sms("447700900040", None)])).await;
    let sent = engine.endpoint.bodies_at(SMS);
    let ids: Vec<String> =
        sent.iter().map(|body| body["clientMessageId"].as_str().unwrap().to_owned()).collect();
    let keys: Vec<String> = engine
        .endpoint
        .received()
        .iter()
        .filter(|request| request.target == SMS)
        .map(|request| request.header("idempotency-key").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(keys, ids, "one key for each message, the message's id");
    receipt(&engine, "u-3", Some(&ids[2]), "undelivered", 15).await;
    let [.., fourth] = &engine.endpoint.bodies_at(SMS)[..] else { panic!("the last message") };
    let fourth = fourth["clientMessageId"].as_str().unwrap();
    receipt(&engine, "u-4", Some(fourth), "rejected", 57).await;
    let told = told(&engine, 7).await;
    for (id, statuses, code) in [
        (&ids[0][..], &["rejected"][..], 1170),
        (&ids[1], &["rejected"], 1330),
        (&ids[2], &["submitted", "undeliverable"], 1170),
        (fourth, &["submitted", "rejected"], 1330),
    ] {
        assert_eq!(statuses_of(&told, id), statuses);
        let failed =
            told.iter().find(|body| body["message_uuid"] == id && body.get("error").is_some()).unwrap();
        assert_eq!(failed["error"]["code"], code, "{failed}");
    }
    assert_eq!(report(&told)["status"], "error");
    assert!(engine.endpoint.bodies_at(MESSAGES).is_empty());
    engine.finish().await;
}

#[tokio::test]
async fn a_direct_message_takes_the_same_route_and_a_throttled_one_is_sent_later_under_its_key() {
    let engine = engine().await;
    engine.connect_endpoint(VoiceApi::default()).await;
    engine.endpoint.script(
        SMS,
        &[(429, json!({"code": 429})), (200, json!({"umid": "u", "status": {"code": "QUEUED"}}))],
    );
    let body = sms("447700900010", None).to_string();
    let new = trunkline_store::dispatches::NewMessage {
        account: engine.app.account().clone(),
        application: None,
        message: dispatch::parse_message(body.as_bytes()).unwrap(),
        at: clock::now(),
    };
    let message = engine.app.store().start_message(new).await.unwrap().to_string();
    engine.run_until_idle().await;
    let sent = engine.endpoint.bodies_at(SMS);
    assert_eq!(sent.len(), 2, "throttled once, then taken");
    assert!(sent.iter().all(|body| body["clientMessageId"] == message));
    assert_eq!(statuses_of(&told(&engine, 1).await, &message), ["submitted"]);
    engine.finish().await;
}
