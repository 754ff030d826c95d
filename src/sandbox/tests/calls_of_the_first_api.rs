//! The person at the phone, in calls of the first API: only pressed keys are told, to the URL of the call.

use axum::http::StatusCode;
use serde_json::json;
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_connectors::eight_by_eight::voice_inbound::parse_dtmf_callback;

use super::{Carrier, NOON, ask, say_to};

#[tokio::test]
async fn pressed_keys_are_posted_to_the_callback_url_as_it_is() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let uid = carrier.ring(VoiceApi::Calls, ask(&json!({}))).await;
    let (status, call) = carrier.press(&uid, json!("2")).await;
    assert_eq!((status, &call["state"], &call["result"]), (200, &json!("ended"), &json!("COMPLETED")));
    assert_eq!(
        (&call["webhookStatus"], &call["webhooks"]),
        (&json!(200), &json!([{"event": "DTMF", "status": 200}]))
    );
    let [delivery] = &carrier.deliveries()[..] else { panic!("not one webhook") };
    assert_eq!(delivery.uri.to_string(), "/hooks/acme/dtmf?token=a%2Bb");
    assert_eq!(delivery.headers.get("authorization"), None);
    assert_eq!(
        delivery.body,
        json!({"uid": uid, "status": {"code": "DTMF", "timestamp": NOON}, "destination": "+6590001111",
            "clientRequestId": "c-1", "actionDetails": {"dtmf": "2"}})
    );
    assert_eq!(parse_dtmf_callback(&delivery.body).unwrap().ids(), [uid.as_str(), "c-1"]);
}

#[tokio::test]
async fn an_author_s_own_callback_url_is_taken_and_the_id_may_be_missing() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let url = format!("{}/mine?a=1&b=%20", carrier.webhook_url);
    let mut inputs = ask(&json!({"dtmfCallbackUrl": url}));
    inputs["clientRequestId"] = json!(null);
    let uid = carrier.ring(VoiceApi::Calls, inputs).await;
    carrier.step(&uid, "answer").await;
    carrier.press(&uid, json!("1")).await;
    let [delivery] = &carrier.deliveries()[..] else { panic!("not one webhook") };
    assert_eq!(delivery.uri.to_string(), "/mine?a=1&b=%20");
    assert_eq!(delivery.body.get("clientRequestId"), None);
}

#[tokio::test]
async fn a_callback_url_leads_only_where_its_author_may_call() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (host, reason) in [
        ("10.0.0.1", "`10.0.0.1` may not be called from here"),
        ("169.254.169.254", "`169.254.169.254` may not be called from here"),
    ] {
        let url = format!("http://{host}/latest");
        let uid = carrier.ring(VoiceApi::Calls, ask(&json!({"dtmfCallbackUrl": url}))).await;
        let (status, error) = carrier.press(&uid, json!("1")).await;
        assert_eq!((status, &error["message"]), (502, &json!(format!("Call failed. {reason}: POST {url}"))));
    }
    assert!(carrier.deliveries().is_empty());
}

#[tokio::test]
async fn nothing_else_is_told() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let said = carrier.ring(VoiceApi::Calls, say_to("+6590001111")).await;
    let (_, call) = carrier.step(&said, "answer").await;
    assert_eq!((&call["state"], &call["result"]), (&json!("ended"), &json!("COMPLETED")));
    for step in ["busy", "no-answer", "hangup"] {
        let uid = carrier.ring(VoiceApi::Calls, ask(&json!({}))).await;
        let (status, call) = carrier.step(&uid, step).await;
        assert_eq!((status, &call["webhookStatus"]), (200, &json!(null)));
    }
    let silent = carrier.ring(VoiceApi::Calls, ask(&json!({"noOfTries": 2}))).await;
    carrier.press(&silent, json!(null)).await;
    let (_, call) = carrier.press(&silent, json!(null)).await;
    assert_eq!(call["state"], "ended");
    assert_eq!(
        call["notes"],
        json!(["too few digits in the last try: nothing is posted to `dtmfCallbackUrl`"])
    );
    assert!(carrier.deliveries().is_empty());
}
