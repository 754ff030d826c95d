//! Definitions and webhooks to start from.

use serde_json::{Value, json};

/// An SMS-triggered, disabled definition of these steps.
#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub fn definition(steps: Value) -> Value {
    json!({"trigger": "inbound_sms", "definition": {"name": "Sample", "steps": steps}})
}

/// The smallest definition: answers `Pong`.
pub fn pong() -> Value {
    definition(json!([sms("pong")]))
}

/// An enabled definition that one step long waits for nothing.
pub fn enabled(trigger: &str, subaccount: Option<&str>) -> Value {
    let steps = json!([{"id": "end", "stepType": "Branch", "selectNextStep": {"nowhere": null}}]);
    let mut definition = definition(steps);
    definition["trigger"] = trigger.into();
    definition["status"] = "enabled".into();
    definition["subAccountId"] = subaccount.into();
    definition
}

pub fn sms(id: &str) -> Value {
    json!({"id": id, "stepType": "SMS",
        "inputs": {"subAccountId": "acme_sms", "destination": "{{data.payload.source}}", "text": "Pong"}})
}

/// An inbound SMS, as the platform sends it.
pub fn inbound_sms(umid: &str, subaccount: &str) -> Value {
    json!({"namespace": "SMS", "eventType": "inbound_message_received", "description": "SMS inbound message",
        "payload": {"umid": umid, "subAccountId": subaccount, "timestamp": "2026-02-03T04:05:06.117Z",
            "source": "+6590001111", "destination": "+6580002222", "body": "hi", "encoding": "GSM7", "smsCount": 1}})
}

/// An inbound chat message of the format's second version.
pub fn inbound_chat(umid: &str, subaccount: &str) -> Value {
    json!({"namespace": "ChatApps", "eventType": "inbound_message_received",
        "payload": {"umid": umid, "subAccountId": subaccount, "timestamp": "2026-02-03T04:05:06Z",
            "user": {"msisdn": "+6590001111", "channelUserId": "6590001111"},
            "recipient": {"channel": "whatsapp", "channelId": "d4f4b6b2-1c53-4a62-9c5f-0d5a1a2b3c4d"},
            "type": "Text", "content": {"text": "hi"}}})
}

/// The third version: the user is known by an id.
pub fn inbound_chat_v3(umid: &str, subaccount: &str) -> Value {
    let mut body = inbound_chat(umid, subaccount);
    body["version"] = 3.into();
    body["payload"]["user"] = json!({"channelUserId": "SG.90817263544536271", "name": "Mei"});
    body
}

pub fn receipt(umid: &str, state: &str) -> Value {
    json!({"namespace": "SMS", "eventType": "outbound_message_status_changed",
        "payload": {"umid": umid, "subAccountId": "acme_sms", "source": "ACME", "destination": "+6590001111",
            "status": {"state": state, "timestamp": "2026-02-03T04:06:00Z", "errorCode": 0}, "smsCount": 1}})
}
