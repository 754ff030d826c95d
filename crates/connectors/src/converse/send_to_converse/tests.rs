//! Recorded exchanges with an adapter.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::send_to_converse;
use crate::converse::ConverseSettings;
use crate::recorded_server::{RecordedServer, Reply, closed_url, given_up, loopback_client};
use crate::send_failure::SendFailure;

const KEY: Uuid = uuid!("6b0c7a11-0000-4e0f-9a52-3c1d2e4f5a60");

async fn send_to(url: &str, authorization: Option<&str>) -> Result<Value, SendFailure> {
    let body = json!({"accountId": "acme", "subAccountId": "acme_chat",
        "workflowId": "65c0ffee65c0ffee65c0ffee", "payload": {"text": "help"}});
    send_to_converse(&loopback_client(), url, authorization, &body, KEY).await
}

async fn outcome(reply: Reply) -> Result<Value, SendFailure> {
    let server = RecordedServer::start(vec![reply]).await;
    send_to(&server.url("/tickets"), None).await
}

fn failed(message: &str) -> Result<Value, SendFailure> {
    Err(SendFailure::Failed { message: message.to_owned() })
}

#[tokio::test]
async fn a_conversation_is_posted_and_its_ticket_comes_back() {
    let reply = Reply::json("201 Created", r#"{"ticketId": "T-7", "more": 1}"#);
    let server = RecordedServer::start(vec![reply]).await;
    let outputs = send_to(&server.url("/tickets?x=1"), Some("Token abc")).await;
    assert_eq!(outputs, Ok(json!({"ticketId": "T-7"})));
    assert_eq!(
        server.requests(),
        ["POST /tickets?x=1 HTTP/1.1\r\n\
          authorization: Token abc\r\n\
          content-type: application/json\r\n\
          accept: application/json\r\n\
          idempotency-key: 6b0c7a11-0000-4e0f-9a52-3c1d2e4f5a60\r\n\
          user-agent: automation\r\n\
          host: HOST\r\n\
          content-length: 113\r\n\r\n\
          {\"accountId\":\"acme\",\"subAccountId\":\"acme_chat\",\"workflowId\":\"65c0ffee65c0ffee65c0ffee\",\
          \"payload\":{\"text\":\"help\"}}"]
    );
}

#[tokio::test]
async fn without_an_authorization_there_is_no_such_header() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", r#"{"ticketId": "T-7"}"#)]).await;
    send_to(&server.url("/"), None).await.unwrap();
    assert!(!server.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn a_number_is_a_ticket_too() {
    assert_eq!(outcome(Reply::json("200 OK", r#"{"ticketId": 42}"#)).await, Ok(json!({"ticketId": "42"})));
}

#[tokio::test]
async fn an_answer_without_a_ticket_is_a_fault() {
    for body in ["{}", "[]", "null", r#"{"ticketId": null}"#, r#"{"ticketId": " "}"#, r#"{"ticketId": {}}"#] {
        let outcome = outcome(Reply::json("200 OK", body)).await;
        assert_eq!(outcome, failed("The answer of Converse has no `ticketId`."), "{body}");
    }
    for body in ["", "<html>", "T-7"] {
        let outcome = outcome(Reply::json("200 OK", body)).await;
        assert_eq!(outcome, failed("The answer of Converse is not JSON."), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_adapters_words() {
    for (status, body, message) in [
        (
            "400 Bad Request",
            r#"{"message": "No such queue.", "errorId": "e-1"}"#,
            "Failed to send to Converse because No such queue. Error id: e-1",
        ),
        ("401 Unauthorized", r#"{"error": "who?"}"#, "Failed to send to Converse because who?."),
        (
            "500 Internal Server Error",
            "",
            "Failed to send to Converse because HTTP 500 Internal Server Error.",
        ),
        ("302 Found", "", "Failed to send to Converse because HTTP 302 Found."),
    ] {
        assert_eq!(outcome(Reply::json(status, body)).await, failed(message));
    }
}

#[tokio::test]
async fn only_what_the_adapter_certainly_does_not_have_is_retried() {
    let reply = Reply::with_headers("429 Too Many Requests", "Retry-After: 2\r\n", "");
    assert_eq!(
        outcome(reply).await,
        Err(SendFailure::Retry {
            after: Some(Duration::from_secs(2)),
            message: "Failed to send to Converse because HTTP 429 Too Many Requests.".to_owned()
        })
    );
    let closed = format!("{}/hook?key=secret", closed_url());
    let message = "Call failed. Connection refused: POST Converse".to_owned();
    assert_eq!(send_to(&closed, None).await, Err(SendFailure::Retry { after: None, message }));
    assert!(matches!(outcome(Reply::Close).await, Err(SendFailure::Failed { .. })));

    let server = RecordedServer::start(vec![Reply::Hang]).await;
    let url = server.url("/");
    let message = "Call failed. No response within 30 seconds: POST Converse";
    assert_eq!(given_up(&server, send_to(&url, None)).await, failed(message));
}

#[tokio::test]
async fn a_fault_never_shows_the_url() {
    for url in ["ftp://desk.example/hook?key=secret", "http://10.0.0.1/hook?key=secret", "secret"] {
        let Err(SendFailure::Failed { message }) = send_to(url, None).await else { panic!("{url}") };
        assert!(message.ends_with(": POST Converse") && !message.contains("secret"), "{message}");
    }
}

#[test]
fn settings_are_read_as_an_operator_writes_them() {
    let settings: ConverseSettings =
        serde_json::from_value(json!({"url": "https://a.example/t", "note": 1})).unwrap();
    assert_eq!(settings.url, "https://a.example/t");
}
