//! What is not a call (spec 8.4.3 and 2.17.3).

use std::time::Duration;

use serde_json::json;

use super::{CREATED, place, place_at, say};
use crate::eight_by_eight::{SendFailure, VoiceApi};
use crate::recorded_server::{RecordedServer, Reply, closed_url, given_up};

async fn failure(reply: Reply) -> SendFailure {
    let server = RecordedServer::start(vec![reply]).await;
    place(&server, say()).await.unwrap_err()
}

fn failed(message: impl Into<String>) -> SendFailure {
    SendFailure::Failed { message: message.into() }
}

#[tokio::test]
async fn every_status_code_is_told_in_the_platforms_words_and_never_retried() {
    for code in (-1020..=-1001).chain([-9999, 401, 404, 500]) {
        let status = match code {
            401 => "401 Unauthorized",
            404 => "404 Not Found",
            500 | -9999 => "500 Internal Server Error",
            -1017 => "422 Unprocessable Entity",
            _ => "400 Bad Request",
        };
        let body = json!({"sessionStatus": "NOT_CREATED", "callFlowRequestId": "c-1", "statusCode": code,
            "statusMessage": format!("Reason {code}.")});
        assert_eq!(
            failure(Reply::json(status, &body.to_string())).await,
            failed(format!("Failed to send voice message because Reason {code}. Error id: c-1"))
        );
    }
}

#[tokio::test]
async fn a_2xx_without_a_created_session_is_a_fault() {
    for (body, message) in [
        (
            json!({"sessionStatus": "NOT_CREATED", "callFlowRequestId": "c-1", "statusCode": -1014,
                "statusMessage": "Caller id not allowed"}),
            "Failed to send voice message because Caller id not allowed. Error id: c-1",
        ),
        (
            json!({"sessionId": "s", "sessionStatus": "FAILED"}),
            "Failed to send voice message because the session status is `FAILED`.",
        ),
        (
            json!({"sessionId": "s", "statusMessage": "Not today"}),
            "Failed to send voice message because Not today.",
        ),
        (
            json!({"sessionStatus": "CREATED"}),
            "The answer to the voice message is not in the platform's format.",
        ),
        (json!({"uid": "u"}), "The answer to the voice message is not in the platform's format."),
        (json!({}), "The answer to the voice message is not in the platform's format."),
        (json!([CREATED]), "The answer to the voice message is not in the platform's format."),
    ] {
        assert_eq!(failure(Reply::json("200 OK", &body.to_string())).await, failed(message));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_a_fault() {
    for (status, body, message) in [
        ("200 OK", "", "The answer to the voice message is not in the platform's format."),
        (
            "200 OK",
            "<html>",
            "Unexpected character encountered while parsing value: <. Path '', line 0, position 0.",
        ),
        ("502 Bad Gateway", "<html>", "Failed to send voice message because HTTP 502 Bad Gateway."),
        ("400 Bad Request", "", "Failed to send voice message because HTTP 400 Bad Request."),
        ("302 Found", "", "Failed to send voice message because HTTP 302 Found."),
    ] {
        assert_eq!(failure(Reply::json(status, body)).await, failed(message));
    }
}

#[tokio::test]
async fn what_stands_in_front_of_the_api_is_quoted_too() {
    for (status, body, message) in [
        (
            "401 Unauthorized",
            r#"{"code": 1200, "message": "Request was not authenticated properly", "errorId": "e-3"}"#,
            "Failed to send voice message because Request was not authenticated properly. Error id: e-3",
        ),
        (
            "426 Upgrade Required",
            r#"{"code": 1014, "message": "TLS 1.3+ is required", "errorId": "e-4"}"#,
            "Failed to send voice message because TLS 1.3+ is required. Error id: e-4",
        ),
    ] {
        assert_eq!(failure(Reply::json(status, body)).await, failed(message));
    }
}

#[tokio::test]
async fn too_many_requests_are_to_be_retried_when_the_platform_says() {
    let body =
        r#"{"code": 429, "message": "Quota exceeded. Please try again in 1 second(s).", "errorId": "e-6"}"#;
    let message =
        "Failed to send voice message because Quota exceeded. Please try again in 1 second(s). Error id: e-6";
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
async fn a_refused_connection_is_retried() {
    for (api, resource) in [(VoiceApi::Callflows, "callflows"), (VoiceApi::Calls, "calls")] {
        let closed = closed_url();
        let message = format!(
            "Call failed. Connection refused: POST {closed}/api/v1/subaccounts/acme_voice/{resource}"
        );
        assert_eq!(place_at(closed, api, say()).await, Err(SendFailure::Retry { after: None, message }));
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_placed_is_not_placed_again() {
    match failure(Reply::Close).await {
        SendFailure::Failed { message } => assert!(
            message.starts_with(
                "Call failed. The connection was closed before the response was complete: POST "
            ),
            "{message}"
        ),
        SendFailure::Retry { .. } => panic!("somebody is called twice"),
    }
    let server = RecordedServer::start(vec![Reply::Hang]).await;
    let failure = given_up(&server, place(&server, say())).await.unwrap_err();
    let url = server.url("/api/v1/subaccounts/acme_voice/callflows");
    assert_eq!(failure, failed(format!("Call failed. No response within 30 seconds: POST {url}")));
}
