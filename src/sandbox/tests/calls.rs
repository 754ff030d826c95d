//! The person at the phone, in calls of the current API: what the `/voice` webhook is told, and what its
//! answer makes of the call.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_connectors::eight_by_eight::voice_inbound::{VoiceInbound, parse_voice};
use uuid::Uuid;

use super::{Carrier, NOON, ask, say_to};

/// The events, each by the name that tells it best.
fn names(events: &[Value]) -> Vec<&str> {
    let name = |event: &'_ Value| match event["eventType"].as_str() {
        Some("SESSION_SUMMARY") => "SESSION_SUMMARY",
        _ => match event["payload"]["callStatus"].as_str() {
            Some("CALL_INITIATED") => "CALL_INITIATED",
            Some("CALL_CONNECTED") => "CALL_CONNECTED",
            Some("CALL_DISCONNECTED") => "CALL_DISCONNECTED",
            Some("ACTION_COMPLETED") => "ACTION_COMPLETED",
            _ => panic!("{event}"),
        },
    };
    events.iter().map(name).collect()
}

/// What the `/voice` webhook was told since it was asked last.
fn told(carrier: &Carrier) -> Vec<Value> {
    let deliveries = carrier.deliveries();
    for delivery in &deliveries {
        assert_eq!(delivery.uri.path(), "/hooks/acme/voice");
        assert_eq!(delivery.headers["authorization"], "Basic c2VjcmV0");
        assert_eq!(delivery.headers["content-type"], "application/json");
    }
    deliveries.into_iter().map(|delivery| delivery.body).collect()
}

impl Carrier {
    async fn asks(&self, params: Value) -> String {
        self.ring(VoiceApi::Callflows, ask(&params)).await
    }

    fn will_answer(&self, answer: Value) {
        self.webhook.callflows.lock().unwrap().push_back(answer);
    }
}

#[tokio::test]
async fn a_message_is_said_and_the_call_is_over() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.ring(VoiceApi::Callflows, say_to("+6590001111")).await;
    let (status, call) = carrier.step(&uid, "answer").await;
    assert_eq!((status, &call["state"], &call["result"]), (200, &json!("ended"), &json!("COMPLETED")));
    assert_eq!((&call["answeredAt"], &call["endedAt"]), (&json!(NOON), &json!(NOON)));
    assert_eq!(call["webhookStatus"], 200);
    let expected = ["CALL_INITIATED", "CALL_CONNECTED", "CALL_DISCONNECTED", "SESSION_SUMMARY"];
    let webhooks: Vec<_> = expected.iter().map(|event| json!({"event": event, "status": 200})).collect();
    assert_eq!(call["webhooks"], json!(webhooks));

    let events = told(&carrier);
    assert_eq!(names(&events), expected);
    let connected = &events[1];
    let call_id = &connected["payload"]["callId"];
    assert_eq!(
        *connected,
        json!({"namespace": "VOICE", "eventType": "CALL_STATUS", "description": "Status update of a call",
            "payload": {"eventId": connected["payload"]["eventId"], "callId": call_id, "sessionId": uid,
                "subAccountId": "acme_voice", "callStatus": "CALL_CONNECTED", "callDirection": "OUTBOUND",
                "callType": "PSTN", "source": "+6568000000", "destination": "+6590001111",
                "sourceFormat": "MSISDN", "destinationFormat": "MSISDN", "sourceCountryCode": "SG",
                "destinationCountryCode": "SG", "callDuration": 0, "sipCode": 200, "timestamp": NOON}})
    );
    assert_eq!(
        events[3],
        json!({"namespace": "VOICE", "eventType": "SESSION_SUMMARY",
            "description": "Summary of a completed call session", "version": 5,
            "payload": {"sessionId": uid, "subAccountId": "acme_voice", "sessionStatus": "COMPLETED",
                "startTime": NOON, "endTime": NOON, "lastAction": "HANGUP", "callCount": 1,
                "clientRequestId": "c-1",
                "details": {"callA": {"callId": call_id, "callDirection": "OUTBOUND", "callType": "PSTN",
                    "initiatedTimestamp": NOON, "connectedTimestamp": NOON, "disconnectedTimestamp": NOON,
                    "source": "+6568000000", "destination": "+6590001111", "sourceFormat": "MSISDN",
                    "destinationFormat": "MSISDN", "sourceCountryCode": "SG", "destinationCountryCode": "SG",
                    "callStatus": "COMPLETED", "callDuration": 0}}}})
    );
    let mut ids: Vec<_> =
        events[..3].iter().map(|event| event["payload"]["eventId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "every event has an id of its own");
}

#[tokio::test]
async fn pressed_keys_are_told_and_the_webhooks_answer_hangs_up() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({})).await;
    let (_, call) = carrier.step(&uid, "answer").await;
    assert_eq!((&call["state"], &call["triesLeft"]), (&json!("answered"), &json!(1)));
    assert_eq!(names(&told(&carrier)), ["CALL_INITIATED", "CALL_CONNECTED"]);

    let (status, call) = carrier.press(&uid, json!("2")).await;
    assert_eq!((status, &call["state"], &call["result"]), (200, &json!("ended"), &json!("COMPLETED")));
    assert_eq!((&call["digits"], &call["triesLeft"]), (&json!("2"), &json!(null)));
    assert_eq!(call["notes"], json!([]));
    let events = told(&carrier);
    assert_eq!(names(&events), ["ACTION_COMPLETED", "CALL_DISCONNECTED", "SESSION_SUMMARY"]);
    assert_eq!(events[0]["eventType"], "CALL_ACTION");
    assert_eq!(events[0]["payload"]["eventData"], json!({"dtmf": "2"}));
    assert_eq!(events[0]["payload"].get("clientActionId"), None);
    let Ok(VoiceInbound::KeysPressed(keys)) = parse_voice(&events[0]) else { panic!("{}", events[0]) };
    assert_eq!(keys.ids(), [uid.as_str()]);
    assert_eq!(keys.dtmf_data["actionDetails"], json!({"dtmf": "2"}));
    let Ok(VoiceInbound::SessionSummary(summary)) = parse_voice(&events[2]) else { panic!("{}", events[2]) };
    assert_eq!((summary.state.as_str(), summary.client_request_id.as_deref()), ("completed", Some("c-1")));
}

