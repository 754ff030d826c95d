//! `isDayOfWeek(timestamp, day)`.

use chrono::{Datelike as _, Weekday};

use super::FunctionError;
use super::call_helper::excerpt;
use super::parse_timestamp::parse_timestamp;

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

/// Tells whether the calendar date, as it is written in the value, is that day of the week (English name,
/// any letter case). Without one of the texts the answer is no.
pub fn is_day_of_week(timestamp: Option<&str>, day: Option<&str>) -> Result<bool, FunctionError> {
    let (Some(timestamp), Some(day)) = (timestamp, day) else {
        return Ok(false);
    };
    let date = parse_timestamp(timestamp)?.local.date();
    let wanted = day.trim();
    let (_, weekday) = DAYS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .ok_or_else(|| FunctionError::UnknownDay(excerpt(day)))?;
    Ok(date.weekday() == *weekday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_219_day_names_are_taken_in_any_case() {
        assert_eq!(is_day_of_week(Some("2021-05-25"), Some("TUESDAY")), Ok(true));
        assert_eq!(is_day_of_week(Some("2021-05-25"), Some("Wednesday")), Ok(false));
    }

    #[test]
    fn the_date_is_the_one_that_is_written() {
        assert_eq!(is_day_of_week(Some("2021-05-25T23:30:00-11:00"), Some("Tuesday")), Ok(true));
        assert_eq!(is_day_of_week(Some("2021-05-25T00:30:00+13:00"), Some("Tuesday")), Ok(true));
    }

    #[test]
    fn unknown_days_and_dates_are_errors() {
        assert!(is_day_of_week(Some("2021-05-25"), Some("Tue")).is_err());
        assert!(is_day_of_week(Some("today"), Some("Tuesday")).is_err());
        assert_eq!(is_day_of_week(None, Some("Tuesday")), Ok(false));
    }
}
