//! Voice: calls that are placed, keys that are pressed in them (spec 3.5.8–3.5.10, 7.6, 7.7, 8.4).

use serde_json::{Value, json};
use trunkline::api::{ApiConfig, EndedCalls};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_store::audit::By;
use trunkline_store::connectors::ConnectorKind;

use crate::support::{Engine, until};

const CALLFLOWS: &str = "/api/v1/subaccounts/acme_voice/callflows";
const SESSION: &str = "D9874358-0000-4C50-8BAB-1EB634482A94";
const REQUEST: &str = "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77";

fn created() -> Value {
    json!({"sessionId": SESSION, "sessionStatus": "CREATED", "callFlowRequestId": "89b545a5-0000-41ee-8100-d500c0d203fc",
        "statusCode": 1, "statusMessage": "Created"})
}

/// An engine whose provider is the endpoint, and takes every call.
async fn engine() -> Engine {
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    engine.endpoint.script(CALLFLOWS, &[(200, created())]);
    engine
}

fn call(action: &str, params: Value) -> Value {
    let mut all =
        json!({"source": "+6568000000", "destination": "+6590001111", "voiceProfile": "en-US-ZiraRUS"});
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    json!({"id": "call", "stepType": "VoiceMessage",
        "inputs": {"subaccountId": "acme_voice", "clientRequestId": "{{data.request}}", "action": action, "params": all},
        "outputs": {"response": "{{step.response}}", "client": "{{step.response.clientRequestId}}"},
        "nextStepId": "keys"})
}

fn asks(action: &str) -> Value {
    call(action, json!({"text": "Press 1 or 2", "maxDigits": 1, "overallTimeout": 5000, "repetition": 1}))
}

/// Waits for keys of a call; `id` is an expression.
fn keys(id: &str) -> Value {
    json!({"id": "keys", "stepType": "WaitForDTMF", "inputs": {"dtmfRequestId": id, "timeout": "00:10:00"},
        "outputs": {"digits": "{{step.dtmfData.actionDetails.dtmf}}", "whole": "{{step.dtmfData}}"},
        "selectNextStep": {"none": "{{step.dtmfData == null}}", "nothing": "{{step.dtmfData.actionDetails.dtmf == null && step.dtmfData != null}}",
            "some": "{{step.dtmfData.actionDetails.dtmf != null}}"}})
}

fn ends() -> [Value; 3] {
    ["none", "nothing", "some"].map(|id| json!({"id": id, "stepType": "If"}))
}

/// Places a call, then waits for keys by the client's own id or the provider's.
fn dialogue(id: &str) -> Value {
    let [none, nothing, some] = ends();
    json!([asks("say&capture"), keys(id), none, nothing, some])
}

fn callback(client_request_id: Option<&str>, digits: &str) -> Value {
    let mut body = json!({"uid": SESSION, "status": {"code": "DTMF", "timestamp": "2026-02-03T04:10:00.271Z"},
        "destination": "+6590001111", "actionDetails": {"dtmf": digits}});
    if let Some(id) = client_request_id {
        body["clientRequestId"] = id.into();
    }
    body
}

fn call_action(event: &str, session: &str, digits: Value) -> Value {
    json!({"namespace": "VOICE", "eventType": "CALL_ACTION", "description": "Action completed",
        "payload": {"eventId": event, "callId": "4809bb03-0000-4163-8f06-8da8b5ddeca4", "sessionId": session,
            "subAccountId": "acme_voice", "callStatus": "ACTION_COMPLETED", "callDirection": "OUTBOUND",
            "callType": "PSTN", "source": "+6568000000", "destination": "+6590001111", "callDuration": 12,
            "eventData": {"dtmf": digits}, "sipCode": 200, "timestamp": "2026-02-03T04:10:00.27Z"}})
}

