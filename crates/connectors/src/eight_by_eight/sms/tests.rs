//! Recorded exchanges with the SMS API.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::send_sms;
use crate::eight_by_eight::{EightByEight, EightByEightSettings as Settings, SendFailure};
use crate::outbound::{AddressPolicy, OutboundClient};
use crate::recorded_server::{RecordedServer, Reply, closed_url, given_up, loopback_client};

const KEY: Uuid = uuid!("0d9c2f60-0000-4a2b-9d3e-5b1f0a7c8e21");
const QUEUED: &str = r#"{"umid": "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21", "destination": "6590001111", "encoding": "GSM7",
 "clientMessageId": "m-1",
 "status": {"code": "QUEUED", "description": "SMS is accepted and queued for processing"}}"#;

fn config(sms_url: String) -> EightByEight {
    Settings { sms_url: Some(sms_url), ..Settings::default() }.resolve("k-1".to_owned())
}

async fn send(server: &RecordedServer, inputs: Value) -> Result<Value, SendFailure> {
    send_sms(&loopback_client(), &config(server.url("")), inputs.as_object().unwrap(), KEY).await
}

async fn failure(reply: Reply) -> SendFailure {
    let server = RecordedServer::start(vec![reply]).await;
    send(&server, json!({"subAccountId": "acme_sms", "destination": "+6590001111", "text": "x"}))
        .await
        .unwrap_err()
}

async fn body_sent(inputs: Value) -> Value {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    send(&server, inputs).await.unwrap();
    server.bodies().remove(0)
}

#[tokio::test]
async fn c_160_an_sms_is_posted_with_the_key_and_its_answer_becomes_the_outputs() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    let inputs = json!({"subAccountId": "acme_sms", "destination": "+6590001111", "text": "Thanks, noted.",
        "source": "ACME", "clientMessageId": "m-1"});
    let outputs = send(&server, inputs).await.unwrap();
    assert_eq!(
        server.requests(),
        ["POST /api/v1/subaccounts/acme_sms/messages HTTP/1.1\r\n\
          authorization: Bearer k-1\r\n\
          content-type: application/json\r\n\
          accept: application/json\r\n\
          idempotency-key: 0d9c2f60-0000-4a2b-9d3e-5b1f0a7c8e21\r\n\
          user-agent: automation\r\n\
          host: HOST\r\n\
          content-length: 93\r\n\r\n\
          {\"destination\":\"+6590001111\",\"text\":\"Thanks, noted.\",\"source\":\"ACME\",\"clientMessageId\":\"m-1\"}"]
    );
    assert_eq!(
        outputs,
        json!({
            "umid": "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21",
            "status": "QUEUED",
            "description": "SMS is accepted and queued for processing",
            "destination": "6590001111",
            "encoding": "GSM7",
            "clientMessageId": "m-1",
            "requestId": "0d9c2f60-0000-4a2b-9d3e-5b1f0a7c8e21",
        })
    );
}

#[tokio::test]
async fn c_161_the_encoding_is_sent_in_upper_case() {
    let body =
        body_sent(json!({"subAccountId": "acme_sms", "destination": "1", "text": "x", "encoding": "Auto"}));
    assert_eq!(body.await["encoding"], "AUTO");
}

#[tokio::test]
async fn inputs_take_the_platforms_spelling_and_become_text() {
    let body =
        body_sent(json!({"subaccountID": 123, "Destination": 6_590_001_111_u64, "TEXT": 5, "source": true,
        "country": null, "dlrcallbackurl": "https://a.example/", "clientIp": "192.0.2.1", "track": "Outcome",
        "somethingNew": {"a": [1]}}));
    assert_eq!(
        body.await,
        json!({"destination": "6590001111", "text": "5", "source": "true", "dlrCallbackUrl": "https://a.example/",
            "clientIp": "192.0.2.1", "track": "Outcome", "somethingNew": {"a": [1]},
            "clientMessageId": KEY.to_string()})
    );
}

#[tokio::test]
async fn every_field_of_the_api_is_sent() {
    let fields = json!({"destination": "90001111", "text": "x", "source": "ACME", "country": "SG",
        "clientMessageId": "m-1", "encoding": "UCS2", "scheduled": "2026-02-03T04:05:06Z",
        "expiry": "2026-02-04T04:05:06Z", "dlrCallbackUrl": "https://a.example/r", "clientIp": "192.0.2.1",
        "track": "None"});
    let mut inputs = fields.clone();
    inputs["subAccountId"] = json!("acme_sms");
    assert_eq!(body_sent(inputs).await, fields);
}

