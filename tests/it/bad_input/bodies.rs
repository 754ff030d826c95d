//! Good bodies to spoil, and bodies that are no JSON.

use serde_json::{Value, json};

use crate::support::{inbound_chat, inbound_chat_v3, inbound_sms, sample};

/// Of an operation. A new one needs one here.
pub fn good(operation: &str) -> Value {
    match operation {
        "create-definition" | "update-existing-definition" | "validate-definition" => full_definition(),
        "start-workflow-instance" | "http_request_trigger" => json!({"order": {"number": 7}}),
        "rerun-instance" => json!({"from": {"step": "end"}, "context": {"note": "again"}}),
        "create-batch" => json!({"action": "rerun", "instances": ["0123456789abcdef01234567"],
            "rerun": {"from": "start", "context": {"note": "again"}}, "atMost": 100, "again": true,
            "dryRun": true, "reason": "outage"}),
        "set-limits" => json!({"timeZone": "Europe/Berlin", "rates": [{"messages": 30, "per": "second"}],
            "senders": [{"sender": "acme_sms", "rates": [{"messages": 5, "per": "second"}]}],
            "quietHours": [{"from": "21:00", "to": "08:00", "channels": ["sms", "voice"]}], "concurrency": 20}),
        "replace-history-policy" => {
            json!({"bodies": "hash", "headers": ["X-Customer"], "members": ["iban"]})
        }
        "patch-batch" => json!({"command": "pause"}),
        "patch-workflow-instance" => json!({"status": "suspend"}),
        webhook => events(webhook).remove(0),
    }
}

/// Of a webhook: one of each kind that it reads.
pub fn events(webhook: &str) -> Vec<Value> {
    match webhook {
        "receive-message-event" => vec![
            inbound_sms("sms", "acme_sms"),
            inbound_chat("chat", "acme_chat"),
            inbound_chat_v3("chat 3", "acme_chat"),
            sample::receipt("receipt", "delivered"),
        ],
        "receive-voice-event" => vec![
            json!({"namespace": "VOICE", "eventType": "CALL_ACTION", "payload": {
                "eventId": "e1", "sessionId": "s1", "subAccountId": "acme_voice", "callStatus": "ACTION_COMPLETED",
                "source": "6580002222", "destination": "6590001111", "timestamp": "2026-02-03T04:05:06Z",
                "eventData": {"dtmf": "1"}, "clientActionId": "a1", "clientRequestId": "r1"}}),
            json!({"namespace": "VOICE", "eventType": "SESSION_SUMMARY", "payload": {
                "sessionId": "s1", "subAccountId": "acme_voice", "sessionStatus": "COMPLETED",
                "clientRequestId": "r1", "startTime": "2026-02-03T04:05:06Z", "endTime": "2026-02-03T04:06:06Z",
                "errorDetails": {"errorCode": 0, "errorMessage": "none"}}}),
        ],
        "receive-dtmf" => vec![json!({"uid": "u1", "clientRequestId": "r1", "destination": "6590001111",
            "status": {"code": "DTMF", "timestamp": "2026-02-03T04:05:06Z"}, "actionDetails": {"dtmf": "2"}})],
        "receive-message-status" => vec![
            json!({"message_uuid": "p-1", "status": "undeliverable", "timestamp": "2026-02-03T04:05:06Z",
                "to": {"type": "sms", "number": "447700900000"}, "from": {"type": "sms", "number": "447700900001"},
                "error": {"code": 1120, "reason": "Illegal sender"}, "usage": {"price": "0.03", "currency": "EUR"},
                "client_ref": "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2"}),
            json!({"message_uuid": "p-2", "status": "delivered", "timestamp": "2026-02-03 04:05:06 +0000",
                "to": "447700900000", "from": "447700900001", "channel": "sms", "client_ref": "x"}),
        ],
        "receive-inbound-message" => vec![
            json!({"message_uuid": "p-1", "timestamp": "2026-02-03T04:05:06Z",
                "to": {"type": "sms", "number": "447700900001"}, "from": {"type": "sms", "number": "447700900000"},
                "message": {"content": {"type": "text", "text": "Hi"}, "sms": {"num_messages": "1"}},
                "usage": {"price": "0.03", "currency": "EUR"}}),
            json!({"message_uuid": "p-2", "timestamp": "2026-02-03 04:05:06 +0000", "to": "447700900001",
                "from": "447700900000", "channel": "whatsapp", "message_type": "location",
                "location": {"lat": 1.5, "long": 2}}),
        ],
        other => panic!("`{other}` takes a body that nobody has tried to spoil: add a good one"),
    }
}

