//! Recorded exchanges with the chat-apps API.

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::{is_business_scoped_user_id, send_chat_apps_message};
use crate::eight_by_eight::{MessagingConfig, SendFailure};
use crate::outbound::{AddressPolicy, OutboundClient, parse_network};
use crate::recorded_server::{RecordedServer, Reply};

const KEY: Uuid = uuid!("5a0d6c3e-0000-4b7f-8c1d-7e9f0a1b2c3d");
const QUEUED: &str = r#"{"umid": "5a0d6c3e-2222-4b7f-8c1d-7e9f0a1b2c3d", "user": {"msisdn": "+6590001111"},
 "status": {"state": "queued", "timestamp": "2026-02-03T04:05:07.15Z"}}"#;

async fn send(server: &RecordedServer, inputs: Value) -> Result<Value, SendFailure> {
    let allowed = vec![parse_network("127.0.0.1").unwrap()];
    let client = OutboundClient::new(AddressPolicy { allow_private: false, allowed });
    let config = MessagingConfig {
        sms_url: "https://unused.example".to_owned(),
        chat_apps_url: server.url("/"),
        api_key: "k-1".to_owned(),
    };
    send_chat_apps_message(&client, &config, inputs.as_object().unwrap(), KEY).await
}

async fn body_sent(inputs: Value) -> Value {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    send(&server, inputs).await.unwrap();
    let request = server.requests().remove(0);
    serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap()
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