#[tokio::test]
async fn optional_fields_that_are_blank_are_left_out() {
    let body = body_sent(json!({"subAccountId": "acme_sms", "destination": "", "text": " ", "source": "",
        "country": " ", "encoding": "", "scheduled": "", "expiry": "", "dlrCallbackUrl": "", "clientIp": "",
        "track": "", "clientMessageId": " "}));
    assert_eq!(
        body.await,
        json!({"destination": "", "text": " ", "clientMessageId": KEY.to_string()}),
        "whether required fields may be blank is the platform's decision"
    );
}

#[tokio::test]
async fn every_code_of_the_platform_is_told_in_its_words_and_never_retried() {
    for code in (1000..=1012).chain([1014, 1100, 1200, 1201, 1300, 1400, 2000, 2001, 2002, 2003]) {
        let status = match code {
            1200 => "401 Unauthorized",
            1201 => "403 Forbidden",
            1300 => "404 Not Found",
            2000..=2003 => "500 Internal Server Error",
            _ => "400 Bad Request",
        };
        let body = json!({"code": code, "message": format!("Reason {code}"), "errorId": "e"}).to_string();
        let message = format!("Failed to send SMS because Reason {code}. Error id: e");
        assert_eq!(failure(Reply::json(status, &body)).await, SendFailure::Failed { message });
    }
}

#[tokio::test]
async fn a_platform_that_hangs_is_given_up_after_30_seconds_and_not_asked_again() {
    let server = RecordedServer::start(vec![Reply::Hang]).await;
    let failure = given_up(&server, send(&server, json!({"subAccountId": "acme_sms"}))).await.unwrap_err();
    let url = server.url("/api/v1/subaccounts/acme_sms/messages");
    let message = format!("Call failed. No response within 30 seconds: POST {url}");
    assert_eq!(failure, SendFailure::Failed { message });
}

#[tokio::test]
async fn the_idempotency_key_is_the_client_message_id_unless_the_author_gives_one() {
    for (given, sent) in [
        (json!(null), KEY.to_string()),
        (json!(""), KEY.to_string()),
        (json!("mine"), "mine".to_owned()),
        (json!(7), "7".to_owned()),
    ] {
        let body = body_sent(json!({"subAccountId": "acme", "text": "x", "clientMessageId": given})).await;
        assert_eq!(body["clientMessageId"], sent);
    }
}