fn summary(session: &str, status: &str) -> Value {
    json!({"namespace": "VOICE", "eventType": "SESSION_SUMMARY", "description": "Summary", "version": 5,
        "payload": {"sessionId": session, "subAccountId": "acme_voice", "sessionStatus": status,
            "startTime": "2026-02-03T04:09:30Z", "endTime": "2026-02-03T04:10:05Z", "lastAction": "SAY_AND_CAPTURE",
            "callCount": 1, "clientRequestId": REQUEST}})
}

fn actions(body: &Value) -> Vec<&str> {
    body["callflow"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn c_044_c_167_c_168_each_action_becomes_its_callflow_and_the_answer_is_completed() {
    let engine = engine().await;
    let [none, nothing, some] = ends();
    let mut flows = Vec::new();
    for action in [
        call("say", json!({"text": "Hello"})),
        call("playFile", json!({"fileUrl": "https://example.net/a.mp3"})),
        asks("say&capture"),
    ] {
        let run = engine.run(json!([action, none, nothing, some]), json!({"request": REQUEST})).await;
        assert_eq!(run.status().await, "Complete", "{:?}", run.errors().await);
        let data = run.data().await;
        assert_eq!(data["client"], REQUEST);
        assert_eq!(data["response"]["uid"], SESSION);
        assert_eq!(data["response"]["destination"], "+6590001111");
        assert_eq!(data["response"]["status"]["code"], "CREATED");
        assert_eq!(data["response"]["sessionId"], SESSION);
        flows.push(engine.endpoint.bodies_at(CALLFLOWS).pop().unwrap());
    }
    let flows: Vec<Vec<&str>> = flows.iter().map(actions).collect();
    let expected = [
        ["makeCall", "say", "hangup"].to_vec(),
        ["makeCall", "playFile", "hangup"].to_vec(),
        ["makeCall", "sayAndCapture"].to_vec(),
    ];
    assert_eq!(flows, expected);
    let request = engine.endpoint.received().pop().unwrap();
    assert_eq!(request.header("authorization"), Some("Bearer endpoint-key"));
    engine.finish().await;
}

#[tokio::test]
async fn c_169_a_call_that_is_not_created_faults_with_the_status_message() {
    let engine = engine().await;
    let refusal = json!({"sessionStatus": "NOT_CREATED", "callFlowRequestId": "f-1", "statusCode": -1014,
        "statusMessage": "Caller id not allowed"});
    for status in [200, 400] {
        engine.endpoint.script(CALLFLOWS, &[(status, refusal.clone())]);
        let run = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
        assert_eq!(run.status().await, "Terminated");
        let message = "Failed to send voice message because Caller id not allowed. Error id: f-1";
        assert_eq!(run.error().await, message);
    }
    engine.finish().await;
}

#[tokio::test]
async fn c_170_send_to_converse_needs_an_adapter_and_exposes_its_ticket() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "hand_over", "stepType": "SendToConverse", "inputs": {"payload": "{{data.payload}}"},
        "outputs": {"ticket": "{{step.ticketId}}"}}]);
    let data = json!({"payload": {"subAccountId": "acme_chat", "text": "help"}});
    let run = engine.run(steps.clone(), data.clone()).await;
    assert_eq!(run.error().await, "Send to Converse is not configured.");

    let url = format!("{}/tickets", engine.endpoint.url);
    engine.endpoint.script("/tickets", &[(200, json!({"ticketId": "T-7"}))]);
    engine.connect(ConnectorKind::Converse, &json!({ "url": url }), "Basic abc").await;
    engine
        .app
        .store()
        .remove_connector(engine.app.account(), ConnectorKind::EightByEight, None, &By::trunkline())
        .await
        .unwrap();
    until("the connector is noticed", || async {
        engine.run(steps.clone(), data.clone()).await.status().await == "Complete"
    })
    .await;
    let request = engine.endpoint.received().pop().unwrap();
    assert_eq!(request.header("authorization"), Some("Basic abc"));
    let body = request.json();
    assert_eq!((&body["accountId"], &body["subAccountId"]), (&json!("acme"), &json!("acme_chat")));
    assert_eq!(body["payload"]["text"], "help");
    assert_eq!(body["workflowId"].as_str().unwrap().len(), 24);
    engine.finish().await;
}

