//! The connector of the Messages API hands messages in.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::messages_api::{NotTaken, Sending, Version};
use uuid::Uuid;

use super::{Carrier, NOON, text_on};

const BOTH: [Version; 2] = [Version::V0_1, Version::V1];

const CLIENT_REF: Uuid = Uuid::from_u128(7);

/// With credentials; status, `Retry-After` and body of the answer.
async fn post(carrier: &Carrier, version: Version, body: &str) -> (u16, Value) {
    let path = format!("/sandbox/nexmo/{version}/messages");
    let response = carrier.call("POST", &path, &[("Authorization", "Basic azpz")], body).await;
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

#[tokio::test]
async fn a_message_of_either_generation_lands_in_the_outbox() {
    for version in BOTH {
        let carrier = Carrier::start(StatusCode::OK).await;
        let id = carrier.accepts(version, text_on("viber_service_msg", "447700900000"), CLIENT_REF).await;
        let request = match version {
            Version::V0_1 => {
                let mut request = text_on("viber_service_msg", "447700900000");
                request["client_ref"] = json!(CLIENT_REF);
                request
            }
            Version::V1 => json!({"channel": "viber_service", "message_type": "text", "to": "447700900000",
                "from": "447700900001", "text": "Hello", "client_ref": CLIENT_REF}),
        };
        assert_eq!(
            carrier.outbox("").await,
            [json!({
                "umid": id,
                "product": "messages",
                "version": version,
                "channel": "viber_service_msg",
                "subAccountId": null,
                "destination": "447700900000",
                "body": "Hello",
                "content": {"type": "text", "text": "Hello"},
                "request": request,
                "idempotencyKey": null,
                "clientMessageId": null,
                "clientRef": CLIENT_REF,
                "status": "queued",
                "sentAt": NOON,
                "attempts": 1,
                "deliveries": 1,
            })]
        );
        assert!(carrier.deliveries().is_empty(), "nothing follows by itself");
    }
}

#[tokio::test]
async fn every_channel_and_kind_of_content_is_taken() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let image = json!({"type": "image", "image": {"url": "https://a.example/1.png"}});
    let template = json!({"type": "template", "template": {"name": "ns:t", "parameters": ["Dana"]}});
    let custom = json!({"type": "custom", "custom": {"attachment": {}}});
    for version in BOTH {
        for (channel, to, content) in [
            ("sms", "447700900000", None),
            ("mms", "12015550123", Some(&image)),
            ("messenger", "2000000000000002", Some(&custom)),
            ("viber_service_msg", "447700900000", Some(&image)),
            ("whatsapp", "447700900000", Some(&template)),
        ] {
            let mut message = text_on(channel, to);
            if let Some(content) = content {
                message["message"]["content"] = content.clone();
            }
            if content == Some(&template) {
                message["message"]["whatsapp"] = json!({"policy": "deterministic", "locale": "en-GB"});
            }
            carrier.accepts(version, message, Uuid::new_v4()).await;
            let newest = &carrier.outbox("?limit=1").await[0];
            assert_eq!((&newest["channel"], &newest["destination"]), (&json!(channel), &json!(to)));
            let kind = content.map_or("text", |content| content["type"].as_str().unwrap());
            assert_eq!(newest["content"]["type"], kind, "{version} {channel}");
        }
    }
    assert_eq!(carrier.outbox("?channel=messenger").await.len(), 2);
}

#[tokio::test]
async fn a_reference_that_comes_again_is_one_more_message() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let message = || text_on("sms", "447700900000");
    let first = carrier.accepts(Version::V0_1, message(), CLIENT_REF).await;
    let second = carrier.accepts(Version::V0_1, message(), CLIENT_REF).await;
    carrier.accepts(Version::V0_1, message(), Uuid::from_u128(8)).await;
    assert_ne!(first, second);
    let outbox = carrier.outbox("").await;
    let deliveries: Vec<_> = outbox.iter().map(|message| message["deliveries"].as_u64().unwrap()).collect();
    assert_eq!(deliveries, [1, 2, 1]);
}