#[tokio::test]
async fn the_client_message_id_output_is_the_one_that_came_back() {
    let answer = r#"{"umid": "u", "status": {"code": "QUEUED"}}"#;
    let server = RecordedServer::start(vec![Reply::json("200 OK", answer)]).await;
    let outputs = send(&server, json!({"subAccountId": "acme", "clientMessageId": "mine"})).await.unwrap();
    assert_eq!((&outputs["clientMessageId"], &outputs["description"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_request_id_of_the_platform_is_quoted() {
    let reply = Reply::with_headers("200 OK", "X-Request-Id: r-9\r\n", QUEUED);
    let server = RecordedServer::start(vec![reply]).await;
    assert_eq!(send(&server, json!({"subAccountId": "acme"})).await.unwrap()["requestId"], "r-9");
}

#[tokio::test]
async fn a_rejected_message_is_a_success() {
    let answer = r#"{"umid": "u", "status": {"code": "REJECTED", "description": "blocked"}}"#;
    let server = RecordedServer::start(vec![Reply::json("200 OK", answer)]).await;
    let outputs = send(&server, json!({"subAccountId": "acme"})).await.unwrap();
    assert_eq!((&outputs["status"], &outputs["description"]), (&json!("REJECTED"), &json!("blocked")));
}

#[tokio::test]
async fn a_subaccount_that_is_missing_or_cannot_be_one_faults_before_any_call() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    for id in [
        json!(null),
        json!(""),
        json!("  "),
        json!("a/b"),
        json!("../../x"),
        json!({"id": "abc"}),
        json!([1]),
    ] {
        let failure = send(&server, json!({"subAccountId": id, "text": "x"})).await.unwrap_err();
        assert_eq!(failure, SendFailure::Failed { message: "Invalid subaccount id.".to_owned() });
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_subaccount_is_encoded_in_the_path() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", QUEUED)]).await;
    send(&server, json!({"subAccountId": "a&b_c.d-e"})).await.unwrap();
    assert!(server.requests()[0].starts_with("POST /api/v1/subaccounts/a%26b_c.d-e/messages HTTP/1.1\r\n"));
}

#[tokio::test]
async fn c_162_a_refused_sms_fails_with_the_platforms_message_and_error_id() {
    for (status, body, message) in [
        (
            "400 Bad Request",
            r#"{"code": 1002, "message": "Invalid MSISDN format (not E.164 international number)", "errorId": "e-1", "timestamp": "t"}"#,
            "Failed to send SMS because Invalid MSISDN format (not E.164 international number). Error id: e-1",
        ),
        (
            "400 Bad Request",
            r#"{"code": 1000, "message": "Invalid umid.", "errorId": "e-2"}"#,
            "Failed to send SMS because Invalid umid. Error id: e-2",
        ),
        (
            "401 Unauthorized",
            r#"{"code": 1200, "message": "Request was not authenticated properly", "errorId": "e-3"}"#,
            "Failed to send SMS because Request was not authenticated properly. Error id: e-3",
        ),
        (
            "426 Upgrade Required",
            r#"{"code": 1014, "message": "TLS 1.3+ is required for Singapore-bound messages. Detected: TLSv1.2", "errorId": "e-4"}"#,
            "Failed to send SMS because TLS 1.3+ is required for Singapore-bound messages. Detected: TLSv1.2. Error id: e-4",
        ),
        (
            "500 Internal Server Error",
            r#"{"code": 2000, "message": "Internal server error", "errorId": "e-5"}"#,
            "Failed to send SMS because Internal server error. Error id: e-5",
        ),
        ("502 Bad Gateway", "<html>", "Failed to send SMS because HTTP 502 Bad Gateway."),
        ("302 Found", "", "Failed to send SMS because HTTP 302 Found."),
    ] {
        assert_eq!(
            failure(Reply::json(status, body)).await,
            SendFailure::Failed { message: message.to_owned() }
        );
    }
}

#[tokio::test]
async fn too_many_requests_are_to_be_retried_when_the_platform_says() {
    let body =
        r#"{"code": 429, "message": "Quota exceeded. Please try again in 1 second(s).", "errorId": "e-6"}"#;
    let message = "Failed to send SMS because Quota exceeded. Please try again in 1 second(s). Error id: e-6";
    for (headers, after) in [
        ("Retry-After: 1\r\n", Some(Duration::from_secs(1))),
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
async fn a_refused_connection_is_to_be_retried() {
    let closed = closed_url();
    let inputs = json!({"subAccountId": "acme_sms"});
    let failure =
        send_sms(&loopback_client(), &config(format!("{closed}/")), inputs.as_object().unwrap(), KEY).await;
    assert_eq!(
        failure,
        Err(SendFailure::Retry {
            after: None,
            message: format!(
                "Call failed. Connection refused: POST {closed}/api/v1/subaccounts/acme_sms/messages"
            ),
        })
    );
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_not_retried() {
    match failure(Reply::Close).await {
        SendFailure::Failed { message } => assert!(
            message.starts_with(
                "Call failed. The connection was closed before the response was complete: POST "
            ),
            "{message}"
        ),
        SendFailure::Retry { .. } => panic!("a message that may have been accepted is sent again"),
    }
}

#[tokio::test]
async fn a_platform_at_a_private_address_is_refused_without_retry() {
    let outbound = OutboundClient::new(AddressPolicy::default());
    let inputs = json!({"subAccountId": "acme_sms"});
    let failure =
        send_sms(&outbound, &config("http://127.0.0.1:9".to_owned()), inputs.as_object().unwrap(), KEY).await;
    assert!(matches!(failure, Err(SendFailure::Failed { .. })), "{failure:?}");
}

#[tokio::test]
async fn an_accepted_message_with_an_unreadable_answer_fails() {
    assert_eq!(
        failure(Reply::json("200 OK", "<html>")).await.to_string(),
        "Unexpected character encountered while parsing value: <. Path '', line 0, position 0."
    );
    for body in ["", "[1]", "7"] {
        assert_eq!(
            failure(Reply::json("200 OK", body)).await.to_string(),
            "The answer to the SMS is not in the platform's format."
        );
    }
}
