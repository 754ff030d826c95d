//! Webhook bodies as the platform sends them.

use serde_json::{Value, json};
use trunkline_workflow::Trigger;

use super::{Inbound, InboundError, InboundMessage, parse};
use crate::correlation::reply_key;
use crate::eight_by_eight::receipt::Receipt;
use crate::eight_by_eight::wire::read_timestamp;

fn sms(source: &str) -> Value {
    json!({"namespace": "SMS", "eventType": "inbound_message_received", "description": "SMS inbound message",
        "payload": {"umid": "7d0b7a6e-41c8-4a0b-9a53-0d4f1f0a9b11", "subAccountId": "acme_sms",
            "timestamp": "2026-02-03T04:05:06.117Z", "source": source, "destination": "+6580002222",
            "body": "STOP", "encoding": "GSM7", "smsCount": 1,
            "price": {"total": 0.02, "perSms": 0.02, "currency": "EUR"}}})
}

fn chat(channel: &str, user: &Value) -> Value {
    json!({"version": 3, "namespace": "ChatApps", "eventType": "inbound_message_received",
        "description": "ChatApps inbound message",
        "payload": {"umid": "9E3B1C52-7a70-4a7e-8a6c-0b1f5f8b2d01", "subAccountId": "acme_chat",
            "timestamp": "2026-07-20T02:00:00.00Z", "user": user,
            "recipient": {"channel": channel, "channelId": "d4f4b6b2-1c53-4a62-9c5f-0d5a1a2b3c4d"},
            "type": "Text", "content": {"text": "1"}}})
}

