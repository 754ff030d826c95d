//! What was let through lately under one rate: enough to know when there is room for more.
//!
//! No window of the rate's period ever has more in it than the rate allows: whoever is let through at `at` finds
//! fewer than that many entries after `at - period`, entries of the near future included. Small rates keep every
//! time; large ones count by slices of the period, and a slice counts until its last moment is a period ago.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::settings::Rate;

/// Entries of one period, at most.
const SLICES: i64 = 64;

/// In the order of time: microseconds since the epoch, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Log(Vec<(i64, u32)>);

impl Log {
    /// Forgets what counts no more.
    pub fn forget(&mut self, now: DateTime<Utc>, rate: Rate) {
        let begin = begin(now, rate);
        self.0.retain(|(at, _)| *at > begin);
    }

    /// How many counts at that time.
    pub fn used(&self, now: DateTime<Utc>, rate: Rate) -> u64 {
        self.live(now, rate).map(|(_, count)| u64::from(*count)).sum()
    }

    /// How many may be let through at that time.
    pub fn room(&self, now: DateTime<Utc>, rate: Rate) -> u64 {
        u64::from(rate.messages).saturating_sub(self.used(now, rate))
    }

    /// When there is room for one more behind `ahead` others, not before `now`.
    pub fn free_at(&self, now: DateTime<Utc>, rate: Rate, ahead: u64) -> DateTime<Utc> {
        let messages = u64::from(rate.messages.max(1));
        // With those that are ahead let through as soon as they may, it is the same again a period later.
        let (periods, place) = (ahead / messages, ahead % messages);
        let mut to_leave = (self.used(now, rate) + place + 1).saturating_sub(messages);
        let mut free = now;
        for (at, count) in self.live(now, rate) {
            if to_leave == 0 {
                break;
            }
            to_leave = to_leave.saturating_sub(u64::from(*count));
            free = time(*at) + rate.period();
        }
        let periods = i32::try_from(periods).unwrap_or(i32::MAX);
        rate.period().checked_mul(periods).and_then(|more| free.checked_add_signed(more)).unwrap_or(free)
    }

    /// One more was let through at that time.
    pub fn note(&mut self, at: DateTime<Utc>, rate: Rate) {
        let mut micros = at.timestamp_micros();
        if i64::from(rate.messages) > SLICES {
            let slice = (micros_of(rate.period()) / SLICES).max(1);
            micros = micros.div_euclid(slice) * slice + slice;
        }
        match self.0.binary_search_by_key(&micros, |(at, _)| *at) {
            Ok(found) => self.0[found].1 += 1,
            Err(place) => self.0.insert(place, (micros, 1)),
        }
    }

    /// From when on nothing of it counts.
    pub fn over_at(&self, rate: Rate) -> Option<DateTime<Utc>> {
        self.0.last().map(|(at, _)| time(*at) + rate.period())
    }

    fn live(&self, now: DateTime<Utc>, rate: Rate) -> impl Iterator<Item = &(i64, u32)> {
        let begin = begin(now, rate);
        self.0.iter().filter(move |(at, _)| *at > begin)
    }
}

fn begin(now: DateTime<Utc>, rate: Rate) -> i64 {
    now.timestamp_micros() - micros_of(rate.period())
}

fn micros_of(period: TimeDelta) -> i64 {
    period.num_microseconds().expect("no period is longer than a day")
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
