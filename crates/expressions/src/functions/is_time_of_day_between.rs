//! `isTimeOfDayBetween(timestamp, timeFrom, timeTo, timezone)`.

use chrono::{NaiveTime, TimeZone as _, Timelike as _};

use super::FunctionError;
use super::call_helper::excerpt;
use super::parse_timestamp::{parse_time_of_day, parse_timestamp};
use crate::time_zones;

/// Tells whether an instant lies in a daily window of a zone. Both ends are inclusive, fractions of the
/// instant's second do not count, and a window whose start is after its end spans midnight. Without one
/// of the texts the answer is no.
pub fn is_time_of_day_between(
    timestamp: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
    zone: Option<&str>,
) -> Result<bool, FunctionError> {
    let (Some(timestamp), Some(from), Some(to), Some(zone)) = (timestamp, from, to, zone) else {
        return Ok(false);
    };
    let instant = parse_timestamp(timestamp)?
        .utc()
        .ok_or_else(|| FunctionError::InvalidTimestamp(excerpt(timestamp)))?;
    let from = parse_time_of_day(from)?;
    let to = parse_time_of_day(to)?;
    let rules = time_zones::find(zone).ok_or_else(|| FunctionError::UnknownTimeZone(excerpt(zone)))?;
    let second = rules.from_utc_datetime(&instant).num_seconds_from_midnight();
    let (from, to) = (second_of_day(from), second_of_day(to));
    Ok(if from <= to { from <= second && second <= to } else { second >= from || second <= to })
}

fn second_of_day(time: NaiveTime) -> u32 {
    time.num_seconds_from_midnight()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(timestamp: &str, from: &str, to: &str, zone: &str) -> Result<bool, FunctionError> {
        is_time_of_day_between(Some(timestamp), Some(from), Some(to), Some(zone))
    }

    const SINGAPORE: &str = "Singapore Standard Time";
    const BERLIN: &str = "W. Europe Standard Time";

    #[test]
    fn c_215_the_instant_is_seen_in_the_zone() {
        assert_eq!(between("2020-10-15T14:40:15+07:00", "09:00:00", "18:00:00", SINGAPORE), Ok(true));
    }

    #[test]
    fn c_216_both_ends_are_inclusive_and_a_second_outside_is_not_in() {
        for (timestamp, expected) in [
            ("2026-03-02T00:59:59Z", false),
            ("2026-03-02T01:00:00Z", true),
            ("2026-03-02T10:00:00.900Z", true),
            ("2026-03-02T10:00:01Z", false),
        ] {
            assert_eq!(between(timestamp, "09:00:00", "18:00:00", SINGAPORE), Ok(expected), "{timestamp}");
        }
    }

    #[test]
    fn c_217_a_window_may_span_midnight() {
        for (timestamp, expected) in [
            ("2026-03-02T23:30:00Z", true),
            ("2026-03-02T05:30:00Z", true),
            ("2026-03-02T22:00:00Z", true),
            ("2026-03-02T06:00:01Z", false),
            ("2026-03-02T12:00:00Z", false),
        ] {
            assert_eq!(between(timestamp, "22:00:00", "06:00:00", "UTC"), Ok(expected), "{timestamp}");
        }
    }

    #[test]
    fn daylight_saving_follows_the_zone() {
        assert_eq!(between("2026-07-01T07:30:00Z", "09:00:00", "17:00:00", BERLIN), Ok(true));
        assert_eq!(between("2026-01-05T07:30:00Z", "09:00:00", "17:00:00", BERLIN), Ok(false));
    }

    #[test]
    fn c_218_unknown_zones_and_unreadable_values_are_errors() {
        let error = between("2026-01-05T07:30:00Z", "09:00", "17:00", "Mars Standard Time").unwrap_err();
        assert_eq!(error.to_string(), "`Mars Standard Time` is not a known time zone.");
        assert!(between("yesterday", "09:00", "17:00", "UTC").is_err());
        assert!(between("2026-01-05T07:30:00Z", "dawn", "17:00", "UTC").is_err());
        assert!(between("2026-01-05T07:30:00Z", "09:00", "25:00", "UTC").is_err());
        assert_eq!(is_time_of_day_between(None, Some("09:00"), Some("10:00"), Some("UTC")), Ok(false));
    }

    #[test]
    fn iana_names_and_short_times_are_taken() {
        assert_eq!(between("2026-01-05T08:30:00", "9:00:00", "17:00", "Europe/Berlin"), Ok(true));
    }
}
