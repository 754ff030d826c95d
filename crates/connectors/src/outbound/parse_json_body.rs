//! Reads an answer that has to be JSON, and says what is wrong with it in the words that workflow
//! authors know (spec 2.17.6).

use serde_json::Value;

use crate::lenient_json;

/// The JSON of a response body, null for an empty one.
///
/// The error is the text of the fault: it names the first character only, which tells HTML (`<`)
/// from plain text; the position is always given as zero.
pub fn parse_json_body(body: &[u8]) -> Result<Value, String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.is_empty() {
        return Ok(Value::Null);
    }
    lenient_json(body).map_err(|_| {
        let first = String::from_utf8_lossy(body).chars().next().unwrap_or_default();
        format!("Unexpected character encountered while parsing value: {first}. Path '', line 0, position 0.")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parse_json_body;

    #[test]
    fn json_of_any_kind_is_read() {
        assert_eq!(parse_json_body(b" {\"a\": 1}\n"), Ok(json!({"a": 1})));
        assert_eq!(parse_json_body(b"\xef\xbb\xbf[1]"), Ok(json!([1])));
        assert_eq!(parse_json_body(b"\"x\""), Ok(json!("x")));
    }

    #[test]
    fn a_text_cut_in_half_is_read() {
        assert_eq!(parse_json_body(br#"{"a": "hi \ud83d"}"#), Ok(json!({"a": "hi \u{fffd}"})));
    }

    #[test]
    fn an_empty_body_is_null() {
        assert_eq!(parse_json_body(b""), Ok(Value::Null));
        assert_eq!(parse_json_body(b" \r\n"), Ok(Value::Null));
    }

    #[test]
    fn anything_else_is_named_by_its_first_character() {
        for (body, first) in [("<html>", '<'), ("Hello", 'H'), ("  é", 'é'), ("{\"a\":", '{')] {
            assert_eq!(
                parse_json_body(body.as_bytes()),
                Err(format!(
                    "Unexpected character encountered while parsing value: {first}. Path '', line 0, position 0."
                ))
            );
        }
        assert!(parse_json_body(b"\xff\xfe").is_err());
    }
}
