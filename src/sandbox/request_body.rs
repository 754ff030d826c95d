//! Reads request bodies and their members, with the platform's codes for what is wrong.

use serde_json::{Map, Value};
use trunkline_connectors::eight_by_eight::wire::read_timestamp;

use super::refusal::Invalid;

/// "Invalid parameter", for everything without a code of its own.
pub(super) const INVALID_PARAMETER: i64 = 1000;

pub(super) fn json_object(body: &[u8]) -> Result<Map<String, Value>, Invalid> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Invalid::new(INVALID_PARAMETER, "Invalid request body.")),
    }
}

/// A member that has to be text if it is there at all.
pub(super) fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Invalid> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Invalid::new(INVALID_PARAMETER, format!("Invalid {name}."))),
    }
}

/// Like [`text`], and not empty.
pub(super) fn required_text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Invalid> {
    text(members, name)?
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Invalid::new(INVALID_PARAMETER, format!("Invalid {name}.")))
}

/// `^\+{0,1}[1-9]{1}[0-9]{6,14}$`; with a country the national format is fine too.
pub(super) fn is_phone_number(text: &str, has_country: bool) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_international = digits.len() >= 7 && !digits.starts_with('0');
    (is_international || has_country && digits.len() >= 4)
        && digits.len() <= 15
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_timestamp(text: &str) -> bool {
    read_timestamp(text).is_some()
}

pub(super) fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::is_phone_number;

    #[test]
    fn a_phone_number_is_international_unless_there_is_a_country() {
        for number in ["+6590001111", "6590001111", "1234567", "123456789012345"] {
            assert!(is_phone_number(number, false), "{number}");
        }
        for number in
            ["", "+", "123456", "1234567890123456", "+06590001111", "65-9000-1111", "six", "++6590001111"]
        {
            assert!(!is_phone_number(number, false), "{number}");
        }
        assert!(is_phone_number("090001111", true));
        assert!(!is_phone_number("090001111", false));
    }
}