#[tokio::test]
async fn pressing_a_key_answers_a_ringing_call() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({})).await;
    let (_, call) = carrier.press(&uid, json!("1")).await;
    assert_eq!(call["answeredAt"], NOON);
    let events = told(&carrier);
    assert_eq!(
        names(&events),
        ["CALL_INITIATED", "CALL_CONNECTED", "ACTION_COMPLETED", "CALL_DISCONNECTED", "SESSION_SUMMARY"]
    );
}

#[tokio::test]
async fn digits_are_cut_to_the_most_that_are_asked_for() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (params, pressed, captured) in [
        (json!({"maxDigits": 2}), "1234", "12"),
        (json!({"maxDigits": 4}), "1234", "1234"),
        (json!({"maxDigits": 4, "completeOnHash": true}), "12#4", "12"),
        (json!({"maxDigits": 3, "completeOnHash": false}), "1#*5", "1#*"),
        (json!({"maxDigits": null, "completeOnHash": true}), "12345678#", "12345678"),
    ] {
        let uid = carrier.asks(params.clone()).await;
        let (_, call) = carrier.press(&uid, json!(pressed)).await;
        assert_eq!(call["digits"], captured, "{params}");
        assert_eq!(told(&carrier)[2]["payload"]["eventData"]["dtmf"], captured, "{params}");
        let is_cut = pressed == "1234" && captured == "12" || pressed == "1#*5";
        assert_eq!(call["notes"].as_array().unwrap().len(), usize::from(is_cut), "{}", call["notes"]);
    }
}

#[tokio::test]
async fn too_few_digits_are_a_failed_try() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({"minDigits": 3, "maxDigits": 4, "noOfTries": 3})).await;
    let (_, call) = carrier.press(&uid, json!("12")).await;
    assert_eq!(
        (&call["state"], &call["digits"], &call["triesLeft"]),
        (&json!("answered"), &json!("12"), &json!(2))
    );
    told(&carrier);
    let (_, call) = carrier.press(&uid, json!(null)).await;
    assert_eq!((&call["digits"], &call["triesLeft"]), (&json!(null), &json!(1)));
    assert_eq!((&call["webhookStatus"], &call["webhooks"]), (&json!(null), &json!([])));
    let (_, call) = carrier.press(&uid, json!("123")).await;
    assert_eq!((&call["state"], &call["digits"]), (&json!("ended"), &json!("123")));
    assert_eq!(told(&carrier)[0]["payload"]["eventData"], json!({"dtmf": "123"}));
}

