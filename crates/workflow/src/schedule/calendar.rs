//! A cron expression on a wall clock that never changes.
//!
//! The `cron` crate finds the times. What it reads differently from cron is put right before: five fields
//! (it wants six), Sunday as 0 or 7 (it counts from 1), and days that are restricted both by month and by
//! week, of which either is enough (it wants both).

use chrono::{DateTime, NaiveDateTime};
use cron::{Schedule as Times, TimeUnitSpec};

use super::days_of_week::translate_days_of_week;

const MAX_CHARACTERS: usize = 200;

/// Names of whole expressions.
const SHORTHANDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The fields, what they are called and what they hold, but for the day of week.
const FIELDS: [(&str, &str); 5] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31"),
    ("month", "1 to 12 or JAN to DEC"),
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    #[error("it is longer than 200 characters")]
    TooLong,
    #[error("`{0}` is not a name that is known, such as `@daily`")]
    Shorthand(String),
    #[error("it has not five fields, or six with seconds first, but {0}")]
    Fields(usize),
    #[error("its {name} `{text}` is not made of values from {values}")]
    Field { name: &'static str, text: String, values: &'static str },
    #[error("it is no cron expression")]
    Unreadable,
    #[error("there is no such day")]
    Never,
}

/// A cron expression that was read.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    /// A time belongs to the calendar when it belongs to one of these.
    either: Vec<Times>,
    pub(super) has_every_hour: bool,
}

impl Calendar {
    pub(super) fn parse(cron: &str) -> Result<Self, InvalidCron> {
        if cron.chars().count() > MAX_CHARACTERS {
            return Err(InvalidCron::TooLong);
        }
        let cron = expand(cron.trim())?;
        let mut fields: Vec<&str> = cron.split_ascii_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            count => return Err(InvalidCron::Fields(count)),
        }
        let fields: [&str; 6] = fields.try_into().expect("they were just counted");
        for (place, (name, values)) in FIELDS.into_iter().enumerate() {
            let mut alone = ["*"; 6];
            alone[place] = fields[place];
            let refuse = |_| InvalidCron::Field { name, text: fields[place].to_owned(), values };
            read(alone).map_err(refuse)?;
        }
        let [second, minute, hour, day, month, of_week] = fields;
        let week = translate_days_of_week(of_week)?;
        let times =
            |day, week| read([second, minute, hour, day, month, week]).map_err(|_| InvalidCron::Unreadable);
        let either = if is_restricted(day) && is_restricted(of_week) {
            vec![times(day, "*")?, times("*", &week)?]
        } else {
            vec![times(day, &week)?]
        };
        let calendar = Self { has_every_hour: either[0].hours().is_all(), either };
        // What does not come in the next 130 years, such as a 30th of February, never comes.
        match calendar.next_after(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(calendar),
            None => Err(InvalidCron::Never),
        }
    }

    /// The first time later than this one, in whole seconds.
    pub(super) fn next_after(&self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        let next = |times: &Times| times.after(&time.and_utc()).next();
        self.either.iter().filter_map(next).min().map(|next| next.naive_utc())
    }
}

fn expand(cron: &str) -> Result<&str, InvalidCron> {
    if !cron.starts_with('@') {
        return Ok(cron);
    }
    SHORTHANDS
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(cron))
        .map(|(_, fields)| fields)
        .ok_or_else(|| InvalidCron::Shorthand(cron.to_owned()))
}

fn read(fields: [&str; 6]) -> Result<Times, cron::error::Error> {
    fields.join(" ").parse()
}

