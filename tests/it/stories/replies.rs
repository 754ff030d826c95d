//! Waiting for a reply: matching, deadlines, duplicates, early replies (spec 3.5.7, 6.5).

use serde_json::{Value, json};
use trunkline::api::{ApiConfig, SmsAliases};
use trunkline_store::events::Recipients;

use crate::support::{Engine, enabled, inbound_chat, inbound_chat_v3, inbound_sms};

fn asks(channel: &str, from: &str, timeout: Option<&str>) -> Value {
    json!([
        {"id": "ask", "stepType": "WaitForReply", "inputs": {"from": from, "channel": channel, "timeout": timeout},
            "outputs": {"answer": "{{step.reply.payload.body}}", "chat": "{{step.reply.payload.content.text}}",
                "whole": "{{step.reply}}"},
            "selectNextStep": {"got_it": "{{step.reply != null}}", "silent": "{{ step.reply == null }}"}},
        {"id": "got_it", "stepType": "If"},
        {"id": "silent", "stepType": "If"},
    ])
}

#[tokio::test]
async fn c_116_c_171_c_172_c_178_an_sms_from_the_awaited_number_resumes_with_the_whole_message() {
    let engine = Engine::start().await;
    for (from, source) in
        [("+6590001111", "6590001111"), ("6590001111", "+6590001111"), ("0065 9000-1111", "+6590001111")]
    {
        let run = engine.run(asks("sms", from, None), json!({})).await;
        assert_eq!(run.status().await, "Runnable");
        assert_eq!(run.logs().await, ["ask:WaitingForEvent"]);
        engine.sms(source, "42").await;
        assert_eq!(run.logs().await, ["ask:Complete", "got_it:Complete"], "{from} {source}");
        let data = run.data().await;
        assert_eq!(data["answer"], "42");
        assert_eq!(data["whole"]["namespace"], "SMS");
        assert_eq!(data["whole"]["eventType"], "inbound_message_received");
        assert_eq!(data["whole"]["payload"]["body"], "42");
    }
    engine.finish().await;
}

#[tokio::test]
async fn c_173_c_174_the_channel_matches_in_any_case_and_only_itself() {
    let engine = Engine::start().await;
    let whatsapp = engine.run(asks("WhatsApp", "+6590001111", None), json!({})).await;
    let sms = engine.run(asks("SMS", "+6590001111", None), json!({})).await;
    engine.app.webhook(inbound_chat("m-1", "acme_chat")).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(whatsapp.status().await, "Complete");
    assert_eq!(sms.status().await, "Runnable");
    let whatsapp = engine.run(asks("whatsapp", "+6590001111", None), json!({})).await;
    engine.sms("+6590001111", "x").await;
    assert_eq!(sms.status().await, "Complete");
    assert_eq!(whatsapp.status().await, "Runnable");
    engine.finish().await;
}

#[tokio::test]
async fn c_175_c_176_c_177_chat_users_match_by_id_or_number() {
    let engine = Engine::start().await;
    let by_id = engine.run(asks("whatsapp", "SG.90817263544536271", None), json!({})).await;
    engine.app.webhook(inbound_chat_v3("m-1", "acme_chat")).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(by_id.status().await, "Complete");

    let by_number = engine.run(asks("viber", "6590001111", None), json!({})).await;
    let mut viber = inbound_chat("m-2", "acme_chat");
    viber["version"] = 3.into();
    viber["payload"]["user"] = json!({"msisdn": "+6590001111"});
    viber["payload"]["recipient"]["channel"] = "viber".into();
    engine.app.webhook(viber).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(by_number.status().await, "Complete");

    let both = engine.run(asks("whatsapp", "+6590001111", None), json!({})).await;
    let mut v3 = inbound_chat_v3("m-3", "acme_chat");
    v3["payload"]["user"]["msisdn"] = "+6590001111".into();
    engine.app.webhook(v3).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(both.status().await, "Complete");
    assert_eq!(both.data().await["chat"], "hi");
    engine.finish().await;
}

