//! The voice connector places calls.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::{Access, SendFailure, VoiceApi, check_access};
use uuid::Uuid;

use super::{Carrier, NOON, ask, noon, say_to};

const CALLFLOWS: &str = "/sandbox/8x8/voice/api/v1/subaccounts/acme_voice/callflows";
const CALLS: &str = "/sandbox/8x8/voice/api/v1/subaccounts/acme_voice/calls";

async fn last(carrier: &Carrier) -> Value {
    carrier.get("/sandbox/calls/last").await.1
}

#[tokio::test]
async fn a_call_of_the_connector_rings() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let key = Uuid::from_u128(7);
    let placed = carrier.place(VoiceApi::Callflows, say_to("+6590001111"), key).await.unwrap();
    assert_eq!(placed.response["sessionStatus"], "CREATED");
    assert_eq!(
        (&placed.response["statusCode"], &placed.response["statusMessage"]),
        (&json!(1), &json!("Created"))
    );
    assert!(Uuid::parse_str(placed.response["callFlowRequestId"].as_str().unwrap()).is_ok());
    assert_eq!(
        carrier.get("/sandbox/calls").await.1,
        json!([{
            "uid": placed.session_id,
            "api": "callflows",
            "subAccountId": "acme_voice",
            "source": "+6568000000",
            "destination": "+6590001111",
            "clientRequestId": "c-1",
            "action": "say",
            "text": "Hello",
            "fileUrl": null,
            "state": "ringing",
            "result": null,
            "digits": null,
            "triesLeft": null,
            "notes": [],
            "request": {"clientRequestId": "c-1", "callflow": [
                {"action": "makeCall", "params": {"source": "+6568000000", "destination": "+6590001111"}},
                {"action": "say", "params": {"text": "Hello", "voiceProfile": "en-US-ZiraRUS"}},
                {"action": "hangup"},
            ]},
            "idempotencyKey": key.to_string(),
            "sentAt": NOON,
            "answeredAt": null,
            "endedAt": null,
            "attempts": 1,
            "deliveries": 1,
        }])
    );
    assert!(carrier.deliveries().is_empty(), "nothing is told before the person does something");
}

#[tokio::test]
async fn a_call_of_the_first_api_has_a_uid_in_capitals() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let placed = carrier.place(VoiceApi::Calls, ask(&json!({})), Uuid::from_u128(7)).await.unwrap();
    let uid = Uuid::parse_str(&placed.session_id).unwrap().to_string().to_uppercase();
    assert_eq!(placed.session_id, uid);
    assert_eq!(placed.response["status"]["code"], "QUEUED");
    assert_eq!(placed.response["destination"], "+6590001111");
    assert_eq!(placed.response["clientRequestId"], "c-1");
    let call = last(&carrier).await;
    assert_eq!((&call["uid"], &call["api"]), (&json!(uid), &json!("calls")));
    assert_eq!((&call["action"], &call["text"]), (&json!("say&capture"), &json!("Press 1 or 2")));
    let (_, found) = carrier.get(&format!("/sandbox/calls/{}", uid.to_lowercase())).await;
    assert_eq!(found, call);
}

#[tokio::test]
async fn a_file_is_played_from_its_url() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let inputs = json!({"action": "playFile", "params": {"source": "+6568000000", "destination": "+6590001111",
        "fileUrl": "https://a.example/a.mp3", "repetition": 2}});
    for api in [VoiceApi::Callflows, VoiceApi::Calls] {
        carrier.ring(api, inputs.clone()).await;
        let call = last(&carrier).await;
        assert_eq!(call["fileUrl"], "https://a.example/a.mp3");
        assert_eq!((&call["action"], &call["text"]), (&json!("playFile"), &json!(null)));
    }
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_call() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for api in [VoiceApi::Callflows, VoiceApi::Calls] {
        let key = Uuid::new_v4();
        let first = carrier.place(api, say_to("+6590001111"), key).await.unwrap();
        let again = carrier.place(api, say_to("+6590001111"), key).await.unwrap();
        assert_eq!(again.session_id, first.session_id);
        let call = last(&carrier).await;
        assert_eq!((&call["deliveries"], &call["attempts"]), (&json!(2), &json!(2)));
    }
    for _ in 0..2 {
        carrier.ring(VoiceApi::Callflows, say_to("+6590001111")).await;
    }
    let (_, calls) = carrier.get("/sandbox/calls").await;
    assert_eq!(calls.as_array().unwrap().len(), 4, "the client request id is no key");
}

#[tokio::test]
async fn the_calls_are_newest_first() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let (status, error) = carrier.get("/sandbox/calls/last").await;
    assert_eq!((status, &error["message"]), (404, &json!("No call was placed yet.")));
    for destination in ["+6590001111", "+6590002222", "+6590003333"] {
        carrier.ring(VoiceApi::Callflows, say_to(destination)).await;
    }
    let (_, calls) = carrier.get("/sandbox/calls?limit=2").await;
    let destinations: Vec<_> = calls.as_array().unwrap().iter().map(|call| &call["destination"]).collect();
    assert_eq!(destinations, ["+6590003333", "+6590002222"]);
    for (query, message) in [("limit=x", "Invalid limit."), ("limit=1&limit=2", "Invalid query.")] {
        let (status, error) = carrier.get(&format!("/sandbox/calls?{query}")).await;
        assert_eq!((status, &error["code"], &error["message"]), (400, &json!(1000), &json!(message)));
    }
}

