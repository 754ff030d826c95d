//! How often something is done that costs more the longer somebody holds a snapshot.
//!
//! Rows that are dead, but that an old snapshot may still see, are read again and again by whoever looks where they
//! were. A look over all of them is worth its time now and then; the more it took, the less often.

use std::time::{Duration, Instant};

/// Between two looks lies at least so many times what the first one took.
const REST: u32 = 50;

#[derive(Debug)]
pub struct Pace {
    least: Duration,
    most: Duration,
    last: Option<Look>,
}

/// When it ended, and what it took; of one that has not come back, when it began.
#[derive(Debug)]
struct Look {
    at: Instant,
    took: Option<Duration>,
}

impl Pace {
    /// The shortest time between two looks, and the longest; the first is due at once.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, last: None }
    }

    pub fn is_due(&self) -> bool {
        self.last.as_ref().is_none_or(|look| look.at.elapsed() >= self.rest(look.took))
    }

    /// A look begins. If it never comes back, the longest rest follows.
    pub fn begin(&mut self) -> Instant {
        let now = Instant::now();
        self.last = Some(Look { at: now, took: None });
        now
    }

    /// It came back.
    pub fn looked(&mut self, begun: Instant) {
        self.last = Some(Look { at: Instant::now(), took: Some(begun.elapsed()) });
    }

    /// There is a reason to look: the next look is due as if the last one, if it came back, had taken no time.
    pub fn hurry(&mut self) {
        if let Some(Look { took: Some(took), .. }) = &mut self.last {
            *took = Duration::ZERO;
        }
    }

    fn rest(&self, took: Option<Duration>) -> Duration {
        took.map_or(self.most, |took| (took * REST).clamp(self.least, self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_took_long_is_followed_by_a_long_rest() {
        let ms = Duration::from_millis;
        let pace = Pace::new(ms(100), ms(3_000));
        assert!(pace.is_due(), "the first is due at once");
        for (took, rest) in [(Some(1), 100), (Some(20), 1_000), (Some(500), 3_000), (None, 3_000)] {
            assert_eq!(pace.rest(took.map(ms)), ms(rest));
        }
    }

    #[test]
    fn who_hurries_does_not_wait_for_what_a_look_took_unless_it_never_came_back() {
        let mut pace = Pace::new(Duration::ZERO, Duration::from_secs(3_600));
        pace.begin();
        pace.hurry();
        assert!(!pace.is_due());
        pace.looked(Instant::now().checked_sub(Duration::from_secs(60)).unwrap());
        assert!(!pace.is_due());
        pace.hurry();
        assert!(pace.is_due());
    }
}