fn message(body: &Value) -> InboundMessage {
    match parse(body) {
        Ok(Inbound::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn receipt(body: &Value) -> Receipt {
    match parse(body) {
        Ok(Inbound::Receipt(receipt)) => receipt,
        other => panic!("{other:?}"),
    }
}

/// Whether a wait on this channel and user is found by the message.
fn resumes(body: &Value, channel: &str, from: &str) -> bool {
    message(body).reply_keys().contains(&reply_key(channel, from))
}

#[test]
fn c_235_an_inbound_sms_is_read() {
    assert_eq!(
        message(&sms("+6590001111")),
        InboundMessage {
            trigger: Trigger::InboundSms,
            sub_account_id: Some("acme_sms".to_owned()),
            message_id: Some("7d0b7a6e-41c8-4a0b-9a53-0d4f1f0a9b11".to_owned()),
            channel: "sms".to_owned(),
            identities: vec!["6590001111".to_owned()],
            timestamp: read_timestamp("2026-02-03T04:05:06.117Z"),
            dedupe_key: "7d0b7a6e-41c8-4a0b-9a53-0d4f1f0a9b11:inbound_message_received".to_owned(),
        }
    );
}

#[test]
fn c_235_chat_apps_messages_of_both_versions_are_read() {
    let v3 = chat("WhatsApp", &json!({"msisdn": "+6590001111", "channelUserId": "SG.90817263544536271"}));
    assert_eq!(
        message(&v3),
        InboundMessage {
            trigger: Trigger::InboundChatApps,
            sub_account_id: Some("acme_chat".to_owned()),
            message_id: Some("9E3B1C52-7a70-4a7e-8a6c-0b1f5f8b2d01".to_owned()),
            channel: "whatsapp".to_owned(),
            identities: vec!["SG.90817263544536271".to_owned(), "6590001111".to_owned()],
            timestamp: read_timestamp("2026-07-20T02:00:00Z"),
            dedupe_key: "9e3b1c52-7a70-4a7e-8a6c-0b1f5f8b2d01:inbound_message_received".to_owned(),
        }
    );
    let mut v2 = chat("viber", &json!({"msisdn": "+6590001111", "channelUserId": "6590001111"}));
    v2.as_object_mut().unwrap().shift_remove("version");
    assert_eq!(message(&v2).identities, ["6590001111"], "two spellings of one number are one identity");
}

#[test]
fn c_171_c_172_an_sms_resumes_the_wait_on_its_source_however_both_are_written() {
    for source in ["+6590001111", "6590001111", "006590001111"] {
        for from in ["+6590001111", "6590001111", "+65 9000-1111"] {
            assert!(resumes(&sms(source), "sms", from), "{source} {from}");
        }
    }
    assert!(!resumes(&sms("+6590001111"), "sms", "+6590001112"));
}

#[test]
fn c_173_the_channel_of_the_wait_may_have_any_case() {
    let body = chat("whatsapp", &json!({"channelUserId": "6590001111"}));
    assert!(resumes(&body, "WhatsApp", "6590001111"));
    assert!(resumes(&chat("RCS", &json!({"msisdn": "+6590001111"})), "rcs", "6590001111"));
}

#[test]
fn c_174_an_sms_and_a_whatsapp_message_do_not_answer_for_each_other() {
    assert!(!resumes(&sms("+6590001111"), "whatsapp", "+6590001111"));
    assert!(!resumes(&chat("whatsapp", &json!({"msisdn": "+6590001111"})), "sms", "+6590001111"));
}

#[test]
fn c_175_c_176_c_177_a_chat_wait_is_found_by_user_id_or_number() {
    let by_id = chat("line", &json!({"channelUserId": "U4af4980629"}));
    assert!(resumes(&by_id, "line", "U4af4980629"));
    assert!(!resumes(&by_id, "line", "u4af4980629"));

    let number_only = chat("viber", &json!({"msisdn": "+6590001111"}));
    assert!(resumes(&number_only, "viber", "6590001111"));

    let both = chat("whatsapp", &json!({"msisdn": "+6590001111", "channelUserId": "SG.90817263544536271"}));
    assert!(resumes(&both, "whatsapp", "+6590001111"));
    assert!(resumes(&both, "whatsapp", "SG.90817263544536271"));
}

#[test]
fn sms_that_comes_through_chat_apps_is_a_chat_apps_message_on_channel_sms() {
    let message = message(&chat("sms", &json!({"msisdn": "+6590001111"})));
    assert_eq!((message.trigger, message.channel.as_str()), (Trigger::InboundChatApps, "sms"));
}

#[test]
fn empty_identities_are_none() {
    for user in [json!({}), json!({"msisdn": "", "channelUserId": null}), json!(null), json!("x")] {
        assert_eq!(message(&chat("whatsapp", &user)).reply_keys(), Vec::<String>::new());
    }
    assert_eq!(message(&sms("")).reply_keys(), Vec::<String>::new());
}

#[test]
fn media_and_interactive_messages_are_messages() {
    let mut body = chat("viber", &json!({"msisdn": "+6590001111"}));
    body["payload"]["type"] = json!("Interactive");
    body["payload"]["content"] =
        json!({"interactive": {"type": "button_reply", "button_reply": {"id": "opt-2", "title": "Hours"}}});
    assert!(resumes(&body, "viber", "+6590001111"));
}

#[test]
fn the_old_flat_sms_is_read() {
    let body = json!({"umid": "bda3d56d-0000-4711-8000-06ed3428fe67", "type": "inbound", "source": "+6590001111",
        "destination": "+6580002222", "body": "hi", "encoding": "GSM7", "receivedAt": "2017-02-03T04:05:06Z",
        "version": 2});
    let message = message(&body);
    assert_eq!((message.trigger, message.channel.as_str()), (Trigger::InboundSms, "sms"));
    assert_eq!(message.identities, ["6590001111"]);
    assert_eq!(message.sub_account_id, None);
    assert_eq!(message.timestamp, read_timestamp("2017-02-03T04:05:06Z"));
    assert_eq!(message.dedupe_key, "bda3d56d-0000-4711-8000-06ed3428fe67:inbound_message_received");
}

#[test]
fn a_message_without_an_id_is_known_again_by_its_content() {
    let mut first = sms("+6590001111");
    first["payload"].as_object_mut().unwrap().shift_remove("umid");
    let mut second = first.clone();
    second["payload"]["timestamp"] = json!("2026-02-03T04:05:07Z");
    assert_eq!(message(&first).dedupe_key, message(&first.clone()).dedupe_key);
    assert_ne!(message(&first).dedupe_key, message(&second).dedupe_key);
    assert_eq!(message(&first).message_id, None);
}

#[test]
fn c_234_an_sms_receipt_is_read_and_is_no_message() {
    let body = json!({"namespace": "SMS", "eventType": "outbound_message_status_changed",
        "payload": {"umid": "bda3d56d-0000-4711-8000-06ed3428fe67", "clientMessageId": "m-1",
            "subAccountId": "acme_sms", "source": "ACME", "destination": "+6590001111",
            "status": {"state": "undelivered", "detail": "rejected_by_operator", "timestamp": "2026-02-03T04:06:00Z",
                "errorCode": 15, "errorMessage": "Invalid destination"}, "smsCount": 1}});
    assert_eq!(
        receipt(&body),
        Receipt {
            umid: "bda3d56d-0000-4711-8000-06ed3428fe67".to_owned(),
            sub_account_id: Some("acme_sms".to_owned()),
            client_message_id: Some("m-1".to_owned()),
            channel: "sms".to_owned(),
            state: "undelivered".to_owned(),
            rank: 3,
            detail: Some("rejected_by_operator".to_owned()),
            timestamp: read_timestamp("2026-02-03T04:06:00Z"),
            error_code: Some(15),
            error_message: Some("Invalid destination".to_owned()),
            dedupe_key: "bda3d56d-0000-4711-8000-06ed3428fe67:outbound_message_status_changed:undelivered"
                .to_owned(),
        }
    );
}

#[test]
fn a_chat_apps_receipt_of_version_nine_is_read() {
    let body = json!({"version": 9, "namespace": "ChatApps", "eventType": "outbound_message_status_changed",
        "payload": {"umid": "bda3d56d-0000-4711-8000-06ed3428fe67", "subAccountId": "acme_chat", "channel": "RCS",
            "status": {"state": "Read", "timestamp": "2026-02-03T04:06:00.12Z", "errorCode": "0"}}});
    let receipt = receipt(&body);
    assert_eq!((receipt.channel.as_str(), receipt.state.as_str(), receipt.rank), ("rcs", "read", 4));
    assert_eq!(receipt.error_code, Some(0));
    assert!(receipt.dedupe_key.ends_with(":read"));
}

#[test]
fn c_237_c_238_what_is_not_handled_is_ignored() {
    for (namespace, event_type) in [
        ("Nothing", "inbound_message_received"),
        ("VOICE", "CALL_ACTION"),
        ("SMS", "something_new"),
        ("ChatApps", "external_app_message"),
        ("", ""),
    ] {
        let body = json!({"namespace": namespace, "eventType": event_type, "payload": {"umid": "u"}});
        assert!(matches!(parse(&body), Ok(Inbound::Ignored { .. })), "{namespace} {event_type}");
    }
    assert!(matches!(parse(&json!({})), Ok(Inbound::Ignored { .. })));
    assert!(matches!(parse(&json!({"type": "outbound", "umid": "u"})), Ok(Inbound::Ignored { .. })));
}

#[test]
fn a_receipt_that_says_nothing_is_ignored() {
    for payload in
        [json!({"umid": "u"}), json!({"status": {"state": "sent"}}), json!({"umid": "u", "status": 1})]
    {
        let body =
            json!({"namespace": "SMS", "eventType": "outbound_message_status_changed", "payload": payload});
        assert!(matches!(parse(&body), Ok(Inbound::Ignored { .. })), "{body}");
    }
}

#[test]
fn a_long_unknown_name_is_not_logged_whole() {
    let Ok(Inbound::Ignored { reason }) = parse(&json!({"namespace": "x\n".repeat(1000)})) else { panic!() };
    assert_eq!(reason, format!("namespace `{}` is not handled", "x".repeat(40)));
}

#[test]
fn what_is_no_webhook_is_an_error() {
    for body in [json!([]), json!("x"), json!(1), json!(null)] {
        assert_eq!(parse(&body), Err(InboundError::NotAnObject));
    }
    for payload in [json!(null), json!("x"), json!([1])] {
        let body = json!({"namespace": "SMS", "eventType": "inbound_message_received", "payload": payload});
        assert_eq!(parse(&body), Err(InboundError::NoPayload));
    }
}
