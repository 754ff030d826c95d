//! Days on which clocks are moved, and a scan of every minute that must find the same.

use chrono::{Datelike, Timelike};
use proptest::prelude::*;

use super::super::Schedule;
use super::*;

fn next(cron: &str, zone: &str, after: &str, times: usize) -> Vec<String> {
    let schedule = Schedule::new(cron, zone, "once").unwrap();
    let mut at: DateTime<Utc> = after.parse().unwrap();
    let mut found = Vec::new();
    for _ in 0..times {
        at = schedule.next_after(at).unwrap();
        found.push(at.format("%m-%d %H:%M:%S").to_string());
    }
    found
}

#[test]
fn times_are_those_of_the_zone() {
    let sg = "Singapore Standard Time";
    assert_eq!(next("0 9 * * 1-5", sg, "2026-01-01T01:00:00Z", 2), ["01-02 01:00:00", "01-05 01:00:00"]);
    assert_eq!(next("0 9 * * *", "Asia/Kolkata", "2026-01-01T03:29:59.5Z", 1), ["01-01 03:30:00"]);
    assert_eq!(next("0 9 * * *", "UTC", "2026-01-01T09:00:00Z", 1), ["01-02 09:00:00"]);
    assert_eq!(next("0 0 1 * *", "Pacific/Auckland", "2026-01-01T00:00:00Z", 1), ["01-31 11:00:00"]);
}

/// Berlin: 2026-03-29 02:00 → 03:00 at 01:00 UTC, 2026-10-25 03:00 → 02:00 at 01:00 UTC.
#[test]
fn a_time_in_the_gap_of_spring_comes_right_after_it() {
    let berlin = "W. Europe Standard Time";
    for (cron, after, expected) in [
        ("30 2 * * *", "2026-03-28T12:00:00Z", vec!["03-29 01:00:00", "03-30 00:30:00"]),
        ("0 2,3 * * *", "2026-03-28T12:00:00Z", vec!["03-29 01:00:00", "03-30 00:00:00", "03-30 01:00:00"]),
        ("*/20 2 * * *", "2026-03-28T12:00:00Z", vec!["03-29 01:00:00", "03-30 00:00:00", "03-30 00:20:00"]),
        ("*/20 * * * *", "2026-03-29T00:30:00Z", vec!["03-29 00:40:00", "03-29 01:00:00", "03-29 01:20:00"]),
        ("30 * * * *", "2026-03-29T00:00:00Z", vec!["03-29 00:30:00", "03-29 01:30:00", "03-29 02:30:00"]),
        ("30 2 29 3 *", "2026-01-01T00:00:00Z", vec!["03-29 01:00:00", "03-29 00:30:00"]),
    ] {
        assert_eq!(next(cron, berlin, after, expected.len()), expected, "{cron}");
    }
}

#[test]
fn a_named_hour_of_autumn_comes_once_and_every_hour_comes() {
    let berlin = "Europe/Berlin";
    for (cron, after, expected) in [
        ("30 2 * * *", "2026-10-24T12:00:00Z", vec!["10-25 00:30:00", "10-26 01:30:00"]),
        ("30 2 * * *", "2026-10-25T00:30:00Z", vec!["10-26 01:30:00"]),
        ("30 2 * * *", "2026-10-25T01:10:00Z", vec!["10-26 01:30:00"]),
        ("* * 2 * * *", "2026-10-25T01:00:00Z", vec!["10-26 01:00:00"]),
        ("0 2,3 * * *", "2026-10-24T12:00:00Z", vec!["10-25 00:00:00", "10-25 02:00:00"]),
        ("30 * * * *", "2026-10-25T00:00:00Z", vec!["10-25 00:30:00", "10-25 01:30:00", "10-25 02:30:00"]),
        ("@hourly", "2026-10-24T23:30:00Z", vec!["10-25 00:00:00", "10-25 01:00:00", "10-25 02:00:00"]),
        ("30 * 25 10 *", "2026-10-25T00:29:59Z", vec!["10-25 00:30:00", "10-25 01:30:00"]),
    ] {
        assert_eq!(next(cron, berlin, after, expected.len()), expected, "{cron}");
    }
}

