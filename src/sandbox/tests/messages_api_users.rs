//! What users write on the channels of the Messages API reaches the server's webhook.

use axum::http::StatusCode;
use serde_json::json;
use trunkline_connectors::messages_api::parse_inbound;

use super::Carrier;

#[tokio::test]
async fn a_user_s_message_reaches_the_webhook_in_either_generation() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let image = json!({"type": "image", "image": {"url": "https://a.example/1.png"}});
    for (request, first, flat) in [
        (
            json!({"channel": "messenger", "from": "2000000000000002", "text": "Thanks!"}),
            json!({"to": {"type": "messenger", "id": "1000000000000001"},
                "from": {"type": "messenger", "id": "2000000000000002"},
                "message": {"content": {"type": "text", "text": "Thanks!"}}}),
            json!({"channel": "messenger", "to": "1000000000000001", "from": "2000000000000002",
                "message_type": "text", "text": "Thanks!"}),
        ),
        (
            json!({"channel": "sms", "from": "+447700900000", "to": "+447700900001", "text": "x".repeat(161),
                "price": "0.01"}),
            json!({"to": {"type": "sms", "number": "447700900001"},
                "from": {"type": "sms", "number": "447700900000"},
                "message": {"content": {"type": "text", "text": "x".repeat(161)}, "sms": {"num_messages": "2"}},
                "usage": {"price": "0.01", "currency": "EUR"}}),
            json!({"channel": "sms", "to": "447700900001", "from": "447700900000", "message_type": "text",
                "text": "x".repeat(161), "sms": {"num_messages": "2"},
                "usage": {"price": "0.01", "currency": "EUR"}}),
        ),
        (
            json!({"channel": "viber_service", "from": "447700900000", "content": {"type": "unsupported"}}),
            json!({"to": {"type": "viber_service_msg", "id": "1000000000000001"},
                "from": {"type": "viber_service_msg", "number": "447700900000"},
                "message": {"content": {"type": "unsupported"}}}),
            json!({"channel": "viber_service", "to": "1000000000000001", "from": "447700900000",
                "message_type": "unsupported"}),
        ),
        (
            json!({"channel": "whatsapp", "from": "447700900000", "content": image}),
            json!({"to": {"type": "whatsapp", "number": "6580002222"},
                "from": {"type": "whatsapp", "number": "447700900000"}, "message": {"content": image}}),
            json!({"channel": "whatsapp", "to": "6580002222", "from": "447700900000", "message_type": "image",
                "image": {"url": "https://a.example/1.png"}}),
        ),
    ] {
        for (version, expected) in [(None, &first), (Some("v1"), &flat)] {
            let mut request = request.clone();
            request["version"] = json!(version);
            let (status, answer) = carrier.post("/sandbox/messages", request).await;
            assert_eq!((status, &answer["webhookStatus"]), (200, &json!(200)), "{answer}");
            let event = carrier.told(1).await[0].at("inbound-message");
            let mut expected = expected.clone();
            expected["message_uuid"] = answer["umid"].clone();
            expected["timestamp"] = json!("1970-01-01T12:00:00.000Z");
            assert_eq!(event, expected);
            let inbound = parse_inbound(&event).unwrap();
            assert_eq!((&inbound.from, &inbound.to), (&first["from"], &first["to"]));
            assert_eq!(inbound.message, first["message"]);
        }
    }
}

#[tokio::test]
async fn what_no_user_can_write_is_refused() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (request, message) in [
        (json!({"from": "1", "text": "x"}), "Invalid channel."),
        (json!({"channel": "telegram", "from": "1", "text": "x"}), "Invalid channel."),
        (json!({"channel": "sms", "text": "x"}), "Invalid from."),
        (json!({"channel": "sms", "from": "1"}), "Invalid text."),
        (json!({"channel": "sms", "from": "1", "content": "x"}), "Invalid content."),
        (json!({"channel": "sms", "from": "1", "content": {"type": "image"}}), "Invalid content."),
        (json!({"channel": "sms", "from": "1", "text": "x", "version": "v2"}), "Invalid version."),
        (json!({"channel": "sms", "from": "1", "text": "x", "price": "much"}), "Invalid price."),
    ] {
        let (status, answer) = carrier.post("/sandbox/messages", request.clone()).await;
        assert_eq!((status, &answer["message"]), (400, &json!(message)), "{request}");
    }
    assert!(carrier.deliveries().is_empty());
}
