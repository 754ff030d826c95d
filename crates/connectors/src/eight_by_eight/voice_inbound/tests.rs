//! Webhook bodies as the voice platform sends them.

use serde_json::{Value, json};

use super::{KeysPressed, SessionSummary, VoiceInbound, parse_dtmf_callback, parse_voice};
use crate::correlation::dtmf_key;
use crate::eight_by_eight::inbound::InboundError;
use crate::eight_by_eight::wire::read_timestamp;

const SESSION: &str = "d9874358-0000-4c50-8bab-1eb634482a94";
const REQUEST: &str = "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77";
const EVENT: &str = "A1B2c3d4-0000-4c50-8bab-1eb634482a94";

fn action(status: &str, dtmf: &Value) -> Value {
    json!({"namespace": "VOICE", "eventType": "CALL_ACTION", "description": "Action of a call",
        "payload": {"eventId": EVENT, "callId": "4809bb03-0000-4163-8f06-8da8b5ddeca4", "sessionId": SESSION,
            "subAccountId": "acme_voice", "callStatus": status, "callDirection": "OUTBOUND", "callType": "PSTN",
            "source": "+6568000000", "destination": "+6590001111", "callDuration": 12,
            "eventData": {"dtmf": dtmf}, "sipCode": 200, "timestamp": "2026-02-03T04:10:00.271Z"}})
}

fn summary() -> Value {
    json!({"namespace": "VOICE", "eventType": "SESSION_SUMMARY", "description": "Summary of a completed call session",
        "version": 5,
        "payload": {"sessionId": SESSION, "subAccountId": "acme_voice", "sessionStatus": "COMPLETED",
            "startTime": "2026-02-03T04:09:30Z", "endTime": "2026-02-03T04:10:05Z",
            "lastAction": "SAY_AND_CAPTURE", "callCount": 1, "clientRequestId": REQUEST,
            "details": {"callA": {"callId": "4809bb03-0000-4163-8f06-8da8b5ddeca4"}}}})
}

fn callback() -> Value {
    json!({"uid": "3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30",
        "status": {"code": "DTMF", "timestamp": "2026-02-03T04:10:00.271Z"},
        "destination": "+6590001111", "clientRequestId": REQUEST, "actionDetails": {"dtmf": "2"}})
}

fn keys(body: &Value) -> KeysPressed {
    match parse_voice(body) {
        Ok(VoiceInbound::KeysPressed(keys)) => keys,
        other => panic!("{other:?}"),
    }
}

fn summarised(body: &Value) -> SessionSummary {
    match parse_voice(body) {
        Ok(VoiceInbound::SessionSummary(summary)) => summary,
        other => panic!("{other:?}"),
    }
}