/// As cron has it: a field that begins with a star restricts nothing by itself, so `*/2` and a day of week
/// are both asked for.
fn is_restricted(days: &str) -> bool {
    !days.starts_with(['*', '?'])
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn next(cron: &str, times: usize) -> Vec<String> {
        let calendar = Calendar::parse(cron).unwrap();
        // A Thursday.
        let mut time = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(8, 30, 0).unwrap();
        let mut found = Vec::new();
        for _ in 0..times {
            time = calendar.next_after(time).unwrap();
            found.push(time.format("%m-%d %H:%M:%S").to_string());
        }
        found
    }

    #[test]
    fn times_follow_the_expression() {
        for (cron, expected) in [
            ("0 9 * * 1-5", vec!["01-01 09:00:00", "01-02 09:00:00", "01-05 09:00:00"]),
            ("30 8 * * *", vec!["01-02 08:30:00"]),
            ("*/20 * * * *", vec!["01-01 08:40:00", "01-01 09:00:00"]),
            ("*/20 30 8 * * *", vec!["01-01 08:30:20", "01-01 08:30:40", "01-02 08:30:00"]),
            ("0 0 * * 0", vec!["01-04 00:00:00", "01-11 00:00:00"]),
            ("0 0 * * 7", vec!["01-04 00:00:00"]),
            ("0 0 * * sun", vec!["01-04 00:00:00"]),
            ("0 0 * * 1", vec!["01-05 00:00:00"]),
            ("@hourly", vec!["01-01 09:00:00", "01-01 10:00:00"]),
            ("@Daily", vec!["01-02 00:00:00"]),
            ("@midnight", vec!["01-02 00:00:00"]),
            ("@weekly", vec!["01-04 00:00:00"]),
            ("@monthly", vec!["02-01 00:00:00", "03-01 00:00:00"]),
            ("@yearly", vec!["01-01 00:00:00"]),
            ("@annually", vec!["01-01 00:00:00"]),
            ("0 0 1 jan *", vec!["01-01 00:00:00"]),
            ("0 0 31 * *", vec!["01-31 00:00:00", "03-31 00:00:00", "05-31 00:00:00"]),
            ("0 0 29 2 *", vec!["02-29 00:00:00"]),
            ("  0   0 ? * MON ", vec!["01-05 00:00:00"]),
            // Either is enough: the 13th, and every Friday.
            ("0 0 13 * 5", vec!["01-02 00:00:00", "01-09 00:00:00", "01-13 00:00:00", "01-16 00:00:00"]),
            // A field that begins with a star: both.
            ("0 0 */2 * 5", vec!["01-09 00:00:00", "01-23 00:00:00"]),
        ] {
            assert_eq!(next(cron, expected.len()), expected, "{cron}");
        }
    }

    #[test]
    fn what_is_no_cron_expression_is_refused_by_its_field() {
        for (cron, message) in [
            ("", "it has not five fields, or six with seconds first, but 0"),
            ("* * * *", "it has not five fields, or six with seconds first, but 4"),
            ("0 0 0 1 1 * 2026", "it has not five fields, or six with seconds first, but 7"),
            ("60 * * * *", "its minute `60` is not made of values from 0 to 59"),
            ("60 * * * * *", "its second `60` is not made of values from 0 to 59"),
            ("* 24 * * *", "its hour `24` is not made of values from 0 to 23"),
            ("* 9-8 * * *", "its hour `9-8` is not made of values from 0 to 23"),
            ("* * 0 * *", "its day of month `0` is not made of values from 1 to 31"),
            ("* * L * *", "its day of month `L` is not made of values from 1 to 31"),
            ("* * * 13 *", "its month `13` is not made of values from 1 to 12 or JAN to DEC"),
            ("* * * * 8", "its day of week `8` is not made of values from 0 to 7 or SUN to SAT"),
            ("*/0 * * * *", "its minute `*/0` is not made of values from 0 to 59"),
            ("5 ,7 * * *", "its hour `,7` is not made of values from 0 to 23"),
            ("@reboot", "`@reboot` is not a name that is known, such as `@daily`"),
            ("0 0 30 2 *", "there is no such day"),
        ] {
            assert_eq!(Calendar::parse(cron).unwrap_err().to_string(), message, "{cron}");
        }
        assert_eq!(Calendar::parse(&"0,".repeat(101)).unwrap_err(), InvalidCron::TooLong);
    }
}
