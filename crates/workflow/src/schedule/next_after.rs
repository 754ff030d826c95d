//! Wall clocks that are put forward and back.
//!
//! ```text
//!                   spring: 02:00 → 03:00          autumn: 03:00 → 02:00
//! 30 2 * * *        at 03:00, the first instant    once, the first time it is 02:30
//!                   after the gap
//! 30 * * * *        01:30, 03:30, …                01:30, 02:30, 02:30, 03:30, …
//! ```
//!
//! So what names hours happens once for each day and hour that it names, and what happens in every hour
//! happens in every hour that passes.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::calendar::Calendar;

const SECOND: TimeDelta = TimeDelta::seconds(1);
/// No clock was ever moved by more than a day.
const LONGEST_MOVE: TimeDelta = TimeDelta::hours(48);
/// Clocks are never moved twice within this time.
const BETWEEN_MOVES: TimeDelta = TimeDelta::hours(6);

/// The first time of the calendar in the zone that is later than `after`.
pub(super) fn next_after(calendar: &Calendar, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if calendar.has_every_hour { next_real(calendar, zone, after) } else { next_named(calendar, zone, after) }
}

/// Times on the wall clock in their order; each happens once, those in a gap right after it.
fn next_named(calendar: &Calendar, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut time = wall_clock(zone, after);
    loop {
        time = calendar.next_after(time)?;
        let instant = match zone.from_local_datetime(&time).earliest() {
            Some(instant) => instant.with_timezone(&Utc),
            None => end_of_gap(zone, time),
        };
        // In the second turn of an hour its times have happened already.
        if instant > after {
            return Some(instant);
        }
    }
}

/// Instants whose wall clock shows a time of the calendar, offset by offset.
fn next_real(calendar: &Calendar, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut from = DateTime::from_timestamp(after.timestamp(), 0)? + SECOND;
    loop {
        let wall = wall_clock(zone, from);
        let next = calendar.next_after(wall - SECOND)?;
        let instant = from + (next - wall);
        match next_move(zone, from, instant) {
            None => return Some(instant),
            Some(moved) => from = moved,
        }
    }
}

/// What the wall clock shows.
pub(crate) fn wall_clock(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// The first instant whose wall clock shows more than `time`, which no wall clock shows.
fn end_of_gap(zone: Tz, time: NaiveDateTime) -> DateTime<Utc> {
    first(time.and_utc() - LONGEST_MOVE, time.and_utc() + LONGEST_MOVE, |at| wall_clock(zone, at) > time)
}

/// When clocks are moved after `from` and not after `to`, the first time.
pub(crate) fn next_move(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let mut known = from;
    while known < to {
        let probe = (known + BETWEEN_MOVES).min(to);
        if offset(probe) != offset(from) {
            return Some(first(known, probe, |at| offset(at) != offset(from)));
        }
        known = probe;
    }
    None
}

/// The first second after `no` for which it is so; it is so at `yes`.
fn first(no: DateTime<Utc>, yes: DateTime<Utc>, is_so: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    let (mut no, mut yes) = (no, yes);
    while yes - no > SECOND {
        let middle = no + TimeDelta::seconds((yes - no).num_seconds() / 2);
        if is_so(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

#[cfg(test)]
#[path = "next_after_tests.rs"]
mod tests;
