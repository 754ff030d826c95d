//! Ends scripts that take too long.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time of one script. The engine asks now and then, and the time counts from its first question, so
/// that a script which is over before costs nothing.
pub(super) struct Clock {
    timeout: Duration,
    started: Cell<Option<Duration>>,
    expired: Cell<bool>,
}

impl Clock {
    pub fn new(timeout: Duration) -> Clock {
        Clock { timeout, started: Cell::new(None), expired: Cell::new(false) }
    }

    pub fn restart(&self) {
        self.started.set(None);
        self.expired.set(false);
    }

    /// Whether the script must end now.
    pub fn must_end(&self) -> bool {
        let now = processor_time();
        match self.started.get() {
            None => self.started.set(Some(now)),
            Some(started) if now.saturating_sub(started) > self.timeout => self.expired.set(true),
            Some(_) => {}
        }
        self.expired.get()
    }

    pub fn expired(&self) -> bool {
        self.expired.get()
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// The processor time that this process has used.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
