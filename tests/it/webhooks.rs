//! `POST /webhooks/v1/accounts/{accountId}/messages` (spec 6.1–6.3, 7, 10.9, 10.10).

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, sample};

async fn started(app: &TestApp, definitions: &[&String]) -> Vec<usize> {
    let mut counts = Vec::new();
    for definition in definitions {
        counts.push(app.instances_of(definition).await.len());
    }
    counts
}

#[tokio::test]
async fn c_224_c_225_c_226_c_227_c_228_a_message_starts_what_it_triggers_and_nothing_else() {
    let app = TestApp::start().await;
    let sms = app.define(sample::enabled("inbound_sms", None)).await;
    let sms_a = app.define(sample::enabled("inbound_sms", Some("A"))).await;
    let sms_b = app.define(sample::enabled("inbound_sms", Some("B"))).await;
    let chat = app.define(sample::enabled("inbound_chat_apps", None)).await;
    let http = app.define(sample::enabled("http_request", None)).await;
    let disabled = app.define(sample::pong()).await;
    let switched_off = app.define(sample::enabled("inbound_sms", None)).await;
    app.put(&format!("/definitions/{switched_off}"), sample::pong()).await.expect(200);
    let all = [&sms, &sms_a, &sms_b, &chat, &http, &disabled, &switched_off];

    app.webhook(sample::inbound_sms("m1", "A")).await.expect_empty(200);
    assert_eq!(started(&app, &all).await, [1, 1, 0, 0, 0, 0, 0]);
    app.webhook(sample::inbound_sms("m2", "B")).await.expect_empty(200);
    assert_eq!(started(&app, &all).await, [2, 1, 1, 0, 0, 0, 0]);
    app.webhook(sample::inbound_chat("m3", "A")).await.expect_empty(200);
    assert_eq!(started(&app, &all).await, [2, 1, 1, 1, 0, 0, 0]);
    let old = app.get(&format!("/definitions/{switched_off}/workflows?version=1")).await.expect(200);
    assert_eq!(old, json!([]));
}

#[tokio::test]
async fn c_229_the_context_is_the_webhook_and_the_system_keys() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    let body = sample::inbound_sms("m1", "acme_sms");
    app.webhook(body.clone()).await.expect_empty(200);
    let data = app.instances_of(&definition).await[0]["data"].clone();
    let members: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["namespace", "eventType", "description", "payload", "accountId", "subAccountId", "triggeredAt"]
    );
    for member in ["namespace", "eventType", "description", "payload"] {
        assert_eq!(data[member], body[member]);
    }
    assert_eq!((&data["accountId"], &data["subAccountId"]), (&"acme".into(), &"acme_sms".into()));
}

#[tokio::test]
async fn a_message_with_half_an_emoji_is_not_lost() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    let mut body = sample::inbound_sms("m1", "acme_sms");
    body["payload"]["body"] = "cut ?".into();
    let body = body.to_string().replace("cut ?", "cut \\ud83d");
    for _ in 0..2 {
        Answer::of(app.webhook_request("messages").body(body.clone())).await.expect_empty(200);
    }
    let instances = app.instances_of(&definition).await;
    assert_eq!(instances.len(), 1);
    assert_eq!(instances[0]["data"]["payload"]["body"], "cut \u{fffd}");
}

#[tokio::test]
async fn c_234_a_receipt_starts_nothing_and_the_last_state_is_kept() {
    let app = TestApp::start().await;
    let definitions = [
        app.define(sample::enabled("inbound_sms", None)).await,
        app.define(sample::enabled("http_request", None)).await,
    ];
    let umid = "bda3d56d-0000-4711-8000-06ed3428fe67";
    for (state, kept) in
        [("sent", "sent"), ("delivered", "delivered"), ("sent", "delivered"), ("queued", "delivered")]
    {
        app.webhook(sample::receipt(umid, state)).await.expect_empty(200);
        let message = app.store().message_state(app.account(), umid).await.unwrap().unwrap();
        assert_eq!((message.state.as_str(), message.channel.as_deref()), (kept, Some("sms")));
    }
    assert_eq!(started(&app, &definitions.each_ref()).await, [0, 0]);
}

