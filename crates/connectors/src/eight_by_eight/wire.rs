//! What the messaging platform writes. Read leniently: a message that was accepted must not turn
//! into a fault because a member has a new type.

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The answer to an accepted message, of both products. Members that are absent are null.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SendAnswer {
    pub umid: Value,
    pub client_message_id: Value,
    pub status: AnswerStatus,
    /// SMS only.
    pub destination: Value,
    /// SMS only: the encoding finally chosen.
    pub encoding: Value,
}

/// SMS answers with `code` and `description`, chat apps with `state` and the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnswerStatus {
    pub code: Value,
    pub description: Value,
    pub state: Value,
    pub detail: Value,
    pub error_message: Value,
}

impl SendAnswer {
    /// `None` for a body that is no object at all.
    pub fn read(body: &Value) -> Option<Self> {
        let body = body.as_object()?;
        let member = |name: &str| body.get(name).cloned().unwrap_or_default();
        let status = member("status");
        Some(Self {
            umid: member("umid"),
            client_message_id: member("clientMessageId"),
            destination: member("destination"),
            encoding: member("encoding"),
            status: AnswerStatus {
                code: status["code"].clone(),
                description: status["description"].clone(),
                state: status["state"].clone(),
                detail: status["detail"].clone(),
                error_message: status["errorMessage"].clone(),
            },
        })
    }
}

/// The body of every status from 400 on (spec 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    pub code: i64,
    pub message: String,
    pub error_id: String,
    pub timestamp: String,
}

/// Text that is not empty; numbers by their digits.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Stands in for the id of an event that has none: repeated deliveries repeat the bytes, and two
/// events differ at least in their time.
pub(super) fn digest(body: &Value) -> String {
    format!("{:x}", Sha256::digest(body.to_string()))
}

/// A timestamp as the platform writes it: UTC, two fractional digits.
pub fn write_timestamp(time: DateTime<Utc>) -> String {
    format!("{}.{:02}Z", time.format("%Y-%m-%dT%H:%M:%S"), time.timestamp_subsec_millis().min(999) / 10)
}

/// Any ISO 8601 date and time of the years 1 to 9999, which is what can be stored and written again;
/// without an offset it is UTC.
pub fn read_timestamp(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .or_else(|_| text.parse::<chrono::NaiveDateTime>().map(|time| time.and_utc()))
        .ok()
        .filter(|time| (1..=9999).contains(&time.year()))
}

#[cfg(test)]
mod tests {
    use super::{read_timestamp, write_timestamp};

    #[test]
    fn timestamps_are_written_with_two_digits_and_read_with_any() {
        for (text, written) in [
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06.00Z"),
            ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.78Z"),
            ("2026-02-03T12:05:06.7+08:00", "2026-02-03T04:05:06.70Z"),
            ("2026-02-03T04:05:06.1234567", "2026-02-03T04:05:06.12Z"),
        ] {
            assert_eq!(write_timestamp(read_timestamp(text).unwrap()), written);
        }
        assert_eq!(read_timestamp("yesterday"), None);
    }

    #[test]
    fn a_year_that_nobody_can_mean_is_no_timestamp() {
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert!(read_timestamp(text).is_some(), "{text}");
        }
        for text in [
            "-9999-01-01T00:00:00",
            "-9999-01-01T00:00:00Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+08:00",
            "9999-12-31T23:59:59-08:00",
            "+10000-01-01T00:00:00",
            "+262142-01-01T00:00:00",
        ] {
            assert_eq!(read_timestamp(text), None, "{text}");
        }
    }
}
