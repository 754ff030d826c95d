//! Hours in which an account does not write to people.
//!
//! They are about what a wall clock shows, and clocks are put forward and back: it is quiet exactly while the clock
//! of the zone shows a time of the window, in both turns of an hour that it shows twice.

use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDateTime, SubsecRound, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::outgoing::Channel;
use crate::schedule::{next_move, wall_clock};
use crate::time_zones;

/// What ends later is looked at again then.
const FARTHEST: TimeDelta = TimeDelta::days(8);

/// From one time of the day until another, which may be of the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuietHours {
    pub from: TimeOfDay,
    /// The first moment at which it is quiet no more; equal to `from`: the whole day.
    pub to: TimeOfDay,
    /// The account's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Those on which they begin; empty: all.
    #[serde(default, skip_serializing_if = "Weekdays::is_empty")]
    pub days: Weekdays,
    /// Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
}

/// Minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// In the order of the week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Weekdays(Vec<Weekday>);

pub(super) const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

/// Until when messages of this channel wait that come `at` that time, and in which window they came; `None`: they
/// may go. `zone`: of windows that name none.
pub fn quiet_until<'a>(
    windows: &'a [QuietHours],
    zone: Option<&str>,
    channel: Channel,
    at: DateTime<Utc>,
) -> Option<(DateTime<Utc>, &'a QuietHours)> {
    let applies = |window: &&QuietHours| window.channels.is_empty() || window.channels.contains(&channel);
    let zoned: Vec<(&QuietHours, Tz)> =
        windows.iter().filter(applies).map(|window| (window, window.zone(zone))).collect();
    let quiet = |at| zoned.iter().find(|(window, zone)| window.contains(wall_clock(*zone, at)));
    let (first, _) = *quiet(at)?;
    let mut until = at.trunc_subsecs(0);
    while until - at < FARTHEST {
        let Some((window, zone)) = quiet(until) else { break };
        until = window.end(*zone, until);
    }
    Some((until, first))
}

impl QuietHours {
    /// `21:00-08:00`
    pub fn window(&self) -> String {
        format!("{}-{}", self.from, self.to)
    }

    pub fn zone_name<'a>(&'a self, of_account: Option<&'a str>) -> &'a str {
        self.time_zone.as_deref().or(of_account).unwrap_or("UTC")
    }

    /// Zones were checked when they were set.
    fn zone(&self, of_account: Option<&str>) -> Tz {
        time_zones::find(self.zone_name(of_account)).unwrap_or(Tz::UTC)
    }

    fn contains(&self, wall: NaiveDateTime) -> bool {
        self.end_on_wall(wall).is_some()
    }

    /// What the wall clock shows when the window ends that this time is in.
    fn end_on_wall(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        let today = wall.date();
        let minute = TimeOfDay::of(wall);
        // It may have begun yesterday.
        [today.pred_opt(), Some(today)].into_iter().flatten().find_map(|begun| {
            if !self.days.contain(begun.weekday()) {
                return None;
            }
            let over_night = self.to <= self.from;
            let ends_on = if over_night { begun + Days::new(1) } else { begun };
            let after_begin = begun < today || minute >= self.from;
            let before_end = today < ends_on || (today == ends_on && minute < self.to);
            (after_begin && before_end).then(|| self.to.on(ends_on))
        })
    }

    /// The first moment after `from`, which is in it, that is not; or the end of one of several in a row.
    fn end(&self, zone: Tz, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut at = from;
        loop {
            let wall = wall_clock(zone, at);
            let Some(end) = self.end_on_wall(wall) else { return at };
            let instant = at + (end - wall);
            match next_move(zone, at, instant) {
                None => return instant,
                Some(moved) => at = moved,
            }
        }
    }
}

impl TimeOfDay {
    pub fn new(hour: u16, minute: u16) -> Option<Self> {
        (hour < 24 && minute < 60).then_some(Self(hour * 60 + minute))
    }

    /// `08:00`
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let read = |text: &str| text.parse().ok().filter(|_| text.len() == 2 && !text.starts_with('+'));
        Self::new(read(hour)?, read(minute)?)
    }

    fn of(wall: NaiveDateTime) -> Self {
        Self(u16::try_from(wall.hour() * 60 + wall.minute()).expect("a day has 1,440 minutes"))
    }

    fn on(self, date: chrono::NaiveDate) -> NaiveDateTime {
        let (hour, minute) = (u32::from(self.0 / 60), u32::from(self.0 % 60));
        date.and_hms_opt(hour, minute, 0).expect("it is a time of the day")
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no time of the day"))
    }
}

impl Weekdays {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add(&mut self, day: Weekday) {
        if !self.0.contains(&day) {
            self.0.push(day);
            self.0.sort_unstable_by_key(Weekday::num_days_from_monday);
        }
    }

    fn contain(&self, day: Weekday) -> bool {
        self.0.is_empty() || self.0.contains(&day)
    }

    pub(super) fn parse(text: &str) -> Option<Weekday> {
        DAYS.into_iter().find(|(name, _)| *name == text).map(|(_, day)| day)
    }
}

impl From<Weekdays> for Vec<String> {
    fn from(days: Weekdays) -> Self {
        let named = DAYS.into_iter().filter(|(_, day)| days.0.contains(day));
        named.map(|(name, _)| name.to_owned()).collect()
    }
}

impl TryFrom<Vec<String>> for Weekdays {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let mut days = Self::default();
        for name in names {
            days.add(Self::parse(&name).ok_or_else(|| format!("`{name}` is no day"))?);
        }
        Ok(days)
    }
}

#[cfg(test)]
#[path = "quiet_hours_tests.rs"]
mod tests;