#[tokio::test]
async fn c_188_c_189_the_legacy_callback_resumes_by_the_clients_id_or_the_calls() {
    let engine = engine().await;
    for (id, sent) in [
        ("{{data.request}}", Some(REQUEST)),
        ("{{data.response.uid}}", None),
        ("{{data.response.uid}}", Some("another")),
        // Ids are compared without their case.
        ("0E6A7C1C-7F6F-4D2A-8A06-5B2F1F6D9C77", Some(REQUEST)),
    ] {
        let run = engine.run(dialogue(id), json!({"request": REQUEST})).await;
        assert_eq!(run.logs().await, ["call:Complete", "keys:WaitingForEvent"]);
        let mut body = callback(sent, "2");
        body["status"]["timestamp"] = run.path.as_str().into();
        engine.app.webhook_to("dtmf", body).await.expect_empty(200);
        engine.run_until_idle().await;
        assert_eq!(run.steps().await, ["call", "keys", "some"], "{id} {sent:?}");
        let data = run.data().await;
        assert_eq!(data["digits"], "2");
        assert_eq!(data["whole"]["status"]["code"], "DTMF");
    }
    engine.finish().await;
}

#[tokio::test]
async fn c_190_c_191_a_finished_capture_resumes_in_the_legacy_shape_and_the_call_is_told_to_hang_up() {
    let engine = engine().await;
    let run = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
    let event = call_action("e-1", &SESSION.to_lowercase(), json!("12"));
    let answer = engine.app.webhook_to("voice", event.clone()).await.expect(200);
    assert_eq!(answer, json!({"callflow": [{"action": "hangup"}]}));
    // The same event again has no effect, and the same answer.
    assert_eq!(engine.app.webhook_to("voice", event).await.expect(200), answer);
    engine.run_until_idle().await;
    assert_eq!(run.steps().await, ["call", "keys", "some"]);
    let whole = run.data().await["whole"].clone();
    assert_eq!(
        whole,
        json!({"uid": SESSION.to_lowercase(), "status": {"code": "DTMF", "timestamp": "2026-02-03T04:10:00.27Z"},
            "destination": "+6590001111", "actionDetails": {"dtmf": "12"}, "clientRequestId": REQUEST})
    );
    // A session that nobody knows (U-30).
    let unknown = engine.app.webhook_to("voice", call_action("e-2", "nobody", json!("1"))).await;
    assert_eq!(unknown.expect(200), answer);
    engine.finish().await;
}

#[tokio::test]
async fn c_192_a_capture_without_keys_resumes_with_null_digits() {
    let engine = engine().await;
    let run = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
    engine.app.webhook_to("voice", call_action("e-1", SESSION, Value::Null)).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(run.steps().await, ["call", "keys", "nothing"]);
    assert_eq!(run.data().await["digits"], Value::Null);
    engine.finish().await;
}

#[tokio::test]
async fn c_193_without_keys_the_wait_ends_with_its_timeout() {
    let engine = engine().await;
    let run = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
    // The end of the call is none of the wait's (U-27); the summary is kept with the call.
    engine.app.webhook_to("voice", summary(SESSION, "NO_ANSWER")).await.expect_empty(200);
    engine.run_until_idle().await;
    assert_eq!(run.status().await, "Runnable");
    let id = SESSION.to_lowercase();
    let call = engine.app.store().message_state(engine.app.account(), &id).await.unwrap().unwrap();
    assert_eq!((call.state.as_str(), call.channel.as_deref()), ("no_answer", Some("voice")));
    assert_eq!((call.instance_id.is_some(), call.n), (true, Some(1)));
    assert!(call.report.unwrap().contains("SAY_AND_CAPTURE"));
    engine.pass_time(601.0).await;
    assert_eq!(run.logs().await, ["call:Complete", "keys:Cancelled", "none:Complete"]);
    assert_eq!(run.data().await["whole"], Value::Null);
    engine.finish().await;
}