fn ignored(body: &Value) -> String {
    match parse_voice(body) {
        Ok(VoiceInbound::Ignored { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_finished_capture_has_the_shape_that_workflows_know() {
    assert_eq!(
        keys(&action("ACTION_COMPLETED", &json!("2"))),
        KeysPressed {
            call_id: Some(SESSION.to_owned()),
            client_request_id: None,
            sub_account_id: Some("acme_voice".to_owned()),
            dtmf_data: json!({"uid": SESSION,
                "status": {"code": "DTMF", "timestamp": "2026-02-03T04:10:00.271Z"},
                "destination": "+6590001111", "actionDetails": {"dtmf": "2"}}),
            dedupe_key: "a1b2c3d4-0000-4c50-8bab-1eb634482a94:call_action".to_owned(),
        }
    );
}

#[test]
fn a_capture_of_nothing_is_one_with_null() {
    assert_eq!(
        keys(&action("ACTION_COMPLETED", &json!(null))).dtmf_data["actionDetails"],
        json!({"dtmf": null})
    );
    let mut without = action("action_completed", &json!(null));
    without["payload"].as_object_mut().unwrap().shift_remove("eventData");
    assert_eq!(keys(&without).dtmf_data["actionDetails"], json!({"dtmf": null}));
}

#[test]
fn digits_that_come_as_a_number_are_text() {
    assert_eq!(keys(&action("ACTION_COMPLETED", &json!(12))).dtmf_data["actionDetails"]["dtmf"], "12");
}

#[test]
fn an_event_is_completed_with_the_id_of_its_request_once_that_is_known() {
    let mut event = keys(&action("ACTION_COMPLETED", &json!("2")));
    event.of_request(REQUEST);
    event.of_request("another");
    assert_eq!(event.ids(), [SESSION, REQUEST]);
    assert_eq!(event.dtmf_data["clientRequestId"], REQUEST);
}

#[test]
fn a_client_request_id_that_the_platform_repeats_is_kept() {
    let mut body = action("ACTION_COMPLETED", &json!("2"));
    body["payload"]["clientRequestId"] = json!(REQUEST);
    let event = keys(&body);
    assert_eq!(event.dtmf_data["clientRequestId"], REQUEST);
    assert_eq!(event.ids(), [SESSION, REQUEST]);
}

#[test]
fn every_delivery_of_an_event_has_the_same_key_and_another_event_another() {
    let first = action("ACTION_COMPLETED", &json!("2"));
    assert_eq!(keys(&first).dedupe_key, keys(&first.clone()).dedupe_key);
    let mut second = first.clone();
    second["payload"]["eventId"] = json!("other");
    assert_ne!(keys(&first).dedupe_key, keys(&second).dedupe_key);
    let mut nameless = first.clone();
    nameless["payload"]["eventId"] = json!(null);
    let mut later = nameless.clone();
    later["payload"]["timestamp"] = json!("2026-02-03T04:10:01Z");
    assert_eq!(keys(&nameless).dedupe_key, keys(&nameless.clone()).dedupe_key);
    assert_ne!(keys(&nameless).dedupe_key, keys(&later).dedupe_key);
}

#[test]
fn incoming_calls_and_call_states_are_left_alone() {
    assert_eq!(ignored(&action("CALL_RECEIVED", &json!(null))), "call status `CALL_RECEIVED` is not handled");
    for status in ["CALL_INITIATED", "CALL_CONNECTED", "CALL_DISCONNECTED", "CALL_UPDATED", "DTMF_RECEIVED"] {
        let body =
            json!({"namespace": "VOICE", "eventType": "CALL_STATUS", "payload": {"callStatus": status}});
        assert_eq!(ignored(&body), "event type `CALL_STATUS` is not handled");
    }
    assert_eq!(
        ignored(&json!({"namespace": "VOICE", "eventType": "NEW"})),
        "event type `NEW` is not handled"
    );
    assert_eq!(ignored(&json!({"namespace": "SMS"})), "namespace `SMS` is not handled");
    assert_eq!(ignored(&json!({})), "namespace `` is not handled");
}

#[test]
fn an_ignored_call_action_wants_an_answer_too() {
    assert!(VoiceInbound::is_call_action(&action("CALL_RECEIVED", &json!(null))));
    assert!(VoiceInbound::is_call_action(&json!({"namespace": "voice", "eventType": "call_action"})));
    assert!(!VoiceInbound::is_call_action(&summary()));
    assert!(!VoiceInbound::is_call_action(&json!([])));
}

#[test]
fn a_summary_says_how_the_call_ended() {
    let body = summary();
    assert_eq!(
        summarised(&body),
        SessionSummary {
            session_id: SESSION.to_owned(),
            sub_account_id: Some("acme_voice".to_owned()),
            client_request_id: Some(REQUEST.to_owned()),
            state: "completed".to_owned(),
            rank: 3,
            changed_at: read_timestamp("2026-02-03T04:10:05Z"),
            error_code: None,
            error_message: None,
            dedupe_key: format!("{SESSION}:session_summary:completed"),
            payload: body["payload"].clone(),
        }
    );
}

#[test]
fn a_failed_call_brings_its_error() {
    for code in [json!(-2004), json!("-2004")] {
        let mut body = summary();
        body["payload"]["sessionStatus"] = json!("FAILED");
        body["payload"]["errorDetails"] = json!({"errorMsg": "no coverage", "errorCode": code});
        let summary = summarised(&body);
        assert_eq!(
            (summary.state.as_str(), summary.error_code, summary.error_message.as_deref()),
            ("failed", Some(-2004), Some("no coverage"))
        );
    }
}

#[test]
fn both_spellings_of_canceled_are_one_state() {
    for (spelling, state) in [
        ("CANCELED", "canceled"),
        ("CANCELLED", "canceled"),
        ("NO_ANSWER", "no_answer"),
        ("COMPLETED_UNSUBSCRIBED", "completed_unsubscribed"),
    ] {
        let mut body = summary();
        body["payload"]["sessionStatus"] = json!(spelling);
        assert_eq!(summarised(&body).state, state);
    }
}

#[test]
fn a_summary_of_nothing_is_left_alone() {
    for name in ["sessionId", "sessionStatus"] {
        let mut body = summary();
        body["payload"][name] = json!(null);
        assert_eq!(ignored(&body), format!("session summary without `{name}`"));
    }
}

#[test]
fn the_first_generations_callback_is_what_workflows_see() {
    let body = callback();
    let event = parse_dtmf_callback(&body).unwrap();
    assert_eq!(event.dtmf_data, body);
    assert_eq!(event.ids(), ["3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30", REQUEST]);
    assert_eq!(event.dedupe_key, "3c0e9b52-11d2-11f1-9a44-0b7c5d1e2f30:2026-02-03T04:10:00.271Z:dtmf");
    assert_eq!(dtmf_key(&event.ids()[0]), dtmf_key("3c0e9b52-11d2-11f1-9a44-0b7c5d1e2f30"));
}

#[test]
fn a_callback_may_lack_one_of_its_ids() {
    let mut body = callback();
    body["clientRequestId"] = json!(null);
    let event = parse_dtmf_callback(&body).unwrap();
    assert_eq!(event.ids().len(), 1);
    assert!(event.dtmf_data.get("clientRequestId").is_none());

    body = callback();
    body["uid"] = json!("");
    let event = parse_dtmf_callback(&body).unwrap();
    assert_eq!(event.ids(), [REQUEST]);
    assert!(event.dedupe_key.ends_with(":dtmf") && event.dedupe_key.len() == 64 + 5, "{}", event.dedupe_key);
}

#[test]
fn an_id_that_is_both_is_one() {
    let mut body = callback();
    body["clientRequestId"] = json!("3c0e9b5211d211f19a440b7c5d1e2f30");
    assert_eq!(parse_dtmf_callback(&body).unwrap().ids(), ["3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30"]);
}

#[test]
fn what_the_platform_would_not_send_is_an_error() {
    for body in [json!(null), json!([]), json!("x"), json!(7)] {
        assert_eq!(parse_voice(&body), Err(InboundError::NotAnObject));
        assert_eq!(parse_dtmf_callback(&body), Err(InboundError::NotAnObject));
    }
    for event in ["CALL_ACTION", "SESSION_SUMMARY"] {
        let body = json!({"namespace": "VOICE", "eventType": event, "payload": "x"});
        assert_eq!(parse_voice(&body), Err(InboundError::NoPayload));
    }
    assert_eq!(parse_dtmf_callback(&json!({"actionDetails": {"dtmf": "1"}})), Err(InboundError::NoCall));
}
