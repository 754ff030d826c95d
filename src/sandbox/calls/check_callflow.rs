//! What the current voice API checks about a callflow (spec 8.4.1, codes of 2.17.3).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_connectors::eight_by_eight::wire::read_timestamp;

use super::action::{Action, action_name, read_action, unknown_action};
use super::order::{Order, read_client_request_id, read_entries, read_numbers};
use super::params::{Params, bad_entry};
use crate::sandbox::refusal::Invalid;

const ACTIONS: &str = "makeCall,say,playFile,sayAndCapture,hangup";

/// Two calls are bridged; more cannot be.
const MAX_CALLS: usize = 2;

pub(super) fn check_callflow(request: &Map<String, Value>, now: DateTime<Utc>) -> Result<Order, Invalid> {
    let client_request_id = read_client_request_id(request)?;
    check_validity(request, now)?;
    let mut numbers = Vec::new();
    let mut actions = Vec::new();
    for (index, entry) in read_entries(request)?.iter().enumerate() {
        let path = format!("$.callflow[{index}]");
        let is_make_call = action_name(entry, &path)? == "makeCall";
        if is_make_call {
            numbers.push(read_numbers(&Params::of(entry, &path)?)?);
        } else {
            actions.push(read_action(entry, &path)?.ok_or_else(|| unknown_action(&path, ACTIONS))?);
        }
        if index == 0 && !is_make_call {
            return Err(Invalid::new(-1013, "First action must be makeCall"));
        }
    }
    if numbers.len() > MAX_CALLS {
        return Err(Invalid::new(-1010, "Number of makeCall actions exceeds the maximum of 2"));
    }
    check_hangup(&actions)?;
    let is_bridged = numbers.len() == MAX_CALLS;
    let note = "the second `makeCall` is not played: the sandbox has one phone per call";
    let (source, destination) = numbers.swap_remove(0);
    Ok(Order {
        api: VoiceApi::Callflows,
        source,
        destination,
        client_request_id,
        action: actions.first().map_or("", Action::name).to_owned(),
        actions,
        dtmf_callback_url: None,
        notes: is_bridged.then(|| note.to_owned()).into_iter().collect(),
    })
}

fn check_validity(request: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), Invalid> {
    let until = match request.get("validUntil") {
        None | Some(Value::Null) => return Ok(()),
        Some(until) => until.as_str().and_then(read_timestamp),
    };
    match until {
        None => Err(bad_entry("$.validUntil", "is not a date and time")),
        Some(until) if until <= now => Err(Invalid::new(-1015, "Validity period has expired")),
        Some(_) => Ok(()),
    }
}