#[tokio::test]
async fn c_235_messages_of_all_formats_are_accepted() {
    let app = TestApp::start().await;
    let sms = app.define(sample::enabled("inbound_sms", None)).await;
    let chat = app.define(sample::enabled("inbound_chat_apps", None)).await;
    let begin = std::time::Instant::now();
    app.webhook(sample::inbound_sms("m1", "s")).await.expect_empty(200);
    app.webhook(sample::inbound_chat("m2", "s")).await.expect_empty(200);
    app.webhook(sample::inbound_chat_v3("m3", "s")).await.expect_empty(200);
    assert!(begin.elapsed().as_secs() < 5);
    assert_eq!(started(&app, &[&sms, &chat]).await, [1, 2]);
    assert_eq!(app.instances_of(&chat).await[0]["data"]["version"], 3);
}

#[tokio::test]
async fn a_message_delivered_again_takes_no_effect_again() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    for _ in 0..3 {
        app.webhook(sample::inbound_sms("m1", "s")).await.expect_empty(200);
    }
    let both = [app.webhook(sample::inbound_sms("m2", "s")), app.webhook(sample::inbound_sms("m2", "s"))];
    for answer in futures::future::join_all(both).await {
        answer.expect_empty(200);
    }
    assert_eq!(started(&app, &[&definition]).await, [2]);
}

#[tokio::test]
async fn c_237_c_238_unknown_events_are_accepted_and_ignored() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    for (namespace, event_type) in [
        ("Fax", "inbound_message_received"),
        ("SMS", "something_new"),
        ("ChatApps", "external_app_message"),
        ("VOICE", "VSS"),
        ("VOICE", "VCS"),
        ("VOICE", "CALL_ACTION"),
    ] {
        let body = json!({"namespace": namespace, "eventType": event_type, "payload": {"umid": "m"}});
        app.webhook(body).await.expect_empty(200);
    }
    app.webhook(json!({})).await.expect_empty(200);
    assert_eq!(started(&app, &[&definition]).await, [0]);
}

#[tokio::test]
async fn c_239_an_unknown_or_missing_subaccount_is_accepted() {
    let app = TestApp::start().await;
    let bound = app.define(sample::enabled("inbound_sms", Some("known"))).await;
    let free = app.define(sample::enabled("inbound_sms", None)).await;
    app.webhook(sample::inbound_sms("m1", "nobody's")).await.expect_empty(200);
    let mut without = sample::inbound_sms("m2", "x");
    without["payload"].as_object_mut().unwrap().shift_remove("subAccountId");
    app.webhook(without).await.expect_empty(200);
    assert_eq!(started(&app, &[&bound, &free]).await, [0, 2]);
    assert_eq!(app.instances_of(&free).await[0]["data"]["subAccountId"], Value::Null);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused() {
    let app = TestApp::start().await;
    for body in [json!([]), json!("x"), json!(null)] {
        app.webhook(body).await.expect_error(400, 1000);
    }
    app.webhook(json!({"namespace": "SMS", "eventType": "inbound_message_received"}))
        .await
        .expect_error(400, 1000);
    let mut long = sample::inbound_sms(&"x".repeat(100_000), "s");
    app.webhook(long.clone()).await.expect_error(400, 1000);
    long["payload"]["umid"] = "m".into();
    long["payload"]["source"] = "x".repeat(100_000).into();
    app.webhook(long).await.expect_error(400, 1000);
    app.webhook(sample::receipt(&"x".repeat(100_000), "sent")).await.expect_error(400, 1000);
    app.webhook(sample::receipt("m", "s\0")).await.expect_error(400, 1000);

    let path = "/webhooks/v1/accounts/acme/messages";
    let xml = app.webhook_request("messages").header(CONTENT_TYPE, "text/xml").body("<a/>");
    Answer::of(xml).await.expect_error(415, 1000);
    Answer::of(app.request(Method::GET, path)).await.expect_error(405, 1000);
}
