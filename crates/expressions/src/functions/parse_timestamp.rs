//! Reads the ISO 8601 timestamps that helpers take.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::FunctionError;
use super::call_helper::excerpt;

/// A timestamp as it is written: the local date and time, and how far that is ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp {
    pub local: NaiveDateTime,
    offset: TimeDelta,
}

impl Timestamp {
    pub fn utc(&self) -> Option<NaiveDateTime> {
        self.local.checked_sub_signed(self.offset)
    }
}

/// Reads `2026-03-02`, `2026-03-02T01:00`, `2026-03-02 01:00:00.1234567+07:00` and their like; without
/// an offset it is UTC.
pub(super) fn parse_timestamp(text: &str) -> Result<Timestamp, FunctionError> {
    parse(text.trim()).ok_or_else(|| FunctionError::InvalidTimestamp(excerpt(text)))
}

/// Reads `9:00`, `09:00` or `09:00:00`.
pub(super) fn parse_time_of_day(text: &str) -> Result<NaiveTime, FunctionError> {
    let parse = || {
        let mut rest = text.trim();
        let time = take_time(&mut rest)?;
        rest.is_empty().then_some(time)
    };
    parse().ok_or_else(|| FunctionError::InvalidTimeOfDay(excerpt(text)))
}

fn parse(text: &str) -> Option<Timestamp> {
    let mut rest = text;
    let year = take_number(&mut rest, 4, 4)?;
    take_char(&mut rest, '-')?;
    let month = take_number(&mut rest, 2, 2)?;
    take_char(&mut rest, '-')?;
    let day = take_number(&mut rest, 2, 2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    if rest.is_empty() {
        return Some(Timestamp { local: date.and_time(NaiveTime::MIN), offset: TimeDelta::zero() });
    }
    rest = rest.strip_prefix(['T', 't', ' '])?;
    let mut time = take_time(&mut rest)?;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let digits = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return None;
        }
        let nanos = format!("{:0<9.9}", &fraction[..digits]).parse().ok()?;
        time = chrono::Timelike::with_nanosecond(&time, nanos)?;
        rest = &fraction[digits..];
    }
    Some(Timestamp { local: date.and_time(time), offset: take_offset(rest)? })
}

fn take_time(rest: &mut &str) -> Option<NaiveTime> {
    let hour = take_number(rest, 1, 2)?;
    take_char(rest, ':')?;
    let minute = take_number(rest, 2, 2)?;
    let second = match take_char(rest, ':') {
        Some(()) => take_number(rest, 2, 2)?,
        None => 0,
    };
    NaiveTime::from_hms_opt(hour, minute, second)
}

/// The offset that is all of `text`: nothing, `Z`, `+07`, `+0700` or `+07:00`.
fn take_offset(text: &str) -> Option<TimeDelta> {
    if text.is_empty() || text.eq_ignore_ascii_case("z") {
        return Some(TimeDelta::zero());
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut rest = text.strip_prefix(['+', '-'])?;
    let hours = take_number(&mut rest, 2, 2)?;
    let minutes = if rest.is_empty() {
        0
    } else {
        let _ = take_char(&mut rest, ':');
        take_number(&mut rest, 2, 2)?
    };
    if !rest.is_empty() || hours > 18 || minutes > 59 {
        return None;
    }
    Some(TimeDelta::minutes(sign * i64::from(hours * 60 + minutes)))
}

fn take_number(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least {
        return None;
    }
    let (number, after) = rest.split_at(digits);
    *rest = after;
    number.parse().ok()
}

fn take_char(rest: &mut &str, wanted: char) -> Option<()> {
    *rest = rest.strip_prefix(wanted)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        parse_timestamp(text).ok().and_then(|timestamp| timestamp.utc()).map(|utc| utc.to_string())
    }

    #[test]
    fn the_usual_forms_are_read() {
        for (text, expected) in [
            ("2026-03-02", "2026-03-02 00:00:00"),
            ("2026-03-02T01:05", "2026-03-02 01:05:00"),
            ("2026-03-02T01:05:07Z", "2026-03-02 01:05:07"),
            ("2026-03-02t01:05:07z", "2026-03-02 01:05:07"),
            ("2026-03-02 01:05:07+07:00", "2026-03-01 18:05:07"),
            ("2026-03-02T01:05:07-0730", "2026-03-02 08:35:07"),
            ("2026-03-02T01:05:07+07", "2026-03-01 18:05:07"),
            ("2026-03-02T01:05:07.1234567Z", "2026-03-02 01:05:07.123456700"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "soon",
            "2026",
            "2026-3-2",
            "2026-02-30",
            "2026-03-02T",
            "2026-03-02T25:00:00Z",
            "2026-03-02Z",
            "2026-03-02T01:05:07.Z",
            "2026-03-02T01:05:07+7",
            "2026-03-02T01:05:07 UTC",
            "é026-03-02",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_read() {
        let seconds = |text| parse_time_of_day(text).map(|time| time.to_string()).ok();
        assert_eq!(seconds("9:00"), Some("09:00:00".into()));
        assert_eq!(seconds("09:05:07"), Some("09:05:07".into()));
        for text in ["24:00:00", "9", "09:60", "09:00:00.5", "nine", ""] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
