use serde_json::{Value, json};
use uuid::uuid;

use super::{MessageStatus, ProviderStatus, StatusError, WebhookFault, parse_status};
use crate::messages_api::read_timestamp::read_timestamp;

fn read(body: &Value) -> ProviderStatus {
    parse_status(body).unwrap()
}

fn error(code: i64, reason: &str) -> StatusError {
    StatusError { code, reason: reason.to_owned() }
}

#[test]
fn a_status_of_the_first_generation_is_read() {
    let status = read(&json!({
        "message_uuid": "AAAAAAAA-1111-4222-8333-444444444444",
        "to": {"type": "sms", "number": "447700900000"},
        "from": {"type": "sms", "number": "447700900001"},
        "timestamp": "2024-05-04T10:11:12.345Z",
        "status": "delivered",
        "usage": {"price": "0.0333", "currency": "EUR"},
        "client_ref": "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2",
    }));
    assert_eq!(
        status,
        ProviderStatus {
            provider_uuid: Some("AAAAAAAA-1111-4222-8333-444444444444".to_owned()),
            client_ref: Some("f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2".to_owned()),
            status: MessageStatus::Delivered,
            timestamp: read_timestamp("2024-05-04T10:11:12.345Z"),
            error: None,
            usage: Some(json!({"price": "0.0333", "currency": "EUR"})),
        }
    );
    assert_eq!(status.message_uuid(), Some(uuid!("f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2")));
    assert_eq!(status.dedupe_key(), "aaaaaaaa-1111-4222-8333-444444444444:delivered");
}

#[test]
fn a_status_of_v1_is_read() {
    let status = read(&json!({
        "message_uuid": "aaaaaaaa-1111-4222-8333-444444444444",
        "to": "447700900000", "from": "447700900001", "channel": "whatsapp",
        "timestamp": "2020-01-01 14:00:00 +0000",
        "status": "rejected",
        "error": {"type": "https://developer.nexmo.com/api-errors/messages-olympus#1340", "title": 1340,
            "detail": "Outside of the allowed window - The user has not written for a day",
            "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf"},
        "usage": {"currency": "EUR", "price": 0.0333},
        "client_ref": "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2",
        "whatsapp": {"conversation": {"id": "ID"}},
    }));
    assert_eq!(status.status, MessageStatus::Rejected);
    assert_eq!(status.timestamp, read_timestamp("2020-01-01T14:00:00Z"));
    assert_eq!(status.error, Some(error(1340, "Outside of the allowed window")));
    assert_eq!(status.usage, Some(json!({"currency": "EUR", "price": "0.0333"})));
}

#[test]
fn n_079_a_status_with_our_reference_alone_is_of_our_message() {
    let status = read(&json!({"client_ref": "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2", "status": "Read"}));
    assert_eq!(status.message_uuid(), Some(uuid!("f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2")));
    assert_eq!((status.provider_uuid.as_ref(), status.status), (None, MessageStatus::Read));
    assert_eq!(status.dedupe_key(), "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2:read");
    assert_eq!((status.timestamp, status.error, status.usage), (None, None, None));
}

#[test]
fn a_reference_that_is_not_ours_names_no_message_of_ours() {
    let status = read(&json!({"message_uuid": "m", "client_ref": "order-1", "status": "submitted"}));
    assert_eq!((status.client_ref.as_deref(), status.message_uuid()), (Some("order-1"), None));
}

#[test]
fn errors_of_both_generations_become_a_code_and_a_reason() {
    for (written, read_as) in [
        (
            json!({"code": 1300, "reason": "Not part of the provider network"}),
            error(1300, "Not part of the provider network"),
        ),
        (json!({"code": "1240", "reason": "Opted out"}), error(1240, "Opted out")),
        (json!({"code": 1240}), error(1240, "Illegal Number")),
        (json!({"code": 9999, "reason": "Something new"}), error(9999, "Something new")),
        (json!({"title": "1250", "detail": "Unroutable - No route - at all"}), error(1250, "Unroutable")),
        (json!({"title": 1250, "detail": "Unroutable"}), error(1250, "Unroutable")),
        (json!({"title": 1250}), error(1250, "Unroutable")),
        (json!({"title": 9999}), error(9999, "Unknown")),
        (json!({"title": "Rate Limit Hit"}), error(1330, "Rate Limit Hit")),
        (json!({"title": "Rate Limit Hit", "detail": " - odd"}), error(1330, "Rate Limit Hit")),
        (json!({}), error(1330, "Unknown")),
        (json!("broken"), error(1330, "Unknown")),
        (json!(null), error(1330, "Unknown")),
    ] {
        for status in ["rejected", "undeliverable"] {
            let body = json!({"message_uuid": "m", "status": status, "error": written});
            assert_eq!(read(&body).error.as_ref(), Some(&read_as), "{written}");
        }
    }
    let body = json!({"message_uuid": "m", "status": "delivered", "error": {"code": 1300}});
    assert_eq!(read(&body).error, None, "what was delivered has not failed");
}

#[test]
fn every_status_has_one_word() {
    for status in MessageStatus::ALL {
        assert_eq!(MessageStatus::parse(status.as_str()), Some(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        let body = json!({"message_uuid": "m", "status": status.as_str().to_uppercase()});
        assert_eq!(read(&body).error.is_some(), status.is_failure());
    }
}

#[test]
fn what_is_no_status_is_said() {
    for (body, fault) in [
        (json!([]), WebhookFault::NotAnObject),
        (json!({"status": "read"}), WebhookFault::NoMessage),
        (json!({"message_uuid": " ", "status": "read"}), WebhookFault::NoMessage),
        (json!({"message_uuid": "m"}), WebhookFault::NoStatus),
        (json!({"message_uuid": "m", "status": "seen"}), WebhookFault::UnknownStatus("seen".to_owned())),
        (
            json!({"message_uuid": "m", "status": format!("+ü{}", "x".repeat(99))}),
            WebhookFault::UnknownStatus(format!("+{}", "x".repeat(39))),
        ),
    ] {
        assert_eq!(parse_status(&body).unwrap_err(), fault);
    }
}

#[test]
fn a_time_that_cannot_be_read_and_usage_of_another_shape_are_left_out() {
    let body = json!({"message_uuid": "m", "status": "read", "timestamp": "soon", "usage": "none"});
    let status = read(&body);
    assert_eq!((status.timestamp, status.usage), (None, None));
}
