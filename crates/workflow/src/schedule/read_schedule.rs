//! Reads and checks the member `schedule` of a definition.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::calendar::Calendar;
use super::next_after::next_after;
use crate::{inputs, time_zones};

const UTC: &str = "UTC";

/// When instances are started, checked.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// As written.
    pub cron: String,
    /// As written: a Windows or IANA id.
    pub time_zone: String,
    pub missed: Missed,
    calendar: Calendar,
    zone: Tz,
}

/// What is done about times that came while nobody was there, more than a minute ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One start for all of them.
    #[default]
    Once,
    /// A start for each.
    All,
}

impl Missed {
    pub const ALL: [Self; 3] = [Self::Skip, Self::Once, Self::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no policy for missed times")]
pub struct UnknownPolicy;

impl FromStr for Missed {
    type Err = UnknownPolicy;

    /// Any letter case.
    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL.into_iter().find(|missed| missed.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownPolicy)
    }
}

/// Something wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The member's name, if it is about one.
    pub member: Option<&'static str>,
    pub message: String,
}

impl Schedule {
    /// From its JSON; all that is wrong with it.
    pub fn read(schedule: &Value) -> Result<Self, Vec<Flaw>> {
        let Value::Object(members) = schedule else {
            return Err(vec![Flaw { member: None, message: "Schedule must be an object.".to_owned() }]);
        };
        let mut flaws = Vec::new();
        let cron = match text(members, "cron", &mut flaws) {
            Some(cron) => Some(cron),
            None if flaws.is_empty() => {
                flaws.push(flaw("cron", "Schedule cron is required.".to_owned()));
                None
            }
            None => None,
        };
        let calendar = cron.and_then(|cron| {
            let refuse = |error| flaw("cron", format!("Schedule cron '{cron}' is not valid: {error}."));
            Calendar::parse(cron).map_err(|error| flaws.push(refuse(error))).ok()
        });
        let time_zone = text(members, "timeZone", &mut flaws).unwrap_or(UTC);
        let zone = time_zones::find(time_zone);
        if zone.is_none() {
            flaws.push(flaw("timeZone", format!("Schedule timeZone '{time_zone}' is not known.")));
        }
        let missed = match text(members, "missed", &mut flaws) {
            None => Missed::default(),
            Some(text) => text.parse().unwrap_or_else(|_| {
                flaws.push(flaw("missed", format!("Schedule missed '{text}' is not supported.")));
                Missed::default()
            }),
        };
        match (cron, calendar, zone) {
            (Some(cron), Some(calendar), Some(zone)) if flaws.is_empty() => {
                Ok(Self { cron: cron.to_owned(), time_zone: time_zone.to_owned(), missed, calendar, zone })
            }
            _ => Err(flaws),
        }
    }

    /// From its parts; the first thing that is wrong with them.
    pub fn new(cron: &str, time_zone: &str, missed: &str) -> Result<Self, Flaw> {
        let members = [("cron", cron), ("timeZone", time_zone), ("missed", missed)];
        let members: Map<String, Value> =
            members.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        Self::read(&Value::Object(members)).map_err(|mut flaws| flaws.swap_remove(0))
    }

    /// The first due time that is later than `at`; `None` from the year 2100 on.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        next_after(&self.calendar, self.zone, at)
    }

    /// Whether both have the same due times.
    pub fn has_times_of(&self, cron: &str, time_zone: &str) -> bool {
        self.cron == cron && self.time_zone == time_zone
    }
}

fn flaw(member: &'static str, message: String) -> Flaw {
    Flaw { member: Some(member), message }
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str, flaws: &mut Vec<Flaw>) -> Option<&'a str> {
    let value = inputs::get(members, name)?;
    if !value.is_string() {
        flaws.push(flaw(name, format!("Schedule {name} must be a string.")));
    }
    value.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_out_has_a_default() {
        let schedule = Schedule::read(&json!({"CRON": "0 9 * * *"})).unwrap();
        assert_eq!((schedule.time_zone.as_str(), schedule.missed), ("UTC", Missed::Once));
        let schedule =
            Schedule::read(&json!({"cron": "@daily", "timezone": "europe/berlin", "missed": "ALL"})).unwrap();
        assert_eq!((schedule.time_zone.as_str(), schedule.missed), ("europe/berlin", Missed::All));
        assert!(Schedule::new("0 9 * * *", "Singapore Standard Time", "skip").is_ok());
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        for (schedule, expected) in [
            (json!("0 9 * * *"), vec!["Schedule must be an object."]),
            (json!({}), vec!["Schedule cron is required."]),
            (json!({"cron": null}), vec!["Schedule cron is required."]),
            (json!({"cron": 5}), vec!["Schedule cron must be a string."]),
            (
                json!({"cron": "0 25 * * *", "timeZone": "Mars", "missed": "twice"}),
                vec![
                    "Schedule cron '0 25 * * *' is not valid: its hour `25` is not made of values from 0 to 23.",
                    "Schedule timeZone 'Mars' is not known.",
                    "Schedule missed 'twice' is not supported.",
                ],
            ),
            (
                json!({"cron": "@daily", "timeZone": 8, "missed": true}),
                vec!["Schedule timeZone must be a string.", "Schedule missed must be a string."],
            ),
        ] {
            let flaws = Schedule::read(&schedule).unwrap_err();
            assert_eq!(flaws.iter().map(|flaw| flaw.message.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}