#[tokio::test]
async fn c_179_c_180_c_181_a_reply_resumes_and_starts_only_other_definitions() {
    let engine = Engine::start().await;
    let mut asking = crate::support::definition(asks("sms", "{{data.payload.source}}", None));
    asking["status"] = "enabled".into();
    let asking = engine.app.define(asking).await;
    let other = engine.app.define(enabled("inbound_sms", None)).await;
    engine.sms("+6590001111", "first").await;
    assert_eq!(engine.app.instances_of(&asking).await.len(), 1);
    assert_eq!(engine.app.instances_of(&other).await.len(), 1);
    engine.sms("+6590001111", "second").await;
    assert_eq!(engine.app.instances_of(&asking).await.len(), 1, "consumed by the wait");
    assert_eq!(engine.app.instances_of(&other).await.len(), 2);
    let run = engine.newest(&asking).await.unwrap();
    assert_eq!((run.status().await.as_str(), &run.data().await["answer"]), ("Complete", &json!("second")));
    engine.sms("+6590001111", "third").await;
    assert_eq!(engine.app.instances_of(&asking).await.len(), 2, "the instance was over");
    engine.finish().await;
}

#[tokio::test]
async fn c_182_c_187_every_waiting_instance_gets_the_message_once() {
    let engine = Engine::start().await;
    let started = engine.app.define(enabled("inbound_sms", None)).await;
    let first = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    let second = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    let message = inbound_sms("m-1", "acme_sms");
    engine.app.webhook(message.clone()).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!((first.status().await.as_str(), second.status().await.as_str()), ("Complete", "Complete"));
    let third = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    let deliveries = (0..10).map(|_| engine.app.webhook(message.clone()));
    for answer in futures::future::join_all(deliveries).await {
        answer.expect_status(200);
    }
    engine.run_until_idle().await;
    assert_eq!(third.status().await, "Runnable", "a duplicate is nobody's reply");
    assert_eq!(engine.app.instances_of(&started).await.len(), 1);
    engine.finish().await;
}

