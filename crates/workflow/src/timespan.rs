//! Durations as definitions write them: `d.HH:mm:ss` and its relatives (spec 3.6).

use std::time::Duration;

use serde_json::Value;

/// Longest duration accepted (U-68).
const MAX_DAYS: u64 = 3650;

/// A text that is no timespan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Invalid timespan '{0}'.")]
pub struct InvalidTimespan(pub String);

/// `[d.]H+:m+[:s+[.f]]`, `d` or `d:H:m:s`; blanks around are trimmed.
pub fn parse(text: &str) -> Result<Duration, InvalidTimespan> {
    parse_trimmed(text.trim())
        .filter(|duration| duration.as_secs() <= MAX_DAYS * 86_400)
        .ok_or_else(|| InvalidTimespan(text.to_owned()))
}

/// A JSON text, or a whole number of days.
pub fn from_value(value: &Value) -> Result<Duration, InvalidTimespan> {
    match value {
        Value::String(text) => parse(text),
        other => parse(&other.to_string()),
    }
}

fn parse_trimmed(text: &str) -> Option<Duration> {
    let parts: Vec<&str> = text.split(':').collect();
    let (days, hours, minutes, seconds) = match parts[..] {
        [days] => (days, "0", "0", "0"),
        [hours, minutes] => {
            let (days, hours) = split_days(hours);
            (days, hours, minutes, "0")
        }
        [hours, minutes, seconds] => {
            let (days, hours) = split_days(hours);
            (days, hours, minutes, seconds)
        }
        [days, hours, minutes, seconds] => (days, hours, minutes, seconds),
        _ => return None,
    };
    let (seconds, fraction) = seconds.split_once('.').map_or((seconds, None), |(s, f)| (s, Some(f)));
    let nanos = match fraction {
        None => 0,
        Some(digits) if digits.len() <= 7 => {
            number(digits)? * 10_u64.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        Some(_) => return None,
    };
    let at_most = |text, limit| number(text).filter(|n| *n <= limit);
    let whole = at_most(days, MAX_DAYS)? * 86_400
        + at_most(hours, 23)? * 3_600
        + at_most(minutes, 59)? * 60
        + at_most(seconds, 59)?;
    Some(Duration::from_secs(whole) + Duration::from_nanos(nanos))
}

fn split_days(hours: &str) -> (&str, &str) {
    hours.split_once('.').unwrap_or(("0", hours))
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_151_timespans_parse_to_seconds() {
        for (text, seconds) in [
            ("2", 172_800.0),
            ("1.6:30:15", 109_815.0),
            ("0.00:01:00", 60.0),
            ("00:05:00", 300.0),
            ("1.00:00:00", 86_400.0),
            ("6:30", 23_400.0),
            ("1.6:30", 109_800.0),
            ("00:00:01.5", 1.5),
            ("1:06:30:15", 109_815.0),
            (" 00:00:01 ", 1.0),
            ("0", 0.0),
            ("3650", 315_360_000.0),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_secs_f64(seconds), "{text}");
        }
        assert_eq!(from_value(&Value::from(3)).unwrap(), Duration::from_secs(259_200));
    }

    #[test]
    fn what_is_no_timespan_is_refused() {
        for text in [
            "24:00:00",
            "00:60:00",
            "00:00:60",
            "-1",
            "",
            "soon",
            "1d",
            "3651",
            "1.5",
            "+1",
            "1::2",
            "::",
            "00:00:01.12345678",
            "1:2:3:4:5",
        ] {
            assert_eq!(parse(text), Err(InvalidTimespan(text.to_owned())));
        }
        assert_eq!(InvalidTimespan("soon".to_owned()).to_string(), "Invalid timespan 'soon'.");
    }
}
