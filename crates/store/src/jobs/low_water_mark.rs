//! Where a claim begins to look: everything that was ready before has been claimed already. Likewise of due waits.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::pace::Pace;

/// A claim that always began at the oldest ready job would read past the index entries of all jobs done
/// since the oldest open snapshot. So it begins shortly before the newest that was claimed: by then nearly every
/// start has been committed. Often a claim begins further back, for those that took longer, and now and then at the
/// beginning, for jobs whose claim was undone; as often as what lies there lets it. A look that takes longer than
/// its caller waits never ends: while it would, what lies there is not found.
///
/// ```text
///   beginning ───────────────────────── 5 s ──────── 200 ms ─┤ newest claimed
///      └ every 0.5 to 30 s               └ every second at least   └ every claim
/// ```
#[derive(Debug)]
pub struct LowWaterMark {
    /// When the newest job was ready that was claimed.
    newest: DateTime<Utc>,
    back: Pace,
    beginning: Pace,
}

const NEAR: TimeDelta = TimeDelta::milliseconds(200);
const BACK: TimeDelta = TimeDelta::seconds(5);

/// Where a look begins.
#[derive(Debug, Clone, Copy)]
pub struct Begin {
    pub(crate) time: DateTime<Utc>,
    reach: Reach,
    begun: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Near,
    Back,
    Beginning,
}

impl Begin {
    pub fn time(&self) -> DateTime<Utc> {
        self.time
    }
}

impl Default for LowWaterMark {
    fn default() -> Self {
        Self {
            newest: DateTime::UNIX_EPOCH,
            back: Pace::new(Duration::ZERO, Duration::from_secs(1)),
            beginning: Pace::new(Duration::from_millis(500), Duration::from_secs(30)),
        }
    }
}

impl LowWaterMark {
    pub(crate) fn begin(&mut self) -> Begin {
        let begin = self.peek();
        match begin.reach {
            Reach::Near => {}
            Reach::Back => _ = self.back.begin(),
            Reach::Beginning => _ = self.beginning.begin(),
        }
        begin
    }

    /// Where a look without a claim begins: whatever the next claim would find, it finds.
    pub fn peek(&self) -> Begin {
        let reach = if self.beginning.is_due() {
            Reach::Beginning
        } else if self.back.is_due() {
            Reach::Back
        } else {
            Reach::Near
        };
        let time = match reach {
            Reach::Near => self.newest - NEAR,
            Reach::Back => self.newest - BACK,
            Reach::Beginning => DateTime::UNIX_EPOCH,
        };
        Begin { time, reach, begun: Instant::now() }
    }

    /// Nothing was ready at `now`, by the database's clock.
    pub fn nothing_at(&mut self, now: DateTime<Utc>) {
        self.newest = self.newest.max(now);
    }

    /// A look without a claim came back without anything; it was `now`, by the database's clock, if it says so.
    pub fn found_nothing(&mut self, begin: Begin, now: Option<DateTime<Utc>>) {
        self.looked(begin, None);
        if let Some(now) = now.filter(|_| begin.reach == Reach::Beginning) {
            self.nothing_at(now);
        }
    }

    /// A look came back; nothing is left of what was ready before `newest`, if it says so. One that began further back
    /// may set the mark back: it found jobs that were written late, or by a database whose clock was set back.
    pub(crate) fn looked(&mut self, begin: Begin, newest: Option<DateTime<Utc>>) {
        match begin.reach {
            Reach::Near => {}
            Reach::Back => self.back.looked(begin.begun),
            Reach::Beginning => {
                self.back.looked(Instant::now());
                self.beginning.looked(begin.begun);
            }
        }
        if let Some(newest) = newest {
            self.newest = if begin.reach == Reach::Near { self.newest.max(newest) } else { newest };
        }
    }

    /// A look came back with as much as it was asked for, which does not say what is left; the oldest was ready at
    /// `oldest`. If it began further back, the next one begins there.
    pub(crate) fn found_much(&mut self, begin: Begin, oldest: DateTime<Utc>) {
        self.looked(begin, (begin.reach != Reach::Near).then_some(oldest));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(millis: i64) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(millis).unwrap()
    }

    fn of(back: Pace, beginning: Pace) -> LowWaterMark {
        LowWaterMark { newest: at(0), back, beginning }
    }

    fn rare() -> Pace {
        Pace::new(HOUR, HOUR)
    }

    fn always() -> Pace {
        Pace::new(Duration::ZERO, Duration::ZERO)
    }

    #[test]
    fn the_mark_follows_claims_and_goes_back_when_the_beginning_has_older_jobs() {
        let mut mark = of(rare(), rare());
        assert_eq!(mark.peek().time, at(0), "the first claim begins at the beginning");
        let beginning = mark.begin();
        assert_eq!(beginning.time, at(0));
        mark.looked(beginning, Some(at(1_000_000)));
        let near = mark.begin();
        assert_eq!(near.time, at(999_800));
        mark.looked(near, Some(at(900_000)));
        assert_eq!(mark.begin().time, at(999_800), "a late job does not hold the mark back");
        mark.looked(beginning, Some(at(900_000)));
        assert_eq!(mark.begin().time, at(899_800), "jobs below it were found");
        mark.nothing_at(at(950_000));
        assert_eq!(mark.begin().time, at(949_800));
    }

    #[test]
    fn claims_look_back_as_often_as_it_is_cheap() {
        for (back, expected) in [(always(), 995_000), (rare(), 999_800)] {
            let mut mark = of(back, rare());
            let beginning = mark.begin();
            mark.looked(beginning, Some(at(1_000_000)));
            assert_eq!(mark.begin().time, at(expected));
        }
    }

    #[test]
    fn a_claim_that_never_came_back_is_not_repeated_at_once() {
        let mut mark = of(rare(), rare());
        mark.nothing_at(at(1_000_000));
        assert_eq!(mark.begin().time, at(0));
        assert_eq!(mark.begin().time, at(995_000));
        assert_eq!(mark.begin().time, at(999_800));
    }

    #[test]
    fn after_more_than_could_be_taken_further_back_the_next_claim_begins_there() {
        let mut mark = of(always(), rare());
        let beginning = mark.begin();
        mark.looked(beginning, Some(at(1_000_000)));
        for _ in 0..3 {
            let back = mark.begin();
            mark.found_much(back, at(997_000));
            assert_eq!(mark.newest, at(997_000));
        }
        mark.back = rare();
        mark.back.begin();
        let near = mark.begin();
        mark.found_much(near, at(999_000));
        assert_eq!(mark.newest, at(997_000));
        mark.found_much(beginning, at(1_000));
        assert_eq!(mark.newest, at(1_000), "the clock was set back");
    }
}