#[tokio::test]
async fn an_instance_is_not_written_because_it_begins_to_wait() {
    let engine = Engine::start().await;
    let pool = engine.app.store().pool();
    let mut steps = asks("sms", "+6590001111", None);
    steps.as_array_mut().unwrap().insert(0, json!({"id": "first", "stepType": "If", "nextStepId": "ask"}));
    let run = engine.run(steps, json!({})).await;
    // Where it lies, and how many jobs it knows of by itself; its wait knows better.
    let instance: (String, i32, i32) = sqlx::query_as(
        "select i.ctid::text, i.issued, w.issued from instances i join waits w on w.instance_id = i.id",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(instance, ("(0,1)".to_owned(), 1, 2));
    engine.sms("+6590001111", "yes").await;
    assert_eq!((run.status().await.as_str(), &run.data().await["answer"]), ("Complete", &json!("yes")));
    let jobs: Vec<i32> = sqlx::query_scalar("select n from steps order by n").fetch_all(pool).await.unwrap();
    assert_eq!(jobs, [1, 2, 3], "no number is given out twice");
    engine.finish().await;
}

#[tokio::test]
async fn c_183_c_184_c_186_silence_ends_the_step_as_cancelled_and_routes() {
    let engine = Engine::start().await;
    let run = engine.run(asks("sms", "+6590001111", Some("00:10:00")), json!({})).await;
    engine.pass_time(600.0).await;
    assert_eq!(run.logs().await, ["ask:Cancelled", "silent:Complete"]);
    let data = run.data().await;
    assert_eq!((&data["answer"], &data["chat"], &data["whole"]), (&Value::Null, &Value::Null, &Value::Null));
    assert!(data.as_object().unwrap().contains_key("chat"));
    engine.sms("+6590001111", "late").await;
    assert_eq!(run.data().await["answer"], Value::Null);
    engine.finish().await;
}

#[tokio::test]
async fn c_185_without_a_timeout_the_wait_lasts_a_day() {
    let engine = Engine::start().await;
    let run = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    engine.pass_time(86_400.0 - 60.0).await;
    assert_eq!(run.status().await, "Runnable");
    engine.pass_time(60.0).await;
    assert_eq!(run.logs().await, ["ask:Cancelled", "silent:Complete"]);
    engine.finish().await;
}

/// The user answers while the step that asks is still being executed (U-22).
#[tokio::test]
async fn a_reply_that_is_faster_than_the_wait_is_found_by_looking_back() {
    let engine = Engine::start().await;
    let url = format!("{}/json", engine.endpoint.url);
    let mut steps = asks("sms", "+6590001111", Some("00:10:00"));
    steps.as_array_mut().unwrap().insert(
        0,
        json!({"id": "say", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"}, "nextStepId": "hold"}),
    );
    steps.as_array_mut().unwrap().insert(
        1,
        json!({"id": "hold", "stepType": "Wait", "inputs": {"duration": "00:01:00"}, "nextStepId": "ask"}),
    );
    let run = engine.run(steps, json!({})).await;
    engine.sms("+6590001111", "quick").await;
    assert_eq!(run.logs().await, ["say:Complete", "hold:Sleeping"]);
    engine.pass_time(60.0).await;
    assert_eq!(run.status().await, "Complete");
    assert_eq!(run.data().await["answer"], "quick");
    engine.finish().await;
}

#[tokio::test]
async fn one_message_answers_one_of_two_questions_in_a_row() {
    let engine = Engine::start().await;
    let ask = |id: &str, next: Option<&str>| {
        json!({"id": id, "stepType": "WaitForReply", "inputs": {"from": "+6590001111", "channel": "sms"},
            "outputs": {id: "{{step.reply.payload.body}}"}, "nextStepId": next})
    };
    let run = engine.run(json!([ask("one", Some("two")), ask("two", None)]), json!({})).await;
    engine.sms("+6590001111", "a").await;
    assert_eq!(run.logs().await, ["one:Complete", "two:WaitingForEvent"]);
    engine.sms("+6590001111", "b").await;
    let data = run.data().await;
    assert_eq!((&data["one"], &data["two"]), (&json!("a"), &json!("b")));
    engine.finish().await;
}

#[tokio::test]
async fn a_message_that_started_the_instance_is_not_its_reply() {
    let engine = Engine::start().await;
    let mut asking = crate::support::definition(asks("sms", "{{data.payload.source}}", None));
    asking["status"] = "enabled".into();
    let asking = engine.app.define(asking).await;
    engine.sms("+6590001111", "hello").await;
    let run = engine.newest(&asking).await.unwrap();
    assert_eq!(run.logs().await, ["ask:WaitingForEvent"]);
    engine.finish().await;
}

#[tokio::test]
async fn an_empty_sender_faults_by_name() {
    let engine = Engine::start().await;
    let run = engine.run(asks("sms", "{{data.nobody}}", None), json!({})).await;
    assert_eq!(run.error().await, "Step 'ask': input 'from' is required.");
    engine.finish().await;
}

#[tokio::test]
async fn a_reply_goes_to_the_newest_wait_alone_where_the_installation_says_so() {
    let config = ApiConfig { recipients: Recipients::Newest, ..ApiConfig::default() };
    let engine = Engine::start_with(config).await;
    let older = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    let newer = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    engine.sms("+6590001111", "one").await;
    assert_eq!((older.status().await, newer.status().await), ("Runnable".to_owned(), "Complete".to_owned()));
    engine.sms("+6590001111", "two").await;
    assert_eq!(older.data().await["answer"], "two");

    // A message that one wait has used is no early reply for the next one.
    let mut steps = asks("sms", "+6590001111", None);
    let pause =
        json!({"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:10:00"}, "nextStepId": "ask"});
    steps.as_array_mut().unwrap().insert(0, pause);
    let later = engine.run(steps, json!({})).await;
    let now = engine.run(asks("sms", "+6590001111", None), json!({})).await;
    engine.sms("+6590001111", "three").await;
    assert_eq!(now.data().await["answer"], "three");
    engine.pass_time(601.0).await;
    assert_eq!(later.logs().await, ["pause:Complete", "ask:WaitingForEvent"]);
    engine.finish().await;
}

#[tokio::test]
async fn sms_have_the_members_of_chat_messages_where_the_installation_says_so() {
    let config = ApiConfig { sms_aliases: SmsAliases::Added, ..ApiConfig::default() };
    let engine = Engine::start_with(config).await;
    let definition = engine.app.define(enabled("inbound_sms", None)).await;
    engine.sms("+6590001111", "hi").await;
    let payload = engine.newest(&definition).await.unwrap().data().await["payload"].clone();
    assert_eq!(payload["content"], json!({"text": "hi"}));
    assert_eq!(payload["user"], json!({"msisdn": "+6590001111"}));
    assert_eq!((&payload["body"], &payload["source"]), (&json!("hi"), &json!("+6590001111")));
    engine.finish().await;
}