#[tokio::test]
async fn after_the_last_failed_try_nothing_was_captured() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({"minDigits": 2, "maxDigits": 2, "noOfTries": 2})).await;
    carrier.press(&uid, json!(null)).await;
    told(&carrier);
    let (_, call) = carrier.press(&uid, json!("1")).await;
    assert_eq!((&call["state"], &call["result"]), (&json!("ended"), &json!("COMPLETED")));
    let events = told(&carrier);
    assert_eq!(events[0]["payload"]["eventData"], json!({"dtmf": null}));
    assert_eq!(events[2]["payload"]["lastAction"], "HANGUP");
}

#[tokio::test]
async fn the_answer_to_a_capture_may_ask_again() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({})).await;
    carrier.will_answer(json!({"clientActionId": "second", "callflow": [
        {"action": "say", "params": {"text": "Fine", "voiceProfile": "en-US-ZiraRUS"}},
        {"action": "sayAndCapture", "params": {"promptMessage": "And now?", "voiceProfile": "en-US-ZiraRUS",
            "maxDigits": 2}},
    ]}));
    let (_, call) = carrier.press(&uid, json!("1")).await;
    assert_eq!((&call["state"], &call["triesLeft"]), (&json!("answered"), &json!(1)));
    told(&carrier);
    carrier.will_answer(json!({"callflow": []}));
    let (_, call) = carrier.press(&uid, json!("42")).await;
    assert_eq!((&call["state"], &call["digits"]), (&json!("ended"), &json!("42")));
    let events = told(&carrier);
    assert_eq!(events[0]["payload"]["clientActionId"], "second");
    assert_eq!(events[0]["payload"]["eventData"]["dtmf"], "42");
    assert_eq!(events[2]["payload"]["lastAction"], "SAY_AND_CAPTURE");
}

#[tokio::test]
async fn what_is_not_understood_of_an_answer_is_noted() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({})).await;
    carrier.will_answer(json!({"callflow": [{"action": "dance"}, {"action": "hangup"}]}));
    let (_, call) = carrier.press(&uid, json!("1")).await;
    assert_eq!((&call["state"], &call["result"]), (&json!("ended"), &json!("COMPLETED")));
    let note = "the webhook's answer to ACTION_COMPLETED: $.callflow[0]: the sandbox does not play `dance`";
    assert_eq!(call["notes"], json!([note]));

    told(&carrier);
    let uid = carrier.asks(json!({})).await;
    carrier.will_answer(json!({"status": "ok"}));
    let (_, call) = carrier.press(&uid, json!("1")).await;
    assert_eq!((&call["state"], &call["result"]), (&json!("ended"), &json!("ERROR")));
    assert_eq!(call["notes"], json!(["the webhook's answer to ACTION_COMPLETED has no `callflow`"]));
    let events = told(&carrier);
    let summary = &events.last().unwrap()["payload"];
    assert_eq!(summary["errorDetails"], json!({"errorMsg": "Invalid call flow", "errorCode": -2003}));
    assert_eq!(summary["lastAction"], "SAY_AND_CAPTURE");
}

#[tokio::test]
async fn a_webhook_that_refuses_is_reported() {
    let carrier = Carrier::start(StatusCode::UNAUTHORIZED).await;
    let uid = carrier.asks(json!({})).await;
    let (status, call) = carrier.press(&uid, json!("1")).await;
    assert_eq!((status, &call["webhookStatus"], &call["result"]), (200, &json!(401), &json!("ERROR")));
    assert_eq!(call["notes"], json!(["the webhook answered ACTION_COMPLETED with 401"]));

    let carrier = Carrier::unreachable_server().await;
    let uid = carrier.asks(json!({})).await;
    let (status, error) = carrier.press(&uid, json!("1")).await;
    let url = format!("{}/hooks/acme/voice", carrier.webhook_url);
    assert_eq!((status, &error["code"]), (502, &json!(2000)));
    assert_eq!(error["message"], format!("Call failed. Connection refused: POST {url}"));
    let (_, call) = carrier.get(&format!("/sandbox/calls/{uid}")).await;
    assert_eq!((&call["state"], &call["digits"]), (&json!("ended"), &json!("1")));
}

