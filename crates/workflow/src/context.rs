//! The context an instance starts with: the trigger's body and three system keys (spec 5.3, 6.3).

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::ids::AccountId;

/// Keys that no body and no output may replace.
pub const RESERVED: [&str; 3] = ["accountId", "subAccountId", "triggeredAt"];

/// Levels of nesting that a context may have; what reads it back stops at 128.
pub const MAX_DEPTH: usize = 100;

/// Bytes of memory for each value, with its key, and what a list has to spare while it grows.
const PER_VALUE: usize = 150;
/// For each list and object besides: it begins with room for four.
const PER_LIST: usize = 320;

/// Bytes of memory that a JSON text and what is read of it take at most: two hundred times its length, if it is lists of
/// lists. Punctuation within strings counts, too.
pub fn memory(text: &[u8]) -> usize {
    let of_byte = |byte: &u8| match byte {
        b',' | b':' => 1 + PER_VALUE,
        b'[' | b'{' => 1 + PER_VALUE + PER_LIST,
        _ => 1,
    };
    text.iter().map(of_byte).sum()
}

/// Levels of arrays and objects in a value; 0 for anything else.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// `data` of a new instance. A body that is no object stands under `payload`. The system keys are ours also
/// where we have nothing to put: a body's own `subAccountId` names no subaccount that the instance runs under.
pub fn build(
    body: Value,
    account: &AccountId,
    subaccount: Option<&str>,
    triggered_at: DateTime<Utc>,
) -> Map<String, Value> {
    let mut data = match body {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => Map::from_iter([("payload".to_owned(), other)]),
    };
    for key in RESERVED {
        data.shift_remove(key);
    }
    let mut system = |key: &str, value: String| data.insert(key.to_owned(), value.into());
    system("accountId", account.to_string());
    if let Some(subaccount) = subaccount {
        system("subAccountId", subaccount.to_owned());
    }
    system("triggeredAt", timestamp(triggered_at));
    data
}

/// Seven fractional digits, as `triggeredAt` has them (U-43). The database keeps microseconds.
fn timestamp(at: DateTime<Utc>) -> String {
    let micros = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!("{}0Z", micros.trim_end_matches('Z'))
}

/// The subaccount of a manual start: the body's, else the definition's (spec 6.3).
pub fn subaccount_of_body(body: &Value) -> Option<&str> {
    body.get("payload")?.get("subAccountId")?.as_str()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_text_takes_in_memory_is_not_less_than_its_values_do() {
        // Else more than that could be taken for it.
        assert!(size_of::<Value>() * 2 <= PER_VALUE);
        let mebibyte = |part: &str| format!("[{}0]", part.repeat((1 << 20) / part.len()));
        let string = format!("\"{}\"", "x".repeat(1 << 20));
        for (text, mebibytes) in [(mebibyte("0,"), 76), (mebibyte("[0],"), 156), (string, 1)] {
            assert_eq!(memory(text.as_bytes()) >> 20, mebibytes, "{}", &text[..9]);
        }
    }

    #[test]
    fn c_088_c_089_c_090_the_body_and_the_system_keys_make_the_context() {
        let at = Utc.timestamp_opt(1_770_091_446, 331_204_000).unwrap();
        let data = build(
            json!({"price": "10", "accountId": "other", "triggeredAt": 1}),
            &AccountId::new("acme"),
            None,
            at,
        );
        assert_eq!(
            Value::Object(data),
            json!({"price": "10", "accountId": "acme", "triggeredAt": "2026-02-03T04:04:06.3312040Z"})
        );
    }

    #[test]
    fn c_091_the_subaccount_is_the_systems_and_never_a_plain_member_of_the_body() {
        for (subaccount, expected) in [(Some("ours"), Some("ours")), (None, None)] {
            let body = json!({"subAccountId": "theirs", "payload": {"subAccountId": "inner"}});
            let data = build(body, &AccountId::new("acme"), subaccount, DateTime::UNIX_EPOCH);
            assert_eq!(data.get("subAccountId").and_then(Value::as_str), expected);
            assert_eq!(data["payload"], json!({"subAccountId": "inner"}));
        }
    }

    #[test]
    fn a_body_that_is_no_object_stands_under_payload() {
        let data = build(json!([1]), &AccountId::new("a"), Some("s"), DateTime::UNIX_EPOCH);
        assert_eq!(data["payload"], json!([1]));
        assert_eq!(data["subAccountId"], "s");
    }
}
