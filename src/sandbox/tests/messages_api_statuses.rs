//! What becomes of messages of the Messages API, by rule and by hand.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::messages_api::{MessageStatus, StatusError, Version, parse_status};
use uuid::Uuid;

use super::{Carrier, text_on};

const CLIENT_REF: Uuid = Uuid::from_u128(7);

fn path(id: &str) -> String {
    format!("/sandbox/outbox/{id}/status")
}

#[tokio::test]
async fn statuses_follow_by_themselves_as_the_last_digits_say() {
    use MessageStatus::{Delivered, Read, Rejected, Submitted, Undeliverable};

    for (channel, to, statuses, code) in [
        ("sms", "447700900201", &[Submitted, Delivered][..], None),
        ("messenger", "2000000000000201", &[Submitted, Delivered], None),
        ("whatsapp", "447700900202", &[Submitted, Delivered, Read], None),
        ("messenger", "2000000000000203", &[Submitted, Undeliverable], Some(1260)),
        ("viber_service_msg", "447700900204", &[Rejected], Some(1120)),
        ("mms", "447700900999", &[Rejected], Some(1120)),
    ] {
        for version in [Version::V0_1, Version::V1] {
            let carrier = Carrier::start(StatusCode::OK).await;
            let id = carrier.accepts(version, text_on(channel, to), CLIENT_REF).await;
            let told = carrier.told(statuses.len()).await;
            let told: Vec<_> =
                told.iter().map(|delivery| parse_status(&delivery.at("message-status")).unwrap()).collect();
            assert!(told.iter().map(|one| one.status).eq(statuses.iter().copied()), "{told:?}");
            assert!(told.iter().all(|one| one.message_uuid() == Some(CLIENT_REF)));
            assert!(told.iter().all(|one| one.provider_uuid.as_ref() == Some(&id)));
            let last = told.last().unwrap();
            assert_eq!(last.error.as_ref().map(|error| error.code), code);
            let price = (channel == "sms").then(|| json!({"price": "0.0333", "currency": "EUR"}));
            assert_eq!(last.usage, price);
            assert_eq!(carrier.outbox("").await[0]["status"], last.status.as_str());
        }
    }
}

#[tokio::test]
async fn a_status_by_hand_is_told_in_the_generation_of_the_message() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let error = json!({"state": "Rejected", "errorCode": 1300, "price": 0.02});
    let id = carrier.accepts(Version::V0_1, text_on("messenger", "2000000000000002"), CLIENT_REF).await;
    assert_eq!(
        carrier.post(&path(&id), error.clone()).await,
        (200, json!({"umid": id, "webhookStatus": 200}))
    );
    assert_eq!(
        carrier.told(1).await[0].at("message-status"),
        json!({"message_uuid": id, "to": {"type": "messenger", "id": "2000000000000002"},
            "from": {"type": "messenger", "id": "447700900001"}, "timestamp": "1970-01-01T12:00:00.000Z",
            "status": "rejected", "error": {"code": 1300, "reason": "Not part of the provider network"},
            "usage": {"price": "0.02", "currency": "EUR"}, "client_ref": CLIENT_REF})
    );
    assert_eq!(carrier.outbox("").await[0]["status"], "rejected");

    let id = carrier.accepts(Version::V1, text_on("viber_service_msg", "447700900000"), CLIENT_REF).await;
    carrier.post(&path(&id), error).await;
    let mut event = carrier.told(1).await[0].at("message-status");
    let instance = event["error"].as_object_mut().unwrap().remove("instance").unwrap();
    assert_eq!(instance.as_str().unwrap().len(), 32);
    assert_eq!(
        event,
        json!({"message_uuid": id, "to": "447700900000", "from": "447700900001", "channel": "viber_service",
            "timestamp": "1970-01-01T12:00:00.000Z", "status": "rejected",
            "error": {"type": "https://developer.nexmo.com/api-errors/messages-olympus#1300", "title": 1300,
                "detail": "Not part of the provider network - as the sandbox was told"},
            "usage": {"price": "0.02", "currency": "EUR"}, "client_ref": CLIENT_REF})
    );
}

#[tokio::test]
async fn every_status_can_be_reported_and_a_failure_has_an_error() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let id = carrier.accepts(Version::V0_1, text_on("sms", "447700900000"), CLIENT_REF).await;
    for (report, error) in [
        (json!({"state": "submitted"}), None),
        (json!({"state": "delivered", "price": "0.0353"}), None),
        (json!({"state": "read"}), None),
        (json!({"state": "undeliverable"}), Some(StatusError::of(1260))),
        (json!({"state": "rejected"}), Some(StatusError::of(1120))),
        (
            json!({"state": "rejected", "errorCode": 4711, "errorMessage": "Full moon"}),
            Some(StatusError { code: 4711, reason: "Full moon".to_owned() }),
        ),
    ] {
        assert_eq!(carrier.post(&path(&id), report.clone()).await.0, 200);
        let event = carrier.told(1).await[0].at("message-status");
        let status = parse_status(&event).unwrap();
        assert_eq!(status.status.as_str(), report["state"]);
        assert_eq!(status.error, error);
        assert_eq!(event["usage"]["price"], report["price"]);
    }
    for report in [
        json!({}),
        json!({"state": "queued"}),
        json!({"state": "seen"}),
        json!({"state": "read", "errorCode": 1300}),
        json!({"state": "read", "errorMessage": "x"}),
        json!({"state": "rejected", "errorCode": "x"}),
        json!({"state": "delivered", "price": "much"}),
        json!({"state": "delivered", "price": -1}),
        json!({"state": "delivered", "price": [1]}),
    ] {
        let (status, answer) = carrier.post(&path(&id), report.clone()).await;
        assert_eq!((status, &answer["code"]), (400, &json!(1000)), "{report}");
    }
    assert_eq!(carrier.outbox("").await[0]["status"], "rejected");
    assert!(carrier.deliveries().is_empty());
}

/// As in life: the platform goes on, and what it said last is what the message is.
#[tokio::test]
async fn a_server_that_refuses_statuses_stops_none_of_them() {
    let carrier = Carrier::start(StatusCode::SERVICE_UNAVAILABLE).await;
    carrier.accepts(Version::V0_1, text_on("sms", "447700900202"), CLIENT_REF).await;
    let statuses: Vec<Value> =
        carrier.told(3).await.iter().map(|delivery| delivery.body["status"].clone()).collect();
    assert_eq!(statuses, ["submitted", "delivered", "read"]);
}