#[tokio::test]
async fn strangers_get_no_further_than_the_door() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (version, of_type) in [(Version::V0_1, "#unauthorized"), (Version::V1, "/#unathorized")] {
        let path = format!("/sandbox/nexmo/{version}/messages");
        for headers in [&[][..], &[("Authorization", "Bearer k")]] {
            let response = carrier.call("POST", &path, headers, "not JSON").await;
            assert_eq!(response.status, 401);
            let problem: Value = serde_json::from_slice(&response.body).unwrap();
            assert!(problem["type"].as_str().unwrap().ends_with(of_type), "{problem}");
        }
        let token = [("Authorization", "Bearer a.b.c")];
        let response = carrier.call("POST", &path, &token, "not JSON").await;
        assert_eq!(response.status, if version == Version::V1 { 422 } else { 400 });
    }
    assert!(carrier.outbox("").await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_said_in_the_words_of_its_generation() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let mut both_wrong = text_on("sms", "+447700900000");
    both_wrong["message"]["content"]["text"] = json!("");
    let (status, problem) = post(&carrier, Version::V0_1, &both_wrong.to_string()).await;
    assert_eq!((status, problem["title"].as_str()), (400, Some("Your request parameters didn't validate.")));
    assert_eq!(problem["type"], "https://www.nexmo.com/messages/Errors#InvalidParams");
    assert_eq!(problem["detail"], "Found errors validating 2 of your submitted parameters.");
    assert_eq!(problem["invalid_parameters"][0]["name"], "to.number");
    assert_eq!(problem["invalid_parameters"][1]["name"], "message.content.text");
    assert_eq!(problem["instance"].as_str().unwrap().len(), 32);

    let good = json!({"channel": "whatsapp", "message_type": "text", "to": "447700900000", "from": "447700900001",
        "text": "Hello"});
    assert_eq!(post(&carrier, Version::V1, &good.to_string()).await.0, 202);
    for (change, code, name) in [
        (json!({"channel": "telegram"}), 1100, "channel"),
        (json!({"channel": "viber_service_msg"}), 1100, "channel"),
        (json!({"channel": null}), 1100, "channel"),
        (json!({"whatsapp": {"policy": "fallback"}}), 1110, "whatsapp.policy"),
        (json!({"from": "+447700900001"}), 1120, "from"),
        (json!({"to": "+447700900000"}), 110, "to"),
        (json!({"to": {"type": "whatsapp", "number": "447700900000"}}), 110, "to"),
        (json!({"message_type": "sticker"}), 1140, "message_type"),
        (json!({"message_type": null}), 1140, "message_type"),
        (json!({"text": "x".repeat(4097)}), 1150, "text"),
        (json!({"message_type": "image", "image": {"url": "here"}}), 1150, "image.url"),
        (json!({"client_ref": "x".repeat(41)}), 1060, "client_ref"),
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, problem) = post(&carrier, Version::V1, &body.to_string()).await;
        let of_type = format!("https://developer.nexmo.com/api-errors/messages-olympus#{code}");
        assert_eq!((status, &problem["type"]), (422, &json!(of_type)), "{problem}");
        assert_eq!(problem["invalid_parameters"][0]["name"], name);
    }
    for (version, status) in [(Version::V0_1, 400), (Version::V1, 422)] {
        for body in ["", "[]", "{"] {
            let (answered, problem) = post(&carrier, version, body).await;
            assert_eq!(answered, status, "{problem}");
            assert_eq!(problem["type"], "https://developer.nexmo.com/api-errors#invalid-json");
        }
    }
    assert_eq!(carrier.outbox("").await.len(), 1);
}

#[tokio::test]
async fn the_last_digits_of_a_number_or_an_id_provoke_refusals() {
    for version in BOTH {
        let carrier = Carrier::start(StatusCode::OK).await;
        for channel in ["sms", "messenger"] {
            let send = |to: &str, client_ref: u128| {
                carrier.send(version, text_on(channel, to), Uuid::from_u128(client_ref))
            };
            let refused = send("447700900400", 1).await;
            let Sending::Refused { error, alarm: false, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(error.code, if version == Version::V1 { 1170 } else { 1020 });
            let failed = send("447700900500", 2).await;
            assert!(matches!(failed, Sending::Retry { why: NotTaken::ProviderError, .. }), "{failed:?}");
            let throttled = send("447700900429", 3).await;
            let Sending::Retry { why: NotTaken::Throttled, after, .. } = throttled else {
                panic!("{throttled:?}")
            };
            assert_eq!(after, Some(Duration::from_secs(1)));
            assert!(matches!(send("447700900429", 3).await, Sending::Accepted { .. }));
            assert_eq!(carrier.outbox("?limit=1").await[0]["attempts"], 2);
        }
        let outbox = carrier.outbox("").await;
        assert_eq!(outbox.len(), 2);
        assert_eq!(outbox[0]["destination"], "447700900429");
    }
}