#[tokio::test]
async fn the_end_of_a_call_ends_the_wait_where_the_installation_says_so() {
    let engine =
        Engine::start_with(ApiConfig { ended_calls: EndedCalls::EndWaits, ..ApiConfig::default() }).await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    engine.endpoint.script(CALLFLOWS, &[(200, created())]);
    let run = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
    let mut ended = summary(SESSION, "BUSY");
    ended["payload"].as_object_mut().unwrap().remove("clientRequestId");
    engine.app.webhook_to("voice", ended).await.expect_empty(200);
    engine.run_until_idle().await;
    assert_eq!(run.steps().await, ["call", "none"]);
    // A wait that comes after the end does not begin.
    let [none, nothing, some] = ends();
    let late = engine.run(json!([keys(REQUEST), none, nothing, some]), json!({})).await;
    assert_eq!(late.logs().await, ["keys:Cancelled", "none:Complete"]);
    // The end of one call is not the end of the next under the same id.
    let mut next = created();
    next["sessionId"] = "D9874358-0000-4C50-8BAB-1EB634482A95".into();
    engine.endpoint.script(CALLFLOWS, &[(200, next)]);
    let again = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
    assert_eq!(again.logs().await, ["call:Complete", "keys:WaitingForEvent"]);
    engine.finish().await;
}

#[tokio::test]
async fn c_194_keys_that_come_before_the_wait_are_used_by_it_once_and_in_order() {
    let engine = engine().await;
    let [none, nothing, some] = ends();
    let mut first = keys("{{data.request}}");
    first["selectNextStep"] = json!({"again": null});
    let mut again = keys("{{data.request}}");
    again["id"] = "again".into();
    again["outputs"] = json!({"more": "{{step.dtmfData.actionDetails.dtmf}}"});
    let pause =
        json!({"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:01:00"}, "nextStepId": "keys"});
    let mut asks = asks("say&capture");
    asks["nextStepId"] = "pause".into();
    let run = engine
        .run(json!([asks, pause, first, again, none, nothing, some]), json!({"request": REQUEST}))
        .await;
    assert_eq!(run.logs().await, ["call:Complete", "pause:Sleeping"]);
    for (event, digits) in [("e-1", "1"), ("e-2", "2")] {
        let event = call_action(event, SESSION, digits.into());
        engine.app.webhook_to("voice", event).await.expect_status(200);
    }
    engine.pass_time(61.0).await;
    assert_eq!(run.steps().await, ["call", "pause", "keys", "again", "some"]);
    let data = run.data().await;
    assert_eq!((&data["digits"], &data["more"]), (&json!("1"), &json!("2")));
    engine.finish().await;
}

/// The caller answers and presses a key before the provider's answer to our request is in.
#[tokio::test]
async fn keys_that_come_before_the_call_is_written_down_are_not_lost() {
    let engine = engine().await;
    let [none, nothing, some] = ends();
    engine.endpoint.hold_answers();
    // Another instance waits for the same id already.
    let waiting = engine.run(json!([keys(REQUEST), none, nothing, some]), json!({})).await;
    assert_eq!(waiting.logs().await, ["keys:WaitingForEvent"]);
    let definition = engine.app.define(crate::support::definition(dialogue("{{data.request}}"))).await;
    let path = engine.app.start_instance(&definition, json!({"request": REQUEST})).await;
    until("the call is requested", || async { !engine.endpoint.received().is_empty() }).await;
    engine.app.webhook_to("voice", call_action("e-1", SESSION, json!("7"))).await.expect_status(200);
    engine.app.webhook_to("voice", call_action("e-2", SESSION, json!("8"))).await.expect_status(200);
    assert_eq!(waiting.status().await, "Runnable");
    engine.endpoint.give_answers();
    engine.run_until_idle().await;
    assert_eq!(waiting.steps().await, ["keys", "some"]);
    assert_eq!(waiting.data().await["digits"], "7");
    assert_eq!(waiting.data().await["whole"]["clientRequestId"], REQUEST);
    let caller = engine.app.get(&path).await.expect(200);
    assert_eq!((&caller["status"], &caller["data"]["digits"]), (&json!("Complete"), &json!("8")));
    engine.finish().await;
}

