//! When the other side wants to be asked again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::send_request::OutboundResponse;

impl OutboundResponse {
    /// What `Retry-After` says; a date is counted from `now`, and one that has passed is no time at all.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        self.header("retry-after").and_then(|value| parse(value, now))
    }
}

/// Seconds or an HTTP date.
fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?.to_utc();
    Some((at - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;
    use crate::eight_by_eight::wire::read_timestamp;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = read_timestamp("1994-11-06T08:49:30Z").unwrap();
        for (value, expected) in [
            ("1", Some(1)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