#[tokio::test]
async fn a_call_that_nobody_takes_has_a_summary() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (step, result, sip_code) in
        [("busy", "BUSY", 486), ("no-answer", "NO_ANSWER", 480), ("hangup", "CANCELED", 487)]
    {
        let uid = carrier.asks(json!({})).await;
        let (status, call) = carrier.step(&uid, step).await;
        assert_eq!((status, &call["state"], &call["result"]), (200, &json!("ended"), &json!(result)));
        let events = told(&carrier);
        assert_eq!(names(&events), ["CALL_INITIATED", "CALL_DISCONNECTED", "SESSION_SUMMARY"]);
        assert_eq!(events[1]["payload"]["sipCode"], sip_code);
        let summary = &events[2]["payload"];
        assert_eq!(
            (&summary["sessionStatus"], &summary["lastAction"]),
            (&json!(result), &json!("MAKE_CALL"))
        );
        let leg = summary["details"]["callA"].as_object().unwrap();
        assert_eq!((&leg["callStatus"], leg.get("connectedTimestamp")), (&json!(result), None));
    }
}

#[tokio::test]
async fn hanging_up_instead_of_pressing_a_key_completes_nothing() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.asks(json!({})).await;
    carrier.step(&uid, "answer").await;
    told(&carrier);
    let (_, call) = carrier.step("last", "hangup").await;
    assert_eq!((&call["uid"], &call["result"]), (&json!(uid), &json!("COMPLETED")));
    let events = told(&carrier);
    assert_eq!(names(&events), ["CALL_DISCONNECTED", "SESSION_SUMMARY"]);
    assert_eq!(events[1]["payload"]["lastAction"], "SAY_AND_CAPTURE");
}

#[tokio::test]
async fn steps_that_cannot_be_are_refused_and_change_nothing() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let said = carrier.ring(VoiceApi::Callflows, say_to("+6590001111")).await;
    let (status, error) = carrier.press(&said, json!("1")).await;
    let message = "The call does not wait for digits: its action is `say`.";
    assert_eq!((status, &error["message"]), (409, &json!(message)));
    assert!(told(&carrier).is_empty(), "it still rings");
    carrier.step(&said, "answer").await;

    let asked = carrier.asks(json!({})).await;
    carrier.step(&asked, "answer").await;
    told(&carrier);
    for (uid, step, message) in [
        (&asked, "answer", "The call is answered already."),
        (&asked, "busy", "The call is answered already."),
        (&asked, "no-answer", "The call is answered already."),
        (&said, "answer", "The call has ended: COMPLETED."),
        (&said, "busy", "The call has ended: COMPLETED."),
        (&said, "hangup", "The call has ended: COMPLETED."),
    ] {
        let (status, error) = carrier.step(uid, step).await;
        assert_eq!((status, &error["message"]), (409, &json!(message)), "{step}");
    }
    let (status, error) = carrier.press(&said, json!("1")).await;
    assert_eq!((status, &error["message"]), (409, &json!("The call has ended: COMPLETED.")));
    for body in [json!({}), json!({"digits": 1}), json!({"digits": "one"}), json!([])] {
        let (status, error) = carrier.post(&format!("/sandbox/calls/{asked}/dtmf"), body.clone()).await;
        assert_eq!((status, &error["code"]), (400, &json!(1000)), "{body}");
    }
    for uid in ["x".to_owned(), Uuid::nil().to_string()] {
        let (status, error) = carrier.step(&uid, "answer").await;
        assert_eq!((status, &error["code"]), (404, &json!(1300)));
        assert_eq!(carrier.get(&format!("/sandbox/calls/{uid}")).await.0, 404);
    }
    assert!(told(&carrier).is_empty());
}
