//! Recorded exchanges with the SMS API.

use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::json;
use uuid::{Uuid, uuid};

use super::send_workflow_sms;
use crate::eight_by_eight::{EightByEight, EightByEightSettings};
use crate::messages_api::{NotTaken, OutgoingMessage, Sending};
use crate::outbound::{AddressPolicy, OutboundClient};
use crate::recorded_server::{RecordedServer, Reply, closed_url, loopback_client};

const MESSAGE: Uuid = uuid!("f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2");
const TAKEN: &str = r#"{"umid": "0D9C2F60-1111-4a2b-9d3e-5b1f0a7c8e21", "destination": "447700900000",
    "encoding": "GSM7", "status": {"code": "QUEUED", "description": "SMS is accepted and queued for processing"}}"#;

fn now() -> DateTime<Utc> {
    "2024-05-04T10:11:12.345Z".parse().unwrap()
}

fn platform(sms_url: String) -> EightByEight {
    EightByEightSettings { sms_url: Some(sms_url), ..EightByEightSettings::default() }
        .resolve("k-1".to_owned())
}

fn message(from: &str) -> OutgoingMessage {
    let step = json!({"from": {"type": "sms", "number": from}, "to": {"type": "sms", "number": "447700900000"},
        "message": {"content": {"type": "text", "text": "Your parcel is here 😀"}}, "client_ref": "order-1",
        "failover": {"expiry_time": 600, "condition_status": "delivered"}});
    OutgoingMessage::deserialize(step).unwrap()
}

async fn send_to(url: String) -> Sending {
    send_workflow_sms(&loopback_client(), &platform(url), "acme&sms", &message("ACME"), MESSAGE, now()).await
}

async fn outcome(reply: Reply) -> Sending {
    let server = RecordedServer::start(vec![reply]).await;
    send_to(server.url("")).await
}

#[tokio::test]
async fn it_is_posted_once_under_our_id_of_the_message() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", TAKEN)]).await;
    let provider_uuid = "0D9C2F60-1111-4a2b-9d3e-5b1f0a7c8e21".to_owned();
    assert_eq!(send_to(server.url("")).await, Sending::Accepted { provider_uuid });
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert!(request.starts_with("POST /api/v1/subaccounts/acme%26sms/messages HTTP/1.1\r\n"), "{request}");
    let head = request.to_lowercase();
    for header in ["authorization: bearer k-1", &format!("idempotency-key: {MESSAGE}")] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{request}");
    }
    assert_eq!(
        server.bodies(),
        [
            json!({"destination": "+447700900000", "text": "Your parcel is here 😀", "clientMessageId": MESSAGE,
            "source": "ACME"})
        ]
    );
}

#[tokio::test]
async fn refusals_have_a_code_of_a_status() {
    for (status, body, code, is_alarm) in [
        ("400 Bad Request", r#"{"code": 1002, "message": "Invalid MSISDN format"}"#, 1170, false),
        ("400 Bad Request", r#"{"code": 1005, "message": "Invalid source"}"#, 1120, false),
        ("400 Bad Request", r#"{"code": 1004, "message": "Invalid text."}"#, 1020, false),
        ("400 Bad Request", r#"{"code": 1001, "message": "Not yours"}"#, 1140, true),
        ("400 Bad Request", r#"{"code": 9999}"#, 1330, false),
        ("401 Unauthorized", r#"{"code": 1200}"#, 1140, true),
        ("403 Forbidden", "", 1140, true),
        ("402 Payment Required", "", 1070, false),
        ("404 Not Found", "<html>", 1330, false),
        ("500 Internal Server Error", r#"{"code": 2000}"#, 1331, false),
        ("503 Service Unavailable", "", 1331, false),
        ("302 Found", "", 1330, true),
        (
            "200 OK",
            r#"{"umid": "m", "status": {"code": "REJECTED", "description": "No coverage."}}"#,
            1330,
            false,
        ),
    ] {
        match outcome(Reply::json(status, body)).await {
            Sending::Refused { error, alarm, detail } => {
                assert_eq!((error.code, alarm), (code, is_alarm), "{status} {body}");
                assert!(
                    detail.starts_with("Failed to send SMS because ") && detail.ends_with('.'),
                    "{detail}"
                );
            }
            other => panic!("{status} {body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_platform_certainly_does_not_have_is_tried_again() {
    let throttled = Reply::with_headers("429 Too Many Requests", "Retry-After: 3\r\n", r#"{"code": 429}"#);
    for (reply, expected, seconds) in [
        (throttled, NotTaken::Throttled, Some(3)),
        (Reply::json("429 Too Many Requests", ""), NotTaken::Throttled, None),
    ] {
        match outcome(reply).await {
            Sending::Retry { why, after, .. } => {
                assert_eq!((why, after.map(|after| after.as_secs())), (expected, seconds));
            }
            other => panic!("{other:?}"),
        }
    }
    let sent = send_to(closed_url()).await;
    assert!(matches!(sent, Sending::Retry { why: NotTaken::NoConnection, .. }), "{sent:?}");
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_sent_again() {
    for reply in [
        Reply::Close,
        Reply::json("200 OK", "{}"),
        Reply::json("200 OK", "<html>"),
        Reply::json("200 OK", "[]"),
    ] {
        let sent = outcome(reply).await;
        assert!(matches!(sent, Sending::Unknown { .. }), "{sent:?}");
    }
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_an_alarm() {
    let client = OutboundClient::new(AddressPolicy { allow_private: false, allowed: Vec::new() });
    let platform = platform("http://127.0.0.1:9".to_owned());
    let sent = send_workflow_sms(&client, &platform, "acme_sms", &message("1"), MESSAGE, now()).await;
    assert!(matches!(&sent, Sending::Refused { error, alarm: true, .. } if error.code == 1100), "{sent:?}");
}
