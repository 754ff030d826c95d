//! When the provider says that something happened.

use chrono::{DateTime, Utc};

use crate::eight_by_eight::wire;

/// ISO 8601, or v1's `2020-01-01 14:00:00 +0000`; within the years that can be stored.
pub(super) fn read_timestamp(text: &str) -> Option<DateTime<Utc>> {
    wire::read_timestamp(text).or_else(|| {
        let time = DateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S%.f %z").ok()?;
        wire::read_timestamp(&time.to_rfc3339())
    })
}

#[cfg(test)]
mod tests {
    use super::read_timestamp;

    #[test]
    fn both_formats_of_the_api_are_read() {
        for (text, read) in [
            ("2020-01-01T14:00:03.010Z", "2020-01-01T14:00:03.010Z"),
            ("2020-01-01 14:00:00 +0000", "2020-01-01T14:00:00.000Z"),
            (" 2020-01-01 14:00:00.5 +0200 ", "2020-01-01T12:00:00.500Z"),
            ("2020-01-01T14:00:00+02:00", "2020-01-01T12:00:00.000Z"),
        ] {
            let time = read_timestamp(text).unwrap();
            assert_eq!(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), read, "{text}");
        }
        for text in ["", "soon", "2020-01-01 14:00:00 +00", "+12020-01-01 14:00:00 +0000"] {
            assert_eq!(read_timestamp(text), None, "{text}");
        }
    }
}
