//! Recorded exchanges with the chat-apps API.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::{is_business_scoped_user_id, send_chat_apps_message};
use crate::eight_by_eight::{EightByEightSettings as Settings, SendFailure};
use crate::recorded_server::{RecordedServer, Reply, closed_url, given_up, loopback_client};

const KEY: Uuid = uuid!("5a0d6c3e-0000-4b7f-8c1d-7e9f0a1b2c3d");
const QUEUED: &str = r#"{"umid": "5a0d6c3e-2222-4b7f-8c1d-7e9f0a1b2c3d", "user": {"msisdn": "+6590001111"},
 "status": {"state": "queued", "timestamp": "2026-02-03T04:05:07.15Z"}}"#;

async fn send(server: &RecordedServer, inputs: Value) -> Result<Value, SendFailure> {
    send_to(server.url("/"), inputs).await
}

async fn send_to(url: String, inputs: Value) -> Result<Value, SendFailure> {
    let config = Settings { chat_apps_url: Some(url), ..Settings::default() }.resolve("k-1".to_owned());
    send_chat_apps_message(&loopback_client(), &config, inputs.as_object().unwrap(), KEY).await
}

async fn failure(reply: Reply) -> SendFailure {
    let server = RecordedServer::start(vec![reply]).await;
    send(&server, json!({"subAccountId": "acme_chat"})).await.unwrap_err()
}

async fn body_sent(inputs: Value) -> Value {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    send(&server, inputs).await.unwrap();
    server.bodies().remove(0)
}

async fn outputs_of(answer: &str) -> Value {
    let server = RecordedServer::start(vec![Reply::json("200 OK", answer)]).await;
    send(&server, json!({"subAccountId": "acme_chat"})).await.unwrap()
}

#[tokio::test]
async fn a_chat_apps_message_is_posted_with_the_key() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    let inputs = json!({"subAccountId": "acme_chat", "user": {"msisdn": "+6590001111"}, "type": "text",
        "content": {"text": "Pick 1 or 2"}, "clientMessageId": "m-1"});
    send(&server, inputs).await.unwrap();
    assert_eq!(
        server.requests(),
        ["POST /api/v1/subaccounts/acme_chat/messages HTTP/1.1\r\n\
          authorization: Bearer k-1\r\n\
          content-type: application/json\r\n\
          accept: application/json\r\n\
          idempotency-key: 5a0d6c3e-0000-4b7f-8c1d-7e9f0a1b2c3d\r\n\
          user-agent: automation\r\n\
          host: HOST\r\n\
          content-length: 104\r\n\r\n\
          {\"user\":{\"msisdn\":\"+6590001111\"},\"type\":\"text\",\"content\":{\"text\":\"Pick 1 or 2\"},\"clientMessageId\":\"m-1\"}"]
    );
}

#[tokio::test]
async fn c_163_every_input_but_the_subaccount_is_forwarded() {
    let inputs = json!({
        "SubAccountId": "acme_chat",
        "User": {"msisdn": 6_590_001_111_u64, "country": "SG", "custom": 1},
        "type": "Image",
        "content": {"url": "https://a.example/x.png", "text": 7, "deep": {"n": 1, "none": null}},
        "channels": [{"channel": "WhatsApp", "fallbackAfter": 60}, {"channel": "SMS"}],
        "context": {"umid": "u"},
        "scheduled": null,
        "anythingElse": [true],
    });
    assert_eq!(
        body_sent(inputs).await,
        json!({
            "user": {"msisdn": "6590001111", "country": "SG", "custom": 1},
            "type": "Image",
            "content": {"url": "https://a.example/x.png", "text": "7", "deep": {"n": 1, "none": null}},
            "channels": [{"channel": "WhatsApp", "fallbackAfter": 60}, {"channel": "SMS"}],
            "context": {"umid": "u"},
            "anythingElse": [true],
            "clientMessageId": KEY.to_string(),
        })
    );
}

