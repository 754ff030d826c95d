//! The first generation (spec 8.4.5).

use serde_json::{Value, json};

use super::{CREATED, OUR_CALLBACK, QUEUED, body_sent, place_at, say};
use crate::eight_by_eight::{PlacedCall, SendFailure, VoiceApi};
use crate::recorded_server::{RecordedServer, Reply};

fn ask() -> Value {
    json!({
        "subAccountId": "acme_voice",
        "clientRequestId": "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77",
        "action": "sayAndCapture",
        "params": {"source": "+6568000000", "destination": "+6590001111", "text": "Press 1 or 2",
            "language": "en-US", "voiceProfile": "en-US-BenjaminRUS", "repetition": "1", "speed": 1,
            "dtmfCallbackUrl": "https://a.example/dtmf", "minDigits": 1, "maxDigits": 1,
            "digitTimeout": 10000, "overallTimeout": 10000, "completeOnHash": "true", "noOfTries": 1,
            "endMessage": null, "somethingNew": [1]},
    })
}

async fn answered(status: &str, body: &str) -> Result<PlacedCall, SendFailure> {
    let server = RecordedServer::start(vec![Reply::json(status, body)]).await;
    place_at(server.url("/"), VoiceApi::Calls, say()).await
}

#[tokio::test]
async fn a_call_is_one_action_with_everything_in_it() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    let call = place_at(server.url("/"), VoiceApi::Calls, ask()).await.unwrap();
    let [request] = server.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        head,
        format!(
            "POST /api/v1/subaccounts/acme_voice/calls HTTP/1.1\r\n\
             authorization: Bearer k-1\r\n\
             content-type: application/json\r\n\
             accept: application/json\r\n\
             idempotency-key: 7f1b2c3d-0000-4d5e-8f90-a1b2c3d4e5f6\r\n\
             user-agent: automation\r\n\
             host: HOST\r\n\
             content-length: {}",
            body.len()
        )
    );
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({"clientRequestId": "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77", "callflow": [{"action": "say&capture",
            "params": {"source": "+6568000000", "destination": "+6590001111", "text": "Press 1 or 2",
                "language": "en-US", "voiceProfile": "en-US-BenjaminRUS", "repetition": 1, "speed": 1,
                "dtmfCallbackUrl": "https://a.example/dtmf", "minDigits": 1, "maxDigits": 1,
                "digitTimeout": 10000, "overallTimeout": 10000, "completeOnHash": true, "noOfTries": 1,
                "somethingNew": [1]}}]})
    );
    assert_eq!(
        call.response,
        json!({"uid": "3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30",
            "status": {"code": "QUEUED", "description": "Call is queued"}, "destination": "6590001111",
            "clientRequestId": "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77"})
    );
    assert_eq!(call.session_id, "3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30");
    assert_eq!(call.destination.as_deref(), Some("+6590001111"));
}

#[tokio::test]
async fn key_presses_come_to_us_unless_the_author_says_otherwise() {
    for given in [None, Some(json!(null)), Some(json!(" "))] {
        let mut inputs = ask();
        match given {
            Some(value) => inputs["params"]["dtmfCallbackUrl"] = value,
            None => drop(inputs["params"].as_object_mut().unwrap().shift_remove("dtmfCallbackUrl")),
        }
        let body = body_sent(VoiceApi::Calls, inputs).await;
        assert_eq!(body["callflow"][0]["params"]["dtmfCallbackUrl"], OUR_CALLBACK);
    }
    let body = body_sent(VoiceApi::Calls, say()).await;
    assert_eq!(
        body,
        json!({"callflow": [{"action": "say", "params": {"source": "+6568000000", "destination": "+6590001111",
            "text": "Hello", "voiceProfile": "en-US-ZiraRUS"}}]})
    );
    let mut plays = say();
    plays["action"] = json!("PLAYFILE");
    assert_eq!(body_sent(VoiceApi::Calls, plays).await["callflow"][0]["action"], "playFile");
}

#[tokio::test]
async fn an_answer_of_either_generation_is_understood() {
    assert_eq!(answered("200 OK", CREATED).await.unwrap().session_id, "d9874358-0000-4c50-8bab-1eb634482a94");
    for (status, body, message) in [
        (
            "200 OK",
            r#"{"uid": "u", "sessionStatus": "NOT_CREATED", "statusMessage": "Caller id not allowed"}"#,
            "Failed to send voice message because Caller id not allowed.",
        ),
        (
            "400 Bad Request",
            r#"{"statusCode": -1004, "statusMessage": "DTMF callback url is missing", "callFlowRequestId": "c"}"#,
            "Failed to send voice message because DTMF callback url is missing. Error id: c",
        ),
        (
            "400 Bad Request",
            r#"{"code": 1001, "message": "Provided subAccountId doesn't belongs to your account", "errorId": "e"}"#,
            "Failed to send voice message because Provided subAccountId doesn't belongs to your account. \
             Error id: e",
        ),
        ("200 OK", "{}", "The answer to the voice message is not in the platform's format."),
    ] {
        assert_eq!(answered(status, body).await, Err(SendFailure::Failed { message: message.to_owned() }));
    }
}
