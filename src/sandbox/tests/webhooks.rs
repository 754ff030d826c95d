//! What users do reaches the server's webhook for messages.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::inbound::{Inbound, parse};
use uuid::Uuid;

use super::{Carrier, sms_to};

#[tokio::test]
async fn a_user_s_sms_reaches_the_webhook() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let request = json!({"from": "+6590001111", "to": "+6580003333", "text": "STOP"});
    let (status, answer) = carrier.post("/sandbox/sms", request).await;
    assert_eq!((status, &answer["webhookStatus"]), (200, &json!(200)));
    let event = carrier.webhook();
    assert_eq!(
        event,
        json!({"namespace": "SMS", "eventType": "inbound_message_received", "description": "SMS inbound message",
            "payload": {"umid": answer["umid"], "subAccountId": "acme_sms", "timestamp": "1970-01-01T12:00:00.00Z",
                "source": "+6590001111", "destination": "+6580003333", "body": "STOP", "encoding": "GSM7",
                "smsCount": 1}})
    );
    assert!(matches!(parse(&event), Ok(Inbound::Message(_))));
}

#[tokio::test]
async fn a_user_s_chat_message_reaches_the_webhook() {
    for (request, version, channel, user, content) in [
        (
            json!({"from": "+65 9000 1111", "text": "menu", "name": "Mei"}),
            json!(null),
            "whatsapp",
            json!({"msisdn": "+6590001111", "channelUserId": "6590001111", "name": "Mei"}),
            json!({"text": "menu"}),
        ),
        (
            json!({"from": "SG.9", "msisdn": "+6590001111", "text": "1", "channel": "whatsapp"}),
            json!(3),
            "whatsapp",
            json!({"msisdn": "+6590001111", "channelUserId": "SG.9"}),
            json!({"text": "1"}),
        ),
        (
            json!({"from": "U4af", "channel": "line", "type": "Image", "content": {"url": "https://a.example/x"}}),
            json!(3),
            "line",
            json!({"channelUserId": "U4af"}),
            json!({"url": "https://a.example/x"}),
        ),
        (
            json!({"from": "+6590001111", "text": "1", "channel": "RCS", "version": 3}),
            json!(3),
            "RCS",
            json!({"msisdn": "+6590001111"}),
            json!({"text": "1"}),
        ),
    ] {
        let carrier = Carrier::start(StatusCode::OK).await;
        let (_, answer) = carrier.post("/sandbox/chat", request.clone()).await;
        let event = carrier.webhook();
        assert_eq!(event["version"], version);
        assert_eq!(event["namespace"], "ChatApps");
        assert_eq!(event["payload"]["umid"], answer["umid"]);
        assert_eq!(event["payload"]["subAccountId"], "acme_chat");
        assert_eq!(event["payload"]["recipient"]["channel"], channel);
        assert_eq!(event["payload"]["user"], user);
        assert_eq!(event["payload"]["content"], content);
        assert_eq!(event["payload"]["type"], *request.get("type").unwrap_or(&json!("Text")));
        let Ok(Inbound::Message(message)) = parse(&event) else { panic!("{event}") };
        assert_eq!(message.channel, channel.to_lowercase());
    }
}

#[tokio::test]
async fn a_receipt_reaches_the_webhook_and_updates_the_entry() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let umid = carrier.sms(sms_to("+6590001111"), Uuid::from_u128(7)).await.unwrap()["umid"].clone();
    let path = format!("/sandbox/outbox/{}/status", umid.as_str().unwrap());
    let report = json!({"state": "Undelivered", "detail": "rejected_by_operator", "errorCode": 15});
    assert_eq!(carrier.post(&path, report).await, (200, json!({"umid": umid, "webhookStatus": 200})));
    assert_eq!(carrier.outbox("").await[0]["status"], "undelivered");
    let event = carrier.webhook();
    assert_eq!(
        event["payload"],
        json!({"umid": umid, "clientMessageId": Uuid::from_u128(7).to_string(), "subAccountId": "acme_sms",
            "source": "ACME", "destination": "+6590001111",
            "status": {"state": "undelivered", "detail": "rejected_by_operator", "errorCode": 15,
                "timestamp": "1970-01-01T12:00:00.00Z"},
            "smsCount": 1})
    );
    let Ok(Inbound::Receipt(receipt)) = parse(&event) else { panic!("{event}") };
    assert_eq!((receipt.state.as_str(), receipt.error_code), ("undelivered", Some(15)));
}

