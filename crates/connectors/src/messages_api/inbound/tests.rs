use serde_json::{Value, json};

use super::{WebhookFault, parse_inbound};
use crate::messages_api::read_timestamp::read_timestamp;

#[test]
fn a_message_of_the_first_generation_is_passed_on_as_it_is() {
    let from = json!({"type": "messenger", "id": "2000000000000002"});
    let to = json!({"type": "messenger", "id": "1000000000000001"});
    let message = json!({"content": {"type": "text", "text": "Thanks! Grüße 😀"}});
    let body = json!({"message_uuid": "77D2C5B1-43aa-4a0c-9d0f-0a3a5b1f6c2e", "timestamp": "2024-05-04T10:20:00.000Z",
        "to": to, "from": from, "message": message, "usage": {"price": "0.01", "currency": "EUR"}});
    let inbound = parse_inbound(&body).unwrap();
    assert_eq!((inbound.from, inbound.to, inbound.message), (from, to, message));
    assert_eq!(inbound.channel, "messenger");
    assert_eq!(inbound.timestamp, read_timestamp("2024-05-04T10:20:00Z"));
    assert_eq!(inbound.provider_uuid.as_deref(), Some("77D2C5B1-43aa-4a0c-9d0f-0a3a5b1f6c2e"));
    assert_eq!(inbound.dedupe_key, "77d2c5b1-43aa-4a0c-9d0f-0a3a5b1f6c2e:inbound");
    assert_eq!(inbound.usage, Some(json!({"price": "0.01", "currency": "EUR"})));
}

/// What becomes of a v1 body: to, from, message.
fn from_v1(mut body: Value) -> [Value; 3] {
    body["message_uuid"] = json!("m");
    body["timestamp"] = json!("2020-01-01 14:00:00 +0000");
    let inbound = parse_inbound(&body).unwrap();
    assert_eq!(inbound.timestamp, read_timestamp("2020-01-01T14:00:00Z"));
    [inbound.to, inbound.from, inbound.message]
}

#[test]
fn a_message_of_v1_gets_the_members_of_the_first_generation() {
    for (body, expected) in [
        (
            json!({"channel": "sms", "to": "447700900001", "from": "447700900000", "message_type": "text",
                "text": "Hello", "sms": {"num_messages": 2, "keyword": "HELLO"}}),
            [
                json!({"type": "sms", "number": "447700900001"}),
                json!({"type": "sms", "number": "447700900000"}),
                json!({"content": {"type": "text", "text": "Hello"}, "sms": {"num_messages": "2"}}),
            ],
        ),
        (
            json!({"channel": "mms", "to": "12345", "from": "447700900000", "message_type": "image",
                "image": {"url": "https://a.example/1.jpg", "caption": "c"}}),
            [
                json!({"type": "mms", "number": "12345"}),
                json!({"type": "mms", "number": "447700900000"}),
                json!({"content": {"type": "image", "image": {"url": "https://a.example/1.jpg", "caption": "c"}}}),
            ],
        ),
        (
            json!({"channel": "whatsapp", "to": "447700900001", "from": "447700900000", "message_type": "location",
                "location": {"lat": 40.34772, "long": "-74.18847", "name": "Here", "address": "There"},
                "profile": {"name": "Dana"}}),
            [
                json!({"type": "whatsapp", "number": "447700900001"}),
                json!({"type": "whatsapp", "number": "447700900000"}),
                json!({"content": {"type": "location", "location": {"latitude": "40.34772", "longitude": "-74.18847",
                    "name": "Here", "address": "There"}}}),
            ],
        ),
        (
            json!({"channel": "viber_service", "to": "0123456789", "from": "447700900000",
                "message_type": "unsupported"}),
            [
                json!({"type": "viber_service_msg", "id": "0123456789"}),
                json!({"type": "viber_service_msg", "number": "447700900000"}),
                json!({"content": {"type": "unsupported"}}),
            ],
        ),
        (
            json!({"channel": "messenger", "to": "1000000000000001", "from": "2000000000000002",
                "message_type": "location", "location": {"lat": 1.5, "long": 2}}),
            [
                json!({"type": "messenger", "id": "1000000000000001"}),
                json!({"type": "messenger", "id": "2000000000000002"}),
                json!({"content": {"type": "location", "location": {"lat": "1.5", "long": "2"}}}),
            ],
        ),
    ] {
        assert_eq!(from_v1(body), expected);
    }
}

#[test]
fn a_message_without_an_id_is_known_by_its_bytes() {
    let body = |text: &str| {
        json!({"from": {"type": "sms", "number": "1"}, "to": {"type": "sms", "number": "2"},
            "message": {"content": {"type": "text", "text": text}}})
    };
    let key = |text: &str| parse_inbound(&body(text)).unwrap().dedupe_key;
    assert_eq!(key("a"), key("a"));
    assert_ne!(key("a"), key("b"));
}

#[test]
fn what_is_no_message_is_said() {
    for (body, fault) in [
        (json!("x"), WebhookFault::NotAnObject),
        (json!({}), WebhookFault::NoContent),
        (json!({"message": {"content": "x"}}), WebhookFault::NoContent),
        (
            json!({"message": {"content": {"type": "text"}}, "from": {"type": "sms"}}),
            WebhookFault::NoAddresses,
        ),
        (json!({"message": {"content": {"type": "text"}}, "from": {}, "to": {}}), WebhookFault::NoAddresses),
        (json!({"message_type": "text", "from": "1", "to": "2"}), WebhookFault::NoAddresses),
        (json!({"message_type": "text", "channel": "sms", "to": "2"}), WebhookFault::NoAddresses),
    ] {
        assert_eq!(parse_inbound(&body).unwrap_err(), fault, "{body}");
    }
}