/// Some clients give every call the same id.
#[tokio::test]
async fn a_second_call_under_the_same_id_gets_its_own_keys() {
    let engine = engine().await;
    let second = "D9874358-0000-4C50-8BAB-1EB634482A95";
    let mut next = created();
    next["sessionId"] = second.into();
    engine.endpoint.script(CALLFLOWS, &[(200, created()), (200, next)]);
    let data = json!({"request": REQUEST});
    let first = engine.run(dialogue("{{data.request}}"), data.clone()).await;
    engine.pass_time(601.0).await;
    assert_eq!(first.steps().await, ["call", "none"]);
    // What comes of the first call now is of no use to anybody, and nothing to the second.
    engine.app.webhook_to("voice", call_action("e-1", SESSION, Value::Null)).await.expect_status(200);
    let by_request = engine.run(dialogue("{{data.request}}"), data.clone()).await;
    let by_call = engine.run(json!([keys(second), ends()[0], ends()[1], ends()[2]]), json!({})).await;
    assert_eq!(by_request.logs().await, ["call:Complete", "keys:WaitingForEvent"]);
    engine.app.webhook_to("dtmf", callback(None, "9")).await.expect_status(200);
    engine.app.webhook_to("voice", call_action("e-2", SESSION, json!("9"))).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(by_request.status().await, "Runnable");
    assert_eq!(by_call.status().await, "Runnable");
    engine.app.webhook_to("voice", call_action("e-3", second, json!("5"))).await.expect_status(200);
    engine.run_until_idle().await;
    assert_eq!(
        (&by_request.data().await["digits"], &by_call.data().await["digits"]),
        (&json!("5"), &json!("5"))
    );
    engine.finish().await;
}

#[tokio::test]
async fn a_wait_for_keys_needs_an_id() {
    let engine = Engine::start().await;
    let steps =
        json!([{"id": "keys", "stepType": "WaitForDTMF", "inputs": {"dtmfRequestId": "{{data.none}}"}}]);
    let run = engine.run(steps, json!({})).await;
    assert_eq!(run.error().await, "dtmfRequestId is required.");
    engine.finish().await;
}

/// Generation A: one action, and our own address for the keys.
#[tokio::test]
async fn the_first_voice_api_reports_keys_to_our_callback() {
    let mut engine = Engine::start().await;
    engine.stop_worker().await;
    let public_url = Some(engine.app.url().to_owned());
    engine.start_worker_with_rules(trunkline_workers::Rules { public_url, ..Default::default() });
    engine.connect_endpoint(VoiceApi::Calls).await;
    let calls = "/api/v1/subaccounts/acme_voice/calls";
    let taken = json!({"uid": SESSION, "status": {"code": "QUEUED"}, "destination": "+6590001111"});
    engine.endpoint.script(calls, &[(200, taken)]);
    let run = engine.run(dialogue("{{data.request}}"), json!({"request": REQUEST})).await;
    assert_eq!(run.logs().await, ["call:Complete", "keys:WaitingForEvent"], "{:?}", run.errors().await);
    let request = engine.endpoint.bodies_at(calls).pop().unwrap();
    let url = request["callflow"][0]["params"]["dtmfCallbackUrl"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(engine.app.url()).unwrap();
    let post = |path: &str| {
        let request = engine.app.request(reqwest::Method::POST, path).json(&callback(Some(REQUEST), "3"));
        crate::support::Answer::of(request)
    };
    post(&path.replace("token=", "token=0")).await.expect_error(401, 1200);
    post(path).await.expect_empty(200);
    engine.run_until_idle().await;
    assert_eq!(run.data().await["digits"], "3");
    engine.finish().await;
}