#[tokio::test]
async fn the_destination_provokes_failures_of_calls() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for api in [VoiceApi::Callflows, VoiceApi::Calls] {
        for (destination, because) in
            [("+6590000400", "Invalid destination MSISDN"), ("+6590000500", "Internal server error")]
        {
            let failure = carrier.place(api, say_to(destination), Uuid::new_v4()).await.unwrap_err();
            let SendFailure::Failed { message } = failure else { panic!("{failure:?}") };
            let expected = format!("Failed to send voice message because {because}. Error id: ");
            assert!(message.starts_with(&expected), "{message}");
        }
        let key = Uuid::new_v4();
        let failure = carrier.place(api, say_to("+6590000429"), key).await.unwrap_err();
        let SendFailure::Retry { after, .. } = failure else { panic!("{failure:?}") };
        assert_eq!(after, Some(Duration::from_secs(1)));
        carrier.place(api, say_to("+6590000429"), key).await.unwrap();
        let call = last(&carrier).await;
        assert_eq!((&call["attempts"], &call["deliveries"]), (&json!(2), &json!(1)));
    }
}

#[tokio::test]
async fn a_rejected_call_never_rings() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let failure =
        carrier.place(VoiceApi::Callflows, say_to("+6590000999"), Uuid::new_v4()).await.unwrap_err();
    let SendFailure::Failed { message } = failure else { panic!("{failure:?}") };
    assert!(message.contains("The call is rejected by the sandbox"), "{message}");
    let placed = carrier.place(VoiceApi::Calls, say_to("+6590000999"), Uuid::new_v4()).await.unwrap();
    assert_eq!(placed.response["status"]["code"], "REJECTED");
    let (_, calls) = carrier.get("/sandbox/calls").await;
    for call in calls.as_array().unwrap() {
        assert_eq!((&call["state"], &call["result"]), (&json!("ended"), &json!("NOT_CREATED")));
        let (status, error) = carrier.step(call["uid"].as_str().unwrap(), "answer").await;
        assert_eq!((status, &error["message"]), (409, &json!("The call has ended: NOT_CREATED.")));
    }
}

#[tokio::test]
async fn mistakes_are_answered_with_the_voice_apis_error_object() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let key = [("Authorization", "Bearer k")];
    let webhooks = "/sandbox/8x8/voice/api/v1/subaccounts/acme_voice/webhooks";
    let nobody = "/sandbox/8x8/voice/api/v1/subaccounts/a%20b/callflows";
    for (method, path, headers, body, status, code) in [
        ("POST", CALLFLOWS, &[][..], "{}", 401, 401),
        ("POST", CALLS, &[("Authorization", "Bearer ")], "{}", 401, 401),
        ("GET", webhooks, &[], "", 401, 401),
        ("POST", nobody, &key, "{}", 404, 404),
        ("POST", CALLFLOWS, &key, "{", 400, -1001),
        ("POST", CALLS, &key, "[]", 400, -1001),
        ("POST", CALLFLOWS, &key, "{}", 400, -1009),
        ("POST", CALLS, &key, "{}", 400, -1009),
        ("POST", CALLFLOWS, &key, r#"{"callflow": [{"action": "hangup"}]}"#, 400, -1013),
        ("POST", CALLS, &key, r#"{"callflow": [{"action": "makeCall"}]}"#, 400, -1007),
    ] {
        let response = carrier.call(method, path, headers, body).await;
        let error: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &error["statusCode"]), (status, &json!(code)), "{path} {body}");
        assert_eq!(error["sessionStatus"], "NOT_CREATED");
        assert!(Uuid::parse_str(error["callFlowRequestId"].as_str().unwrap()).is_ok());
        assert!(error["statusMessage"].is_string());
        assert_eq!(error.as_object().unwrap().len(), 4);
    }
    let response = carrier.call("POST", nobody, &key, "{}").await;
    let error: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(error["statusMessage"], "SubAccount not found by Id : a b");
    assert_eq!(carrier.get("/sandbox/calls").await.1, json!([]));
}

#[tokio::test]
async fn the_validity_is_repeated_and_checked() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let mut request = json!({"validUntil": "1970-01-01T12:00:01Z", "callflow": [
        {"action": "makeCall", "params": {"source": "+6568000000", "destination": "+6590001111"}}]});
    let key = [("Authorization", "Bearer k")];
    let response = carrier.call("POST", CALLFLOWS, &key, &request.to_string()).await;
    let answer: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        (&answer["sessionStatus"], &answer["validUntil"]),
        (&json!("CREATED"), &request["validUntil"])
    );
    request["validUntil"] = json!(noon());
    let response = carrier.call("POST", CALLFLOWS, &key, &request.to_string()).await;
    let answer: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((response.status, &answer["statusCode"]), (400, &json!(-1015)));
}

#[tokio::test]
async fn the_connectors_check_of_a_key_passes() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let platform = carrier.platform(VoiceApi::Callflows);
    for (product, access) in check_access(&carrier.http, &platform, "acme_any").await {
        assert_eq!(access, Access::Works, "{product:?}");
    }
    let (status, webhooks) = carrier.get("/sandbox/8x8/voice/api/v1/subaccounts/acme_voice/webhooks").await;
    assert_eq!((status, webhooks), (200, json!([])));
}