/// `hangup` is the last action, if it is there, and no capture stands before it: the digits would be
/// lost.
fn check_hangup(actions: &[Action]) -> Result<(), Invalid> {
    let Some(first) = actions.iter().position(|action| *action == Action::Hangup) else { return Ok(()) };
    let captures = actions.iter().any(|action| matches!(action, Action::SayAndCapture { .. }));
    if captures {
        return Err(Invalid::new(-1012, "hangup is not allowed after sayAndCapture"));
    }
    if first + 1 < actions.len() {
        return Err(Invalid::new(-1012, "hangup must be the last action"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::check_callflow;
    use crate::sandbox::calls::action::{Action, Capture};

    fn make_call() -> Value {
        json!({"action": "makeCall", "params": {"source": "+6568000000", "destination": "+6590001111"}})
    }

    fn capture() -> Value {
        json!({"action": "sayAndCapture", "params": {"promptMessage": "Press", "voiceProfile": "en-US-ZiraRUS",
            "maxDigits": 1}})
    }

    fn say() -> Value {
        json!({"action": "say", "params": {"text": "Hello", "voiceProfile": "en-US-ZiraRUS"}})
    }

    fn code_of(request: &Value) -> (i64, String) {
        let invalid = check_callflow(request.as_object().unwrap(), DateTime::UNIX_EPOCH).unwrap_err();
        (invalid.code, invalid.message)
    }

    fn with(mut entry: Value, name: &str, value: Value) -> Value {
        entry["params"][name] = value;
        entry
    }

    #[test]
    fn a_list_out_of_order_has_the_code_of_the_platform() {
        let hangup = json!({"action": "hangup"});
        for (callflow, code) in [
            (json!(null), -1009),
            (json!([]), -1009),
            (json!({}), -1009),
            (json!(["say"]), -1009),
            (json!([{}]), -1009),
            (json!([{"action": 1}]), -1009),
            (json!([{"action": "makeCall"}]), -1009),
            (json!([{"action": "makeCall", "params": []}]), -1009),
            (json!([{"action": "dance"}]), -1007),
            (json!([make_call(), {"action": "say&capture"}]), -1007),
            (json!([say(), make_call()]), -1013),
            (json!([make_call(), make_call(), make_call()]), -1010),
            (json!([make_call(), hangup, say()]), -1012),
            (json!([make_call(), say(), hangup, hangup]), -1012),
            (json!([make_call(), capture(), hangup]), -1012),
        ] {
            assert_eq!(code_of(&json!({"callflow": callflow})).0, code, "{callflow}");
        }
        let (_, message) = code_of(&json!({"callflow": [{"action": "dance"}]}));
        let known = "makeCall,say,playFile,sayAndCapture,hangup";
        assert_eq!(message, format!("$.callflow[0].action should be one of: {known}"));
    }

    #[test]
    fn each_mistake_of_a_member_has_the_code_of_the_platform() {
        let file = json!({"action": "playFile", "params": {"fileUrl": "https://a.example/a.mp3"}});
        let long = "x".repeat(3001);
        for (entry, name, value, code) in [
            (make_call(), "source", json!(null), -1009),
            (make_call(), "source", json!("ACME"), -1014),
            (make_call(), "source", json!("private"), -1014),
            (make_call(), "destination", json!(""), -1009),
            (make_call(), "destination", json!(6_590_001_111_u64), -1009),
            (make_call(), "destination", json!("12"), -1017),
            (make_call(), "destination", json!(["+6590001111"]), -1011),
            (make_call(), "destination", json!("+6590001111,+6590002222"), -1011),
            (say(), "text", json!(null), -1009),
            (say(), "text", json!(" "), -1009),
            (say(), "text", json!(long), -1009),
            (say(), "text", json!("a\u{0}b"), -1016),
            (say(), "voiceProfile", json!(null), -1009),
            (say(), "voiceProfile", json!("Zira"), -1002),
            (say(), "voiceProfile", json!("en-Zira"), -1002),
            (say(), "language", json!("english please"), -1002),
            (say(), "repetition", json!(4), -1009),
            (say(), "repetition", json!(1.5), -1009),
            (say(), "speed", json!(0.4), -1009),
            (say(), "speed", json!("1"), -1009),
            (file.clone(), "fileUrl", json!(null), -1009),
            (file.clone(), "fileUrl", json!("ftp://a.example/a.mp3"), -1009),
            (file, "repetition", json!(0), -1009),
            (capture(), "promptMessage", json!(null), -1009),
            (capture(), "voiceProfile", json!(""), -1009),
            (capture(), "maxDigits", json!(26), -1009),
            (capture(), "minDigits", json!(0), -1009),
            (capture(), "minDigits", json!(2), -1003),
            (with(capture(), "maxDigits", json!(null)), "minDigits", json!(1), -1003),
            (with(capture(), "maxDigits", json!(null)), "completeOnHash", json!(false), -1008),
            (capture(), "completeOnHash", json!("true"), -1009),
            (capture(), "digitTimeout", json!(1000), -1005),
            (with(capture(), "overallTimeout", json!(5000)), "digitTimeout", json!(5000), -1006),
            (with(capture(), "overallTimeout", json!(5000)), "digitTimeout", json!(0), -1009),
            (capture(), "noOfTries", json!(0), -1009),
            (capture(), "successMessage", json!(1), -1009),
        ] {
            let entry = with(entry, name, value);
            let callflow = match entry["action"].as_str() {
                Some("makeCall") => json!([entry]),
                _ => json!([make_call(), entry]),
            };
            assert_eq!(code_of(&json!({"callflow": callflow})).0, code, "{callflow}");
        }
        let entry = with(say(), "text", json!(null));
        assert_eq!(
            code_of(&json!({"callflow": [make_call(), entry]})).1,
            "Invalid call flow entry provided. $.callflow[1].params.text: is missing but it is required"
        );
    }

    #[test]
    fn what_stands_beside_the_callflow_is_checked() {
        for (name, value, code) in [
            ("clientRequestId", json!(7), -1009),
            ("validUntil", json!("soon"), -1009),
            ("validUntil", json!("1970-01-01T00:00:00Z"), -1015),
        ] {
            let mut request = json!({"callflow": [make_call(), say()]});
            request[name] = value;
            assert_eq!(code_of(&request).0, code, "{request}");
        }
    }

    #[test]
    fn a_callflow_in_order_is_accepted() {
        let mut capture = capture();
        for (name, value) in [
            ("minDigits", json!(1)),
            ("maxDigits", json!(4)),
            ("digitTimeout", json!(4000)),
            ("overallTimeout", json!(8000)),
            ("completeOnHash", json!(false)),
            ("noOfTries", json!(2)),
            ("speed", json!(1.5)),
            ("successMessage", json!("Thank you")),
            ("failureMessage", json!(null)),
        ] {
            capture = with(capture, name, value);
        }
        let request = json!({"clientRequestId": "c-1", "validUntil": "1970-01-01T00:00:01Z",
            "callflow": [make_call(), say(), capture]});
        let order = check_callflow(request.as_object().unwrap(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(order.client_request_id.as_deref(), Some("c-1"));
        assert_eq!(order.destination, "+6590001111");
        let capture = Capture { min_digits: 1, max_digits: Some(4), complete_on_hash: false, tries: 2 };
        assert_eq!(
            order.actions,
            [
                Action::Say { text: "Hello".to_owned() },
                Action::SayAndCapture { prompt: "Press".to_owned(), capture }
            ]
        );
        let bridged = json!({"callflow": [make_call(), make_call(), say()]});
        let order = check_callflow(bridged.as_object().unwrap(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(order.notes.len(), 1);
    }
}
