//! Where a claim begins to look: everything that was ready before has been claimed already.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// A claim that always began at the oldest ready job would read past the index entries of all jobs done
/// since the oldest open snapshot. The mark stays behind the newest claim by longer than a start's
/// transaction takes; now and then a claim begins at the beginning, for jobs whose claim was undone.
#[derive(Debug, Default)]
pub struct LowWaterMark {
    ready_at: DateTime<Utc>,
    began_at_the_beginning: Option<Instant>,
}

const BETWEEN_FULL: Duration = Duration::from_secs(5);
const MARK_LAG: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

impl LowWaterMark {
    /// Where the next claim begins, and whether that is the beginning.
    pub(super) fn begin(&mut self) -> (DateTime<Utc>, bool) {
        if self.is_beginning_due() {
            self.began_at_the_beginning = Some(Instant::now());
            return (DateTime::UNIX_EPOCH, true);
        }
        (self.ready_at, false)
    }

    /// Where a look without a claim begins: whatever the next claim would find, it finds.
    pub fn peek(&self) -> DateTime<Utc> {
        if self.is_beginning_due() { DateTime::UNIX_EPOCH } else { self.ready_at }
    }

    /// Nothing was ready at `now`, by the database's clock.
    pub fn nothing_at(&mut self, now: DateTime<Utc>) {
        self.advance(now, false);
    }

    fn is_beginning_due(&self) -> bool {
        self.began_at_the_beginning.is_none_or(|at| at.elapsed() > BETWEEN_FULL)
    }

    /// A claim from the beginning may set the mark back: it found jobs that were written late, or by a
    /// database whose clock was set back.
    pub(super) fn advance(&mut self, newest: DateTime<Utc>, from_beginning: bool) {
        let mark = newest - MARK_LAG;
        self.ready_at = if from_beginning { mark } else { self.ready_at.max(mark) };
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn the_mark_follows_claims_and_goes_back_when_the_beginning_has_older_jobs() {
        let at = |seconds| Utc.timestamp_opt(seconds, 0).unwrap();
        let mut mark = LowWaterMark::default();
        assert_eq!(mark.begin(), (at(0), true), "the first claim begins at the beginning");
        mark.advance(at(1_000), true);
        assert_eq!(mark.begin(), (at(995), false));
        mark.advance(at(900), false);
        assert_eq!(mark.begin(), (at(995), false), "a late job does not hold the mark back");
        mark.advance(at(900), true);
        assert_eq!(mark.begin(), (at(895), false), "jobs below it were found");
    }
}