#[tokio::test]
async fn optional_fields_that_are_blank_are_left_out() {
    let body = body_sent(json!({"subAccountId": "acme_chat", "type": "", "content": {"text": ""},
        "user": {"msisdn": "", "country": " ", "lineUserId": "", "channelUserId": "SG.9", "custom": ""},
        "channels": "", "scheduled": "", "expiry": " ", "dlrCallbackUrl": "", "context": "",
        "clientMessageId": ""}));
    assert_eq!(
        body.await,
        json!({"type": "", "content": {"text": ""}, "user": {"channelUserId": "SG.9", "custom": ""},
            "clientMessageId": KEY.to_string()})
    );
}

#[tokio::test]
async fn c_164_the_status_is_the_state_of_the_answer() {
    assert_eq!(
        outputs_of(QUEUED).await,
        json!({"umid": "5a0d6c3e-2222-4b7f-8c1d-7e9f0a1b2c3d", "status": "queued", "description": null,
            "clientMessageId": null, "requestId": KEY.to_string()})
    );
}

#[tokio::test]
async fn status_and_description_come_from_the_first_member_that_is_there() {
    for (status, expected) in [
        (json!({"code": "QUEUED", "state": "queued", "description": "d", "detail": "x"}), ("QUEUED", "d")),
        (json!({"state": "rejected", "detail": "x", "errorMessage": "m"}), ("rejected", "x")),
        (json!({"state": "rejected", "errorMessage": "m"}), ("rejected", "m")),
    ] {
        let outputs = outputs_of(&json!({"umid": "u", "status": status}).to_string()).await;
        assert_eq!((outputs["status"].as_str().unwrap(), outputs["description"].as_str().unwrap()), expected);
    }
}

#[tokio::test]
async fn c_165_a_refused_message_fails_with_the_platforms_message_and_error_id() {
    for (message, told) in [("Invalid 'msisdn'.", "Invalid 'msisdn'"), ("Empty 'user'", "Empty 'user'")] {
        let body = json!({"code": 3003, "message": message, "errorId": "e-1", "timestamp": "t"}).to_string();
        let server = RecordedServer::start(vec![Reply::json("400 Bad Request", &body)]).await;
        assert_eq!(
            send(&server, json!({"subAccountId": "acme_chat"})).await,
            Err(SendFailure::Failed {
                message: format!("Failed to send chat apps message because {told}. Error id: e-1")
            })
        );
    }
}

#[tokio::test]
async fn c_166_a_business_scoped_user_id_in_msisdn_is_sent_as_channel_user_id() {
    for user in [
        json!({"msisdn": "SG.90817263544536271"}),
        json!({"MSISDN": "SG.90817263544536271"}),
        json!({"msisdn": "SG.90817263544536271", "channelUserId": "6590001111"}),
    ] {
        let body = body_sent(json!({"subAccountId": "acme_chat", "user": user})).await;
        assert_eq!(body["user"], json!({"channelUserId": "SG.90817263544536271"}));
    }
    let both = json!({"msisdn": "+6590001111", "channelUserId": "SG.9"});
    let body = body_sent(json!({"subAccountId": "acme_chat", "user": both.clone()})).await;
    assert_eq!(body["user"], both);
}

#[test]
fn a_business_scoped_user_id_is_told_from_other_ids() {
    for id in ["SG.9", "US.aB3"] {
        assert!(is_business_scoped_user_id(id), "{id}");
    }
    for id in ["", "SG", "SG.", "sg.9", "S.9", "SGP.9", "SG.9.9", "SG.9-9", "+6590001111", "6590001111"] {
        assert!(!is_business_scoped_user_id(id), "{id}");
    }
}

#[tokio::test]
async fn a_missing_subaccount_faults() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    assert_eq!(
        send(&server, json!({"user": {}})).await,
        Err(SendFailure::Failed { message: "Invalid subaccount id.".to_owned() })
    );
}