#[tokio::test]
async fn a_chat_apps_receipt_names_channel_and_user() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let chat = json!({"subAccountId": "acme_chat", "user": {"msisdn": "+6590001111"}, "type": "text",
        "content": {"text": "x"}});
    let umid = carrier.chat(chat, Uuid::from_u128(7)).await.unwrap()["umid"].clone();
    let path = format!("/sandbox/outbox/{}/status", umid.as_str().unwrap());
    carrier.post(&path, json!({"state": "read"})).await;
    let event = carrier.webhook();
    assert_eq!(event["namespace"], "ChatApps");
    assert_eq!(event["payload"]["channel"], "whatsapp");
    assert_eq!(event["payload"]["user"], json!({"msisdn": "+6590001111"}));
    assert_eq!(event.get("version"), None);
    assert!(matches!(parse(&event), Ok(Inbound::Receipt(_))));
}

#[tokio::test]
async fn a_receipt_of_version_9_names_a_recipient_without_a_number() {
    for (sent_to, named) in [
        (json!({"msisdn": "SG.9"}), json!({"channelUserId": "SG.9"})),
        (
            json!({"msisdn": "+6590001111", "channelUserId": "SG.9"}),
            json!({"msisdn": "+6590001111", "channelUserId": "SG.9"}),
        ),
        (json!({"lineUserId": "U4af"}), json!({"channelUserId": "U4af"})),
    ] {
        let carrier = Carrier::start(StatusCode::OK).await;
        let chat = json!({"subAccountId": "acme_chat", "user": sent_to, "type": "text",
            "content": {"text": "x"}});
        let umid = carrier.chat(chat, Uuid::from_u128(7)).await.unwrap()["umid"].clone();
        let path = format!("/sandbox/outbox/{}/status", umid.as_str().unwrap());
        carrier.post(&path, json!({"state": "delivered"})).await;
        let event = carrier.webhook();
        assert_eq!((&event["version"], &event["payload"]["user"]), (&json!(9), &named));
        let Ok(Inbound::Receipt(receipt)) = parse(&event) else { panic!("{event}") };
        assert_eq!(receipt.state, "delivered");
    }
}

#[tokio::test]
async fn what_the_webhook_answered_is_reported() {
    let refusing = Carrier::start(StatusCode::UNAUTHORIZED).await;
    let (status, answer) = refusing.post("/sandbox/sms", json!({"from": "+6590001111", "text": "x"})).await;
    assert_eq!((status, &answer["webhookStatus"]), (200, &json!(401)));

    let unreachable = Carrier::unreachable_server().await;
    let (status, answer) =
        unreachable.post("/sandbox/sms", json!({"from": "+6590001111", "text": "x"})).await;
    assert_eq!((status, &answer["code"]), (502, &json!(2000)));
    let url = format!("{}/hooks/acme/messages", unreachable.webhook_url);
    assert_eq!(answer["message"], format!("Call failed. Connection refused: POST {url}"));
}

#[tokio::test]
async fn requests_of_the_phone_are_checked_too() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let unknown = format!("/sandbox/outbox/{}/status", Uuid::from_u128(1));
    for (path, body, status, code) in [
        ("/sandbox/sms", json!({"text": "x"}), 400, 1000),
        ("/sandbox/sms", json!({"from": "+6590001111"}), 400, 1004),
        ("/sandbox/sms", json!([]), 400, 1000),
        ("/sandbox/chat", json!({"text": "x"}), 400, 1000),
        ("/sandbox/chat", json!({"from": "+6590001111"}), 400, 3005),
        ("/sandbox/chat", json!({"from": "+6590001111", "text": "x", "version": 1}), 400, 1000),
        ("/sandbox/chat", json!({"from": "+6590001111", "content": "x"}), 400, 3004),
        ("/sandbox/outbox/x/status", json!({"state": "read"}), 400, 1000),
        (unknown.as_str(), json!({"state": "read"}), 404, 1300),
        (unknown.as_str(), json!({"state": "eaten"}), 400, 1000),
        (unknown.as_str(), json!({"state": "read", "errorCode": "x"}), 400, 1000),
    ] {
        let (answered, error) = carrier.post(path, body.clone()).await;
        assert_eq!((answered, &error["code"]), (status, &json!(code)), "{path} {body}");
    }
    assert!(carrier.deliveries().is_empty());
}

#[tokio::test]
async fn the_sandbox_describes_itself_without_secrets() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let response = carrier.call("GET", "/sandbox", &[], "").await;
    let text = String::from_utf8(response.body).unwrap();
    assert!(text.contains("\"account\":\"acme\"") && !text.contains("c2VjcmV0"), "{text}");
    let description: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(description["webhookUrl"], format!("{}/hooks/acme/messages", carrier.webhook_url));
    for (member, webhook) in [
        ("voiceWebhookUrl", "voice"),
        ("messageStatusWebhookUrl", "message-status"),
        ("inboundMessageWebhookUrl", "inbound-message"),
    ] {
        assert_eq!(description[member], format!("{}/hooks/acme/{webhook}", carrier.webhook_url));
    }
}