#[test]
fn clocks_are_also_moved_by_half_an_hour_and_by_a_day() {
    // Lord Howe: 2026-04-05 02:00 → 01:30 at 15:00 UTC of the day before; 2026-10-04 02:00 → 02:30.
    let howe = "Lord Howe Standard Time";
    assert_eq!(next("45 1 * * *", howe, "2026-04-04T00:00:00Z", 2), ["04-04 14:45:00", "04-05 15:15:00"]);
    assert_eq!(next("45 * * * *", howe, "2026-04-04T14:00:00Z", 2), ["04-04 14:45:00", "04-04 15:15:00"]);
    assert_eq!(next("15 2 * * *", howe, "2026-10-03T00:00:00Z", 1), ["10-03 15:30:00"]);
    // Samoa had no 30th of December in 2011.
    let samoa = "Samoa Standard Time";
    assert_eq!(next("0 9 30 12 *", samoa, "2011-12-01T00:00:00Z", 1), ["12-30 10:00:00"]);
    assert_eq!(next("0 * 30 12 *", samoa, "2011-12-01T00:00:00Z", 1), ["12-29 10:00:00"]);
}

/// What the expression says, kept as sets.
#[derive(Debug, Clone)]
struct Fields {
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Vec<u32>,
    months: Vec<u32>,
    weekdays: Vec<u32>,
}

impl Fields {
    fn cron(&self) -> String {
        let field = |values: &[u32]| match values {
            [] => "*".to_owned(),
            values => values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        };
        [&self.minutes, &self.hours, &self.days, &self.months, &self.weekdays]
            .map(|values| field(values))
            .join(" ")
    }

    fn has(&self, time: NaiveDateTime) -> bool {
        let has = |values: &[u32], value: u32| values.is_empty() || values.contains(&value);
        let weekday = time.weekday().num_days_from_sunday();
        let in_week = has(&self.weekdays, weekday) || (weekday == 0 && self.weekdays.contains(&7));
        let day = if self.days.is_empty() || self.weekdays.is_empty() {
            has(&self.days, time.day()) && in_week
        } else {
            has(&self.days, time.day()) || in_week
        };
        has(&self.minutes, time.minute())
            && has(&self.hours, time.hour())
            && has(&self.months, time.month())
            && day
    }

    /// Every minute, asked one by one.
    fn scan(&self, zone: Tz, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let minute = TimeDelta::minutes(1);
        let mut at = after;
        while at < until {
            let before = wall_clock(zone, at);
            at += minute;
            let now = wall_clock(zone, at);
            let is_first = zone.from_local_datetime(&now).earliest().is_some_and(|first| first == at);
            let every_hour = self.hours.is_empty() || (0..24).all(|hour| self.hours.contains(&hour));
            if self.has(now) && (every_hour || is_first) {
                return Some(at);
            }
            let skipped = std::iter::successors(Some(before + minute), |time| Some(*time + minute))
                .take_while(|time| *time < now);
            if !every_hour && skipped.into_iter().any(|time| self.has(time)) {
                return Some(at);
            }
        }
        None
    }
}

fn some(range: std::ops::RangeInclusive<u32>, most: usize) -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![Just(Vec::new()), prop::collection::vec(range, 1..=most)]
}

fn fields() -> impl Strategy<Value = Fields> {
    (some(0..=59, 3), some(0..=23, 4), some(1..=31, 3), some(1..=12, 6), some(0..=7, 2)).prop_map(
        |(minutes, hours, days, months, weekdays)| Fields { minutes, hours, days, months, weekdays },
    )
}

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Singapore",
    "Pacific/Apia",
    "UTC",
];

/// Minutes around the days on which clocks are moved, and other ones.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let near = |text: &str| {
        let minute = text.parse::<DateTime<Utc>>().unwrap().timestamp() / 60;
        minute - 3 * 1440..minute + 1440
    };
    let any = near("2025-01-01T00:00:00Z").start..near("2028-01-01T00:00:00Z").start;
    prop_oneof![
        near("2026-03-29T01:00:00Z"),
        near("2026-10-25T01:00:00Z"),
        near("2026-11-01T06:00:00Z"),
        near("2026-03-08T07:00:00Z"),
        near("2026-04-04T15:00:00Z"),
        near("2026-10-03T15:30:00Z"),
        near("2026-02-15T02:00:00Z"),
        near("2011-12-30T10:00:00Z"),
        any,
    ]
    .prop_map(|minute| DateTime::from_timestamp(minute * 60, 0).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_time_is_the_one_that_a_scan_of_every_minute_finds(
        fields in fields(),
        zone in prop::sample::select(&ZONES[..]),
        after in instant(),
    ) {
        let Ok(schedule) = Schedule::new(&fields.cron(), zone, "once") else { return Ok(()) };
        let until = after + TimeDelta::days(40);
        let found = schedule.next_after(after).filter(|next| *next <= until);
        prop_assert_eq!(found, fields.scan(zone.parse().unwrap(), after, until), "{}", fields.cron());
    }
}