#[tokio::test]
async fn every_field_of_the_api_is_sent() {
    let fields = json!({
        "user": {"msisdn": "+6590001111", "country": "SG", "lineUserId": "U1", "channelUserId": "c"},
        "type": "template",
        "content": {"template": {"name": "t", "language": "en", "components": [{"type": "body",
            "parameters": [{"type": "text", "text": "x"}]}]}, "sms": {"encoding": "AUTO", "source": "ACME"}},
        "clientMessageId": "m-1",
        "channels": [{"channel": "RCS", "fallbackAfter": 10, "successStatus": "Delivered"}],
        "scheduled": "2026-02-03T04:05:06Z",
        "expiry": "2026-02-04T04:05:06Z",
        "dlrCallbackUrl": "https://a.example/r",
        "context": {"umid": "u"},
    });
    let mut inputs = fields.clone();
    inputs["subAccountId"] = json!("acme_chat");
    assert_eq!(body_sent(inputs).await, fields);
}

#[tokio::test]
async fn every_code_of_the_platform_is_told_in_its_words_and_never_retried() {
    for code in (1000..=1012).chain([1014, 1200, 1201, 1300, 2000]).chain(3001..=3053).chain([3060]) {
        let status = match code {
            1014 => "426 Upgrade Required",
            1200 => "401 Unauthorized",
            1201 => "403 Forbidden",
            1300 => "404 Not Found",
            2000 => "500 Internal Server Error",
            3060 => "409 Conflict",
            _ => "400 Bad Request",
        };
        let body = json!({"code": code, "message": format!("Reason {code}"), "errorId": "e"}).to_string();
        let message = format!("Failed to send chat apps message because Reason {code}. Error id: e");
        assert_eq!(failure(Reply::json(status, &body)).await, SendFailure::Failed { message });
    }
}

#[tokio::test]
async fn too_many_requests_are_to_be_retried_when_the_platform_says() {
    let body =
        r#"{"code": 429, "message": "Quota exceeded. Please try again in 1 second(s).", "errorId": "e"}"#;
    let message = "Failed to send chat apps message because Quota exceeded. Please try again in 1 second(s). Error id: e";
    for (headers, after) in [
        ("Retry-After: 3\r\n", Some(Duration::from_secs(3))),
        ("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some(Duration::ZERO)),
        ("", None),
    ] {
        assert_eq!(
            failure(Reply::with_headers("429 Too Many Requests", headers, body)).await,
            SendFailure::Retry { after, message: message.to_owned() }
        );
    }
}

#[tokio::test]
async fn a_refused_connection_is_retried_and_a_broken_one_is_not() {
    let closed = closed_url();
    let message =
        format!("Call failed. Connection refused: POST {closed}/api/v1/subaccounts/acme_chat/messages");
    assert_eq!(
        send_to(closed, json!({"subAccountId": "acme_chat"})).await,
        Err(SendFailure::Retry { after: None, message })
    );
    assert!(matches!(failure(Reply::Close).await, SendFailure::Failed { .. }));
}

#[tokio::test]
async fn a_platform_that_hangs_is_given_up_after_30_seconds_and_not_asked_again() {
    let server = RecordedServer::start(vec![Reply::Hang]).await;
    let failure = given_up(&server, send(&server, json!({"subAccountId": "acme_chat"}))).await.unwrap_err();
    let url = server.url("/api/v1/subaccounts/acme_chat/messages");
    let message = format!("Call failed. No response within 30 seconds: POST {url}");
    assert_eq!(failure, SendFailure::Failed { message });
}

#[tokio::test]
async fn an_accepted_message_with_an_unreadable_answer_fails() {
    for (body, message) in [
        ("<html>", "Unexpected character encountered while parsing value: <. Path '', line 0, position 0."),
        ("", "The answer to the chat apps message is not in the platform's format."),
        ("[1]", "The answer to the chat apps message is not in the platform's format."),
    ] {
        assert_eq!(
            failure(Reply::json("200 OK", body)).await,
            SendFailure::Failed { message: message.to_owned() }
        );
    }
}
