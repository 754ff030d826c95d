//! When the other side wants to be asked again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::send_request::OutboundResponse;

impl OutboundResponse {
    /// What `Retry-After` says. A date is of the other side's clock, and counted from what that showed, else from
    /// `now`; one that has passed is no time at all.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        let theirs = self.header("date").and_then(parse_date);
        self.header("retry-after").and_then(|value| parse(value, theirs.unwrap_or(now)))
    }
}

/// Seconds or an HTTP date.
fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some((parse_date(value)? - now).to_std().unwrap_or_default())
}

fn parse_date(value: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(value.trim()).ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{OutboundResponse, parse};
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

    #[test]
    fn a_date_is_counted_from_the_other_sides_clock() {
        let now = read_timestamp("1994-11-06T09:49:30Z").unwrap();
        let answer = |headers: &[(&str, &str)]| OutboundResponse {
            status: 503,
            reason: String::new(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Vec::new(),
        };
        let after = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        let theirs = answer(&[("date", "Sun, 06 Nov 1994 08:49:30 GMT"), after]);
        assert_eq!(theirs.retry_after(now), Some(Duration::from_secs(7)));
        for silent in [answer(&[after]), answer(&[("date", "today"), after])] {
            assert_eq!(silent.retry_after(now), Some(Duration::ZERO));
        }
    }
}