/// A step of each type with what it may have.
pub fn full_definition() -> Value {
    json!({"subAccountId": "acme_sms", "trigger": "inbound_sms", "status": "disabled", "definition": {
    "name": "Everything", "steps": [
        {"id": "sms", "stepType": "SMS", "inputs": {"subAccountId": "acme_sms", "destination": "{{data.a}}",
            "text": "Hi", "source": "ACME", "encoding": "AUTO"}, "outputs": {"umid": "{{step.umid}}"},
            "nextStepId": "chat"},
        {"id": "chat", "stepType": "ChatAppsMessage", "inputs": {"subAccountId": "acme_chat", "type": "text",
            "user": {"msisdn": "{{data.a}}"}, "content": {"text": "Hi"}}, "nextStepId": null},
        {"id": "http", "stepType": "HttpRequest", "inputs": {"url": "https://example.com", "method": "POST",
            "headers": {"X-A": "b"}, "parameters": {"q": "1"}, "body": {"a": [1]}, "timeoutSeconds": 5},
            "outputs": {"code": "{{step.responseCode}}"}},
        {"id": "branch", "stepType": "Branch", "selectNextStep": {"sms": "{{data.a == 1}}", "chat": null}},
        {"id": "if", "stepType": "If", "inputs": {"condition": "{{data.a == 1}}"}, "do": [[
            {"id": "inner", "stepType": "Wait", "inputs": {"duration": "00:00:01"}}]]},
        {"id": "wait", "stepType": "Wait", "inputs": {"duration": "1.00:00:00"}},
        {"id": "reply", "stepType": "WaitForReply", "inputs": {"from": "{{data.a}}", "channel": "sms",
            "timeout": "00:10:00"}, "outputs": {"text": "{{step.reply.payload.body}}"}},
        {"id": "voice", "stepType": "VoiceMessage", "inputs": {"subAccountId": "acme_voice", "action": "say",
            "clientRequestId": "{{uuid()}}", "params": {"source": "1", "destination": "2", "text": "Hi"}}},
        {"id": "dtmf", "stepType": "WaitForDTMF", "inputs": {"dtmfRequestId": "{{data.b}}", "timeout": "1"}},
        {"id": "converse", "stepType": "SendToConverse", "inputs": {"payload": "{{data.payload}}"}},
        {"id": "jump", "stepType": "Jump", "nextStepId": "sms"}
    ]}})
}

pub fn no_json() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        r#"{"a": 1} {"a": 1}"#,
        r#"{"a": 1}]"#,
        r"{'a': 1}",
        r"{a: 1}",
        r#"{"a" 1}"#,
        r#"{"a": 01}"#,
        r#"{"a": +1}"#,
        r#"{"a": .5}"#,
        r#"{"a": 1.}"#,
        r#"{"a": 0x10}"#,
        r#"{"a": NaN}"#,
        r#"{"a": -Infinity}"#,
        r#"{"a": undefined}"#,
        r#"{"a": True}"#,
        r#"{"a": "\x41"}"#,
        r#"{"a": "\u12"}"#,
        r#"{"a": "\uzzzz"}"#,
        "{\"a\": \"line\nbreak\"}",
        "{\"a\": \"\0\"}",
        "{\"a\": 1}\0",
        "\u{a0}{}",
        "<a/>",
        "a=1",
        "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    // Of a value beyond what a number can be.
    bodies.push(format!("{{\"a\": 1{}}}", "0".repeat(400)).into_bytes());
    bodies.push(b"{\"a\": -1e400}".to_vec());
    // No UTF-8: a byte that never occurs, a character cut off, one spelled too long, half a pair, UTF-16.
    for text in [&b"\xff"[..], b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"] {
        bodies.push([b"{\"a\": \"", text, b"\"}"].concat());
        bodies.push([b"{\"", text, b"\": 1}"].concat());
    }
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| "\u{feff}{}".encode_utf16().flat_map(bytes).collect();
    bodies.extend([utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes)]);
    // Nested deeper than anybody reads.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for levels in [200, 100_000] {
            bodies.push(format!("{{\"a\": {}1{}}}", open.repeat(levels), close.repeat(levels)).into_bytes());
        }
    }
    bodies
}
