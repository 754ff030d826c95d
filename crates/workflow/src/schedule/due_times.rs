//! What a schedule starts now. Pure, so that however many workers ask, the row they lock decides.
//!
//! A time that came less than a minute ago is on time, whatever the policy; what is older was missed.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Missed, Schedule};

const ON_TIME: TimeDelta = TimeDelta::seconds(60);
/// Starts at once, so that a year of missed minutes does not come down in one transaction.
const MOST: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The times that an instance is started for, the oldest first.
    pub starts: Vec<DateTime<Utc>>,
    /// The next time that is not dealt with; it may have come already.
    pub next: Option<DateTime<Utc>>,
}

impl Schedule {
    /// `next` is the first time that was not dealt with yet.
    pub fn due(&self, next: DateTime<Utc>, now: DateTime<Utc>) -> Due {
        if next > now {
            return Due { starts: Vec::new(), next: Some(next) };
        }
        let since = now - ON_TIME;
        let was_missed = next <= since;
        match self.missed {
            Missed::Once if was_missed => {
                let last = self.last_until(next, now);
                Due { starts: vec![last], next: self.next_after(last) }
            }
            Missed::Skip if was_missed => match self.next_after(since) {
                Some(recent) => self.each(recent, now),
                None => Due { starts: Vec::new(), next: None },
            },
            Missed::Skip | Missed::Once | Missed::All => self.each(next, now),
        }
    }

    /// `next` and what follows until now.
    fn each(&self, next: DateTime<Utc>, now: DateTime<Utc>) -> Due {
        let mut due = Due { starts: Vec::new(), next: Some(next) };
        while let Some(time) = due.next.filter(|time| *time <= now && due.starts.len() < MOST) {
            due.starts.push(time);
            due.next = self.next_after(time);
        }
        due
    }

    /// The last time until now, `first` or later. Looks back in growing steps: years of minutes may have
    /// passed.
    fn last_until(&self, first: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut span = ON_TIME;
        while now - span > first {
            let mut last = None;
            while let Some(time) = self.next_after(last.unwrap_or(now - span)).filter(|time| *time <= now) {
                last = Some(time);
            }
            if let Some(last) = last {
                return last;
            }
            span = span * 4;
        }
        let mut last = first;
        while let Some(time) = self.next_after(last).filter(|time| *time <= now) {
            last = time;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-02T{text}Z").parse().unwrap()
    }

    fn due(cron: &str, missed: &str, next: &str, now: &str) -> (Vec<String>, String) {
        let due = Schedule::new(cron, "UTC", missed).unwrap().due(at(next), at(now));
        let show = |time: DateTime<Utc>| time.format("%H:%M:%S").to_string();
        (due.starts.into_iter().map(show).collect(), due.next.map(show).unwrap())
    }

    #[test]
    fn a_time_on_time_starts_one_instance_whatever_the_policy() {
        for missed in ["skip", "once", "all"] {
            let found = due("*/10 * * * *", missed, "09:10:00", "09:10:59");
            assert_eq!(found, (vec!["09:10:00".to_owned()], "09:20:00".to_owned()), "{missed}");
            assert_eq!(
                due("*/10 * * * *", missed, "09:10:00", "09:09:59"),
                (vec![], "09:10:00".to_owned()),
                "{missed}"
            );
            let seconds = due("* * * * * *", missed, "09:10:00", "09:10:02");
            assert_eq!(seconds.0, ["09:10:00", "09:10:01", "09:10:02"], "{missed}");
        }
    }

    #[test]
    fn missed_times_follow_the_policy() {
        for (missed, now, starts, next) in [
            ("skip", "09:35:00", vec![], "09:40:00"),
            ("skip", "09:30:30", vec!["09:30:00"], "09:40:00"),
            ("once", "09:35:00", vec!["09:30:00"], "09:40:00"),
            ("once", "09:30:30", vec!["09:30:00"], "09:40:00"),
            ("once", "09:11:00", vec!["09:10:00"], "09:20:00"),
            ("all", "09:35:00", vec!["09:10:00", "09:20:00", "09:30:00"], "09:40:00"),
        ] {
            let found = due("*/10 * * * *", missed, "09:10:00", now);
            assert_eq!(
                (found.0.iter().map(String::as_str).collect::<Vec<_>>(), found.1.as_str()),
                (starts, next)
            );
        }
    }

    #[test]
    fn many_missed_times_come_in_portions() {
        let (starts, next) = due("* * * * *", "all", "00:00:00", "09:00:00");
        assert_eq!((starts.len(), next.as_str()), (100, "01:40:00"));
        let (starts, next) = due("* * * * *", "all", &next, "09:00:00");
        assert_eq!((starts[0].as_str(), next.as_str()), ("01:40:00", "03:20:00"));
    }

    #[test]
    fn the_last_of_years_of_missed_times_is_found_at_once() {
        for (cron, expected) in [
            ("* * * * * *", "2026-03-02T09:00:00Z"),
            ("* * 3 * * *", "2026-03-02T03:59:59Z"),
            ("0 9 * * 5", "2026-02-27T09:00:00Z"),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z"),
        ] {
            let schedule = Schedule::new(cron, "UTC", "once").unwrap();
            let first = schedule.next_after("2020-01-01T00:00:00Z".parse().unwrap()).unwrap();
            assert_eq!(
                schedule.due(first, at("09:00:00")).starts,
                [expected.parse::<DateTime<Utc>>().unwrap()]
            );
        }
    }
}
